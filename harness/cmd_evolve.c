#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/evolve/engine.h"
#include "harness/exit_codes.h"

struct arguments {
    const char *config, *out, *device;
    uint64_t evaluations, seed;
    double seconds;
    bool json, verbose, allow_degraded;
};

#define NOT_GIVEN UINT64_MAX

static int run(const struct arguments *arguments, struct bp_config *config, struct bp_error *err)
{
    struct bp_engine_options options = {
        .config = config, .out = arguments->out, .json = arguments->json};
    if (bp_config_load(arguments->config, config, err) < 0)
        return -1;
    if (arguments->evaluations != NOT_GIVEN)
        config->budget.evaluations = (uint32_t)arguments->evaluations;
    if (arguments->seconds >= 0)
        config->budget.seconds = arguments->seconds;
    if (arguments->seed != NOT_GIVEN)
        config->seed = arguments->seed;
    config->allow_degraded = arguments->allow_degraded;
    if (arguments->device)
        snprintf(config->device, sizeof config->device, "%s", arguments->device);
    return bp_engine_run(&options, err);
}

int bp_cmd_evolve(int argc, char **argv)
{
    struct arguments arguments = {.evaluations = NOT_GIVEN, .seed = NOT_GIVEN, .seconds = -1};
    const struct bp_cli_option options[] = {
        {"out", BP_CLI_TEXT, "DIR", "the run directory (default: output/NAME-DATE-TIME)",
         &arguments.out, 0, 0},
        {"max-evaluations", BP_CLI_COUNT, "N",
         "stop after N evaluations, eager and baseline counted", &arguments.evaluations, 1, 1e9},
        {"max-seconds", BP_CLI_NUMBER, "S", "propose nothing new after S seconds (0: no limit)",
         &arguments.seconds, 0, 1e9},
        {"seed", BP_CLI_COUNT, "N", "seed of the search (never of the inputs)", &arguments.seed, 0,
         1e15},
        {"device", BP_CLI_TEXT, "DEVICE", "auto or cpu", &arguments.device, 0, 0},
        {"allow-degraded", BP_CLI_FLAG, NULL,
         "start although a layer of the sandbox is missing ('bulletproof doctor' lists them)",
         &arguments.allow_degraded, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print the summary as one JSON object at the end",
         &arguments.json, 0, 0},
        {"verbose", BP_CLI_FLAG, NULL, "log to standard error what happens", &arguments.verbose, 0,
         0},
    };
    const struct bp_cli_verb verb = {
        .name = "evolve",
        .usage = "CONFIG [options]",
        .summary = "Searches the declared knobs of a kernel for a faster configuration.",
        .details = "Ctrl-C finishes the current write, prints the summary and exits with 130.\n"
                   "'bulletproof config' prints every key of CONFIG; docs/results.md explains the\n"
                   "files of the run directory.\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .min_positionals = 1,
        .max_positionals = 1,
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, &arguments.config, &err);
    if (got == -2)
        return BP_EXIT_OK;
    bp_log_set_level(arguments.verbose ? BP_LOG_DEBUG : BP_LOG_ERROR);
    struct bp_config *config = calloc(1, sizeof *config);
    if (got >= 0 && !config)
        got = bp_fail(&err, BP_ERR_MEMORY, "no memory");
    int status = got < 0 ? -1 : run(&arguments, config, &err);
    if (status < 0) {
        fprintf(stderr, "bulletproof: %s\n", err.msg);
        status = bp_exit_of_error(&err);
    }
    if (config)
        bp_config_free(config);
    free(config);
    return status;
}
