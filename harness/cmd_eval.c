#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/config/choices.h"
#include "harness/eval_candidate.h"
#include "harness/eval_print.h"
#include "harness/eval_source.h"
#include "harness/eval_targets.h"
#include "harness/evolve/session.h"
#include "harness/evolve/setting.h"
#include "harness/evolve/unseen.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/artifacts.h"
#include "harness/report/bundle.h"
#include "sandbox/canary.h"

struct arguments {
    const char *source;
    struct bp_cli_list knobs, layers;
    const char *dtype, *device, *suite, *gates, *bundle, *target;
    uint64_t threads, ring_mb, workspace_mb;
    double compile_seconds, gate_seconds, run_seconds;
    bool json, verbose, allow_degraded, compile_only, unseen;
};

static void show_waiting(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

/* ---- the verb ---- */

/* What --help says after the options: every verdict, every gate, and every shape that --suite takes. */
static char *make_details(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "exit status: 0 PASS, 10 the kernel's fault, 20 ours, 2 usage or input, "
                 "130 interrupted\n\nverdicts:\n");
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        fprintf(out, "  %-16s %s\n", bp_verdict_name((enum bp_verdict)i),
                bp_verdict_meaning((enum bp_verdict)i));
    fprintf(out, "\ngates:\n");
    for (int i = 0; i < BP_GATE_COUNT; i++)
        fprintf(out, "  %-14s %s\n", bp_gate_name((enum bp_gate)i), bp_gate_finds((enum bp_gate)i));
    fprintf(out, "\nshapes:\n");
    for (const char *const *name = bp_suite_shape_names(); *name; name++)
        fprintf(out, "  %s\n", *name);
    fclose(out);
    return text;
}

static int require_layers(const struct bp_cli_list *layers, struct bp_config *config,
                          struct bp_error *err)
{
    const char *names[BP_LAYER_COUNT + 1] = {NULL};
    char valid[300];
    uint32_t set;
    for (int i = 0; i < BP_LAYER_COUNT; i++)
        names[i] = bp_layer_name((enum bp_layer)i);
    bp_choices_join(names, valid, sizeof valid);
    for (uint32_t i = 0; i < layers->count; i++) {
        if (!bp_layer_word(layers->items[i], strlen(layers->items[i]), &set))
            return bp_fail(err, BP_ERR_USAGE,
                           "eval: --sandbox-require: unknown layer '%s' (valid: %s)",
                           layers->items[i], valid);
        config->sandbox_require |= set;
    }
    return 0;
}

static int load(const struct arguments *arguments, struct bp_config *config, struct bp_error *err)
{
    bp_config_defaults(config);
    snprintf(config->dtype, sizeof config->dtype, "%s", arguments->dtype);
    snprintf(config->device, sizeof config->device, "%s", arguments->device);
    snprintf(config->suite, sizeof config->suite, "%s", arguments->suite);
    config->threads = (uint32_t)arguments->threads;
    config->allow_degraded = arguments->allow_degraded;
    config->limits.compile_s = arguments->compile_seconds;
    config->limits.gate_s = arguments->gate_seconds;
    config->limits.run_s = arguments->run_seconds;
    config->timing.ring_mb = (uint32_t)arguments->ring_mb;
    if (arguments->workspace_mb)
        config->limits.workspace_mb = (uint32_t)arguments->workspace_mb;
#define AND_NAME(name, finds) ", " #name
    if (arguments->gates && !bp_gates_parse(arguments->gates, &config->gates))
        return bp_fail(
            err, BP_ERR_USAGE,
            "eval: --gates needs 'all' or names of gates with commas between, not '%.60s' "
            "(valid: all" BP_GATE_LIST(AND_NAME) ")",
            arguments->gates);
    if (require_layers(&arguments->layers, config, err) < 0)
        return -1;
    return bp_config_read_kernel(arguments->source, config, err);
}

/* As a run does before a candidate can become the best. */
static int try_unseen(struct bp_session *session, const struct bp_candidate *candidate,
                      struct bp_error *err)
{
    struct bp_evaluation *evaluation = candidate->evaluation;
    if (evaluation->verdict != BP_VERDICT_PASS)
        return 0;
    if (bp_unseen_try(session, candidate, BP_UNSEEN_CHALLENGE, &evaluation->unseen, err) < 0)
        return -1;
    bp_unseen_judge(evaluation);
    return 0;
}

static int evaluate(struct bp_session *session, const struct bp_config *config,
                    const struct arguments *arguments, struct bp_evaluation *evaluation,
                    struct bp_error *err)
{
    int made = bp_eval_candidate(config, session->dtype, &arguments->knobs, evaluation, err);
    if (made < 0)
        return -1;
    bp_session_describe(session, evaluation);
    if (made == 1)
        return 0;
    struct bp_key run_key;
    bp_key_random(&run_key);
    if (bp_session_open(session, &run_key, err) < 0)
        return -1;
    struct bp_candidate candidate = {.evaluation = evaluation, .object_fd = -1};
    int result = bp_session_evaluate(session, &candidate, 1, err);
    if (result == 0 && arguments->unseen)
        result = try_unseen(session, &candidate, err);
    bp_close_fd(&candidate.object_fd);
    bp_session_close(session);
    return result;
}

