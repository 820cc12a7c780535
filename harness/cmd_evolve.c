#include <stdlib.h>

#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/evolve/engine.h"
#include "harness/exit_codes.h"
#include "harness/output.h"

struct arguments {
    struct bp_engine_options options;
    uint64_t evaluations, seed;
    double seconds;
    bool verbose;
};

#define NOT_GIVEN UINT64_MAX

static int run(struct arguments *arguments, const char *config, struct bp_error *err)
{
    struct bp_engine_options *options = &arguments->options;
    options->config = config;
    if (!config && !options->resume)
        return bp_fail(err, BP_ERR_USAGE, "evolve needs a CONFIG, or a run to --resume");
    if (arguments->evaluations != NOT_GIVEN)
        options->evaluations = &arguments->evaluations;
    if (arguments->seconds >= 0)
        options->seconds = &arguments->seconds;
    if (arguments->seed != NOT_GIVEN)
        options->seed = &arguments->seed;
    return bp_engine_run(options, err);
}

int bp_cmd_evolve(int argc, char **argv)
{
    struct arguments arguments = {.evaluations = NOT_GIVEN, .seed = NOT_GIVEN, .seconds = -1};
    struct bp_engine_options *given = &arguments.options;
    const struct bp_cli_option options[] = {
        {"out", BP_CLI_TEXT, "DIR",
         "the run directory (default: KERNEL-DATE-TIME in the config's 'output')", &given->out, 0,
         0},
        {"resume", BP_CLI_TEXT, "DIR", "go on with the run in DIR, whatever ended it",
         &given->resume, 0, 0},
        {"replay-results", BP_CLI_TEXT, "DIR",
         "take every result from the record in DIR; start no child", &given->replay, 0, 0},
        {"max-evaluations", BP_CLI_COUNT, "N",
         "stop after N evaluations, eager and baseline counted", &arguments.evaluations, 1, 1e9},
        {"max-seconds", BP_CLI_NUMBER, "S", "propose nothing new after S seconds (0: no limit)",
         &arguments.seconds, 0, 1e9},
        {"seed", BP_CLI_COUNT, "N", "seed of the search (never of the inputs)", &arguments.seed, 0,
         1e15},
        {"device", BP_CLI_TEXT, "DEVICE",
         "auto, cpu, hip:N, cuda:N or emu:ARCH; several with commas between", &given->device, 0, 0},
        {"allow-degraded", BP_CLI_FLAG, NULL,
         "start although a layer of the sandbox is missing ('bulletproof doctor' lists them)",
         &given->allow_degraded, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print the summary as one JSON object at the end", &given->json,
         0, 0},
        {"verbose", BP_CLI_FLAG, NULL, "log to standard error what happens", &arguments.verbose, 0,
         0},
    };
    const struct bp_cli_verb verb = {
        .name = "evolve",
        .usage = "CONFIG [options] | --resume DIR [CONFIG] [options]",
        .summary = "Searches the declared knobs of a kernel for a faster configuration.",
        .details =
            "Ctrl-C finishes the current write, prints the summary and exits with 130; after\n"
            "that, or anything worse, --resume goes on where the record ends, with the\n"
            "config and kernel it began with. --max-evaluations and --max-seconds count\n"
            "from the run's first start, and raise the budget of a finished run.\n"
            "'bulletproof config' prints every key of CONFIG; docs/results.md explains the\n"
            "files of the run directory.\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .min_positionals = 0,
        .max_positionals = 1,
    };
    struct bp_error err;
    const char *config = NULL;
    int got = bp_cli_parse(&verb, argc, argv, &config, &err);
    if (got == -2)
        return BP_EXIT_OK;
    bp_log_set_level(arguments.verbose ? BP_LOG_DEBUG : BP_LOG_ERROR);
    int status = got < 0 ? -1 : run(&arguments, config, &err);
    if (status < 0)
        status = bp_print_failure(&err);
    return status;
}
