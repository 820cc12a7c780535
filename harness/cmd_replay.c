#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/evolve/replay.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/artifacts.h"
#include "harness/store/json_parts.h"

struct arguments {
    const char *bundle;
    uint64_t times;
    bool gdb, sanitize, allow_degraded, json, verbose;
};

/* ---- output ---- */

static const char *compared(const struct bp_replay *then)
{
    return then->in_match
               ? "the failure came in a match: compared is an evaluation, then a match of the "
                 "candidate against itself, as the incumbent is not in the bundle"
               : NULL;
}

static void print_counts(const struct bp_replay_report *report)
{
    printf("%-16s %5s\n", "verdict", "times");
    for (int v = 0; v < BP_VERDICT_COUNT; v++)
        if (report->verdicts[v] > 0)
            printf("%-16s %5u\n", bp_verdict_name((enum bp_verdict)v), report->verdicts[v]);
}

static void print_gate(const struct bp_replay_report *report)
{
    const struct bp_gate_note *note = &report->gate_note;
    if (note->skipped_because[0])
        printf("gates skipped: %s\n", note->skipped_because);
    else if (report->gate.verdict == BP_VERDICT_PASS)
        printf("gates find nothing on %u shape%s\n", note->shapes, note->shapes == 1 ? "" : "s");
    else
        printf("gates: %s: %s\n", bp_verdict_name(report->gate.verdict), report->gate.message);
}

static json_t *gate_json(const struct bp_replay_report *report)
{
    const struct bp_gate_note *note = &report->gate_note;
    if (note->gates == 0)
        return json_null();
    return json_pack("{s:s, s:o, s:I, s:o}", "verdict", bp_verdict_name(report->gate.verdict),
                     "message", bp_json_text(report->gate.message), "shapes",
                     (json_int_t)note->shapes, "skipped",
                     bp_json_text_or_null(note->skipped_because));
}

static void print_text(const struct bp_replay *then, const struct bp_replay_report *report)
{
    const struct bp_evaluation *now = report->evaluation;
    printf("then  %s in %s: %s\n", bp_verdict_name(then->verdict), bp_stage_name(then->stage),
           then->message);
    printf("now   %s in %s: %s\n", bp_verdict_name(now->verdict), bp_stage_name(now->stage),
           now->message);
    if (report->differences[0])
        printf("not as it was then:\n%s", report->differences);
    if (compared(then))
        printf("note: %s\n", compared(then));
    if (report->gate_note.gates != 0)
        print_gate(report);
    if (report->times > 1)
        print_counts(report);
    printf("%s\n", bp_replay_is_same(report, then) ? "same verdict" : "different verdict");
}

static json_t *verdicts_json(const struct bp_replay_report *report)
{
    json_t *verdicts = json_object();
    for (int v = 0; v < BP_VERDICT_COUNT; v++)
        if (report->verdicts[v] > 0)
            json_object_set_new(verdicts, bp_verdict_name((enum bp_verdict)v),
                                json_integer(report->verdicts[v]));
    return verdicts;
}

static json_t *differences_json(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        int length = 0;
        while (text[length] && text[length] != '\n')
            length++;
        json_array_append_new(list, json_stringn(text, (size_t)length));
        text += length + (text[length] == '\n');
    }
    return list;
}

static int print_json(const struct bp_replay *then, const struct bp_replay_report *report,
                      struct bp_error *err)
{
    json_t *object = json_pack(
        "{s:b, s:{s:s, s:s, s:o}, s:o, s:i, s:o, s:o, s:o, s:o}", "same",
        bp_replay_is_same(report, then), "then", "verdict", bp_verdict_name(then->verdict), "stage",
        bp_stage_name(then->stage), "message", bp_json_text(then->message), "now",
        bp_evaluation_json(report->evaluation), "times", (int)report->times, "verdicts",
        verdicts_json(report), "differences", differences_json(report->differences), "gates",
        gate_json(report), "note", bp_json_text_or_null(compared(then)));
    return bp_print_json(object, err);
}