/* Before anything is done for it: nothing that is there is replaced by a name mistyped, and no evaluation
 * is lost for a folder that is not there. */
static int check_bundle(const struct arguments *arguments, struct bp_error *err)
{
    char folder[PATH_MAX];
    if (!arguments->bundle)
        return 0;
    if (access(arguments->bundle, F_OK) == 0)
        return bp_fail(err, BP_ERR_USAGE, "eval: --bundle %.200s is there already",
                       arguments->bundle);
    snprintf(folder, sizeof folder, "%s", arguments->bundle);
    if (access(dirname(folder), W_OK | X_OK) < 0)
        return bp_fail(err, BP_ERR_USAGE, "eval: --bundle %.200s cannot be made: %s",
                       arguments->bundle, strerror(errno));
    return 0;
}

static int write_bundle(const struct arguments *arguments, const struct bp_session *session,
                        const struct bp_evaluation *evaluation, struct bp_error *err)
{
    struct bp_replay_setting setting;
    if (!arguments->bundle)
        return 0;
    if (bp_setting_of(session, &setting, err) < 0)
        return -1;
    int result = bp_bundle_write(arguments->bundle, &setting, evaluation, err);
    bp_replay_setting_free(&setting);
    return result;
}

static int print_evaluation(const struct arguments *arguments,
                            const struct bp_evaluation *evaluation, struct bp_error *err)
{
    if (arguments->json)
        return bp_print_json(bp_evaluation_json(evaluation), err);
    bp_eval_print(evaluation);
    return 0;
}

/* Exit status of the verdict on what err says of a file that is no kernel, or -1. */
static int refuse_source(const struct arguments *arguments, const struct bp_config *config,
                         struct bp_evaluation *evaluation, struct bp_error *err)
{
    if (err->code != BP_ERR_SOURCE ||
        bp_eval_refuse_source(err->msg, config, evaluation, err) < 0 ||
        print_evaluation(arguments, evaluation, err) < 0)
        return -1;
    return bp_verdict_exit_code(evaluation->verdict);
}

/* Exit status, or -1. */
static int compile_only(const struct arguments *arguments, struct bp_config *config,
                        struct bp_evaluation *evaluation, struct bp_error *err)
{
    enum bp_dtype dtype;
    if (arguments->gates || arguments->bundle)
        return bp_fail(err, BP_ERR_USAGE, "eval: --compile-only takes no --gates and no --bundle");
    if (load(arguments, config, err) < 0)
        return refuse_source(arguments, config, evaluation, err);
    if (bp_session_dtype(config, &dtype, err) < 0)
        return -1;
    int made = bp_eval_candidate(config, dtype, &arguments->knobs, evaluation, err);
    if (made == 0)
        return bp_eval_targets(config, evaluation, arguments->target, arguments->json, err);
    if (made < 0 || print_evaluation(arguments, evaluation, err) < 0)
        return -1;
    return bp_verdict_exit_code(evaluation->verdict);
}

/* Exit status, or -1. */
static int run(const struct arguments *arguments, struct bp_session *session,
               struct bp_config *config, struct bp_evaluation *evaluation, struct bp_error *err)
{
    struct bp_session_callbacks callbacks = {.prepared = bp_show_preparation,
                                             .waiting = show_waiting};
    if (check_bundle(arguments, err) < 0)
        return -1;
    if (load(arguments, config, err) < 0)
        return refuse_source(arguments, config, evaluation, err);
    if (bp_session_init(session, config, &callbacks, err) < 0 ||
        evaluate(session, config, arguments, evaluation, err) < 0)
        return -1;
    /* The verdict is told even where the bundle cannot be written. */
    if (print_evaluation(arguments, evaluation, err) < 0 ||
        write_bundle(arguments, session, evaluation, err) < 0)
        return -1;
    return bp_verdict_exit_code(evaluation->verdict);
}

/* Exit status, or -1. */
static int dispatch(const struct arguments *arguments, struct bp_session *session,
                    struct bp_config *config, struct bp_evaluation *evaluation,
                    struct bp_error *err)
{
    if (arguments->compile_only != (arguments->target != NULL))
        return bp_fail(err, BP_ERR_USAGE, "eval: --compile-only and --target need each other");
    return arguments->compile_only ? compile_only(arguments, config, evaluation, err)
                                   : run(arguments, session, config, evaluation, err);
}