/* ---- the verb ---- */

/* A failure of ours says nothing of the candidate, unless it was what the bundle is about. */
static int status_of(const struct bp_replay *then, const struct bp_replay_report *report)
{
    uint32_t same = report->verdicts[then->verdict];
    uint32_t ours = then->verdict == BP_VERDICT_INFRA ? 0 : report->verdicts[BP_VERDICT_INFRA];
    if (same == report->times)
        return BP_EXIT_OK;
    return same + ours == report->times ? BP_EXIT_HARNESS : BP_EXIT_DIFFERENT;
}

static int run(const struct arguments *arguments, struct bp_saved *bundle, struct bp_error *err)
{
    struct bp_replay_options options = {.bundle = bundle,
                                        .times = (uint32_t)arguments->times,
                                        .gdb = arguments->gdb,
                                        .sanitize = arguments->sanitize,
                                        .allow_degraded = arguments->allow_degraded,
                                        .prepared = bp_show_preparation};
    struct bp_replay_report report;
    if (arguments->gdb && arguments->times > 1)
        return bp_fail(err, BP_ERR_USAGE, "replay: --gdb goes with --times 1 only");
    if (bp_bundle_read(arguments->bundle, bundle, err) < 0 ||
        bp_replay_run(&options, &report, err) < 0)
        return -1;
    int status = status_of(&bundle->replay, &report);
    if (!arguments->json)
        print_text(&bundle->replay, &report);
    else if (print_json(&bundle->replay, &report, err) < 0)
        status = -1;
    bp_evaluation_free(report.evaluation);
    return status;
}

int bp_cmd_replay(int argc, char **argv)
{
    struct arguments arguments = {.times = 1};
    const struct bp_cli_option options[] = {
        {"times", BP_CLI_COUNT, "N", "do it N times and count the verdicts (default 1)",
         &arguments.times, 1, 1000000, 0},
        {"gdb", BP_CLI_FLAG, NULL, "attach gdb before the candidate's first instruction",
         &arguments.gdb, 0, 0, 0},
        {"sanitize", BP_CLI_FLAG, NULL,
         "then rebuild it with every CPU gate and print the cause (docs/gates.md)",
         &arguments.sanitize, 0, 0, 0},
        {"allow-degraded", BP_CLI_FLAG, NULL,
         "start although a layer of the sandbox is missing ('bulletproof doctor' lists them)",
         &arguments.allow_degraded, 0, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print one JSON object (docs/replay.md)", &arguments.json, 0, 0,
         0},
        {"verbose", BP_CLI_FLAG, NULL, "log to standard error what happens", &arguments.verbose, 0,
         0, 0},
    };
    const struct bp_cli_verb verb = {
        .name = "replay",
        .usage = "BUNDLE [options]",
        .summary = "Evaluates a saved failure again, with the settings and the inputs of then.",
        .details = "BUNDLE is a directory such as RUN/failures/00042, or a file that 'export' "
                   "packed.\n\nexit status: 0 the same verdict, 11 another, 2 no bundle, 20 ours, "
                   "130 interrupted\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .min_positionals = 1,
        .max_positionals = 1,
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, &arguments.bundle, &err);
    if (got == -2)
        return BP_EXIT_OK;
    struct bp_saved *bundle = calloc(1, sizeof *bundle);
    if (got >= 0 && !bundle)
        got = bp_fail(&err, BP_ERR_MEMORY, "no memory");
    bp_log_set_level(arguments.verbose ? BP_LOG_DEBUG : BP_LOG_WARNING);
    int status = got < 0 ? -1 : run(&arguments, bundle, &err);
    if (status < 0)
        status = bp_print_failure(&err);
    if (bundle)
        bp_bundle_free(bundle);
    free(bundle);
    return status;
}