/* The exit status. */
static int carry_out(const struct arguments *arguments)
{
    struct bp_session *session = calloc(1, sizeof *session);
    struct bp_config *config = calloc(1, sizeof *config);
    struct bp_evaluation *evaluation = bp_evaluation_new();
    struct bp_error err;
    int result;
    bp_log_set_level(arguments->verbose ? BP_LOG_DEBUG : BP_LOG_WARNING);
    if (!session || !config || !evaluation)
        result = bp_fail(&err, BP_ERR_MEMORY, "no memory");
    else
        result = dispatch(arguments, session, config, evaluation, &err);
    int status = result < 0 ? bp_print_failure(&err) : result;
    if (config)
        bp_config_free(config);
    free(config);
    free(session);
    bp_evaluation_free(evaluation);
    return status;
}

int bp_cmd_eval(int argc, char **argv)
{
    struct arguments arguments = {.dtype = "f16",
                                  .device = "auto",
                                  .suite = "quick",
                                  .compile_seconds = 30,
                                  .gate_seconds = 10,
                                  .run_seconds = 30};
    const struct bp_cli_option options[] = {
        {"knob", BP_CLI_LIST, "NAME=VALUE", "set a knob (repeat for more); others keep the default",
         &arguments.knobs, 0, 0},
        {"dtype", BP_CLI_TEXT, "DTYPE", "f16, bf16 or f32 (default f16)", &arguments.dtype, 0, 0},
        {"device", BP_CLI_TEXT, "DEVICE",
         "auto, cpu, hip:N, cuda:N or emu:ARCH, such as emu:gfx1030; of several, with commas "
         "between, "
         "one that is healthy (default auto)",
         &arguments.device, 0, 0},
        {"suite", BP_CLI_TEXT, "SUITE",
         "quick, full, tiny, bench or a shape's name (default quick)", &arguments.suite, 0, 0},
        {"gates", BP_CLI_TEXT, "GATES",
         "all, or some of race,bounds,uninitialised,barrier,undefined: search for these before the "
         "kernel runs (docs/gates.md)",
         &arguments.gates, 0, 0},
        {"threads", BP_CLI_COUNT, "N", "threads of the CPU device (default 0: one a processor)",
         &arguments.threads, 0, 1024},
        {"compile-seconds", BP_CLI_NUMBER, "S", "deadline of the compile (default 30)",
         &arguments.compile_seconds, 0.1, 3600},
        {"gate-seconds", BP_CLI_NUMBER, "S",
         "deadline of the gates' run, which are skipped then (default 10)", &arguments.gate_seconds,
         0.1, 3600},
        {"run-seconds", BP_CLI_NUMBER, "S",
         "deadline of each call for a run or a batch (default 30)", &arguments.run_seconds, 0.1,
         3600},
        {"ring-mb", BP_CLI_COUNT, "N",
         "MiB of inputs timed calls walk through (default: twice the last-level cache)",
         &arguments.ring_mb, 1, 65536},
        {"compile-only", BP_CLI_FLAG, NULL,
         "compile for the targets and say what the kernels take; no device is needed",
         &arguments.compile_only, 0, 0},
        {"target", BP_CLI_TEXT, "TARGETS",
         "with --compile-only: GPU architectures with commas between, such as gfx1030,sm_90",
         &arguments.target, 0, 0},
        {"workspace-mb", BP_CLI_COUNT, "N", "MiB of workspace a plan may ask for (default 1024)",
         &arguments.workspace_mb, 1, 1048576},
        {"unseen", BP_CLI_FLAG, NULL,
         "after a PASS also try secret shapes, as a run does before a kernel becomes the best",
         &arguments.unseen, 0, 0},
        {"bundle", BP_CLI_TEXT, "DIR", "write what 'replay' needs as a new directory DIR",
         &arguments.bundle, 0, 0},
        {"sandbox-require", BP_CLI_LIST, "LAYER",
         "refuse to start without this layer of the sandbox (repeat for more)", &arguments.layers,
         0, 0},
        {"allow-degraded", BP_CLI_FLAG, NULL,
         "start although a layer of the sandbox is missing ('bulletproof doctor' lists them)",
         &arguments.allow_degraded, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print one JSON object (docs/results.md)", &arguments.json, 0,
         0},
        {"verbose", BP_CLI_FLAG, NULL, "log to standard error what happens", &arguments.verbose, 0,
         0},
    };
    BP_AUTO_FREE char *details = make_details();
    const struct bp_cli_verb verb = {
        .name = "eval",
        .usage = "SOURCE [options]",
        .summary = "Compiles SOURCE, runs it in sandboxed children, judges its output, times it.",
        .details = details,
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .min_positionals = 1,
        .max_positionals = 1,
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, &arguments.source, &err);
    if (got == -2)
        return BP_EXIT_OK;
    return got < 0 ? bp_print_failure(&err) : carry_out(&arguments);
}
