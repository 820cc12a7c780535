#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"
#include "harness/report/safety.h"
#include "harness/store/json_parts.h"
#include "harness/store/run_state.h"
#include "harness/store/runs.h"

#define DEFAULT_DIRECTORY "runs"
#define MIB 1048576.0

/* ---- text ---- */

static void print_time(const char *name, int64_t wall_ms)
{
    char text[40];
    struct tm local;
    time_t seconds = (time_t)(wall_ms / 1000);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    double ago_s = ((double)bp_clock_wall_ms() - (double)wall_ms) / 1e3;
    printf("  %-12s %s, %.0f s ago\n", name, text, ago_s);
}

static void print_verdicts(const struct bp_run_state *state)
{
    printf("  evaluations  %u", state->evaluations);
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (state->verdicts[i] > 0)
            printf("  %s %u", bp_verdict_name((enum bp_verdict)i), state->verdicts[i]);
    printf("  (%u duplicates)\n", state->duplicates);
}

static void print_last(const struct bp_run_last *last, const char *heading)
{
    printf("  %-12s #%u %s", heading, last->number, bp_verdict_name(last->verdict));
    if (last->has_score && last->verdict == BP_VERDICT_PASS)
        printf(" %.3fx", last->score);
    printf("%s%s\n", last->duplicate ? ", duplicate" : "", last->promoted ? ", promoted" : "");
}

static void print_text(const char *dir, const struct bp_run_state *state)
{
    char safety[BP_SAFETY_LINE];
    bp_safety_line(&state->safety, state->evaluations, safety);
    printf("%s: %s", dir, state->status);
    if (state->pid > 0)
        printf(" (pid %ld)", (long)state->pid);
    printf(", start %u\n", state->starts);
    print_time("created", state->created_ms);
    print_time("last result", state->changed_ms);
    print_verdicts(state);
    if (state->best_number > 0)
        printf("  best         %.3fx (#%u)\n", state->best_score, state->best_number);
    printf("  safety       %s\n", safety);
    for (uint32_t i = 0; i < state->last_count; i++)
        print_last(&state->last[i], i == 0 ? "newest" : "");
    printf("  disk         %.1f MiB (record %.1f, failures %.1f, logs %.1f), %.0f MiB free\n",
           (double)state->bytes / MIB, (double)state->record_bytes / MIB,
           (double)state->failures_bytes / MIB, (double)state->log_bytes / MIB,
           (double)state->free_bytes / MIB);
}

/* ---- JSON ---- */

static json_t *verdicts_json(const struct bp_run_state *state)
{
    json_t *counts = json_object();
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        json_object_set_new(counts, bp_verdict_name((enum bp_verdict)i),
                            json_integer(state->verdicts[i]));
    return counts;
}

static json_t *last_json(const struct bp_run_state *state)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < state->last_count; i++) {
        const struct bp_run_last *last = &state->last[i];
        json_array_append_new(
            array, json_pack("{s:I, s:s, s:o, s:b, s:b, s:I}", "number", (json_int_t)last->number,
                             "verdict", bp_verdict_name(last->verdict), "score",
                             last->has_score ? bp_json_real(last->score) : json_null(), "promoted",
                             last->promoted, "duplicate", last->duplicate, "finished_wall_ms",
                             (json_int_t)last->finished_wall_ms));
    }
    return array;
}

static json_t *best_json(const struct bp_run_state *state)
{
    if (state->best_number == 0)
        return json_null();
    return json_pack("{s:I, s:o}", "number", (json_int_t)state->best_number, "score",
                     bp_json_real(state->best_score));
}

static json_t *disk_json(const struct bp_run_state *state)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "total_bytes", (json_int_t)state->bytes,
                     "record_bytes", (json_int_t)state->record_bytes, "failures_bytes",
                     (json_int_t)state->failures_bytes, "log_bytes", (json_int_t)state->log_bytes,
                     "free_bytes", (json_int_t)state->free_bytes);
}

static int print_json(const char *dir, const struct bp_run_state *state, struct bp_error *err)
{
    json_t *object = json_pack(
        "{s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "run",
        bp_json_text(dir), "status", state->status, "pid",
        state->pid > 0 ? json_integer(state->pid) : json_null(), "starts",
        (json_int_t)state->starts, "created_wall_ms", (json_int_t)state->created_ms, "last_wall_ms",
        (json_int_t)state->changed_ms, "evaluations", (json_int_t)state->evaluations, "duplicates",
        (json_int_t)state->duplicates, "verdicts", verdicts_json(state), "best", best_json(state),
        "safety", bp_safety_json(&state->safety), "last", last_json(state), "disk",
        disk_json(state));
    return bp_print_json(object, err);
}

/* ---- the verb ---- */

/* Reading it will tell what is wrong with it. */
static bool has_record(const char *dir)
{
    char path[4096 + 8];
    snprintf(path, sizeof path, "%.4095s/run.db", dir);
    return access(path, F_OK) == 0;
}

/* The run that `given` is, or the newest one in it; a link to either will do. */
static int choose(const char *given, char path[4096], struct bp_error *err)
{
    struct bp_found_runs found = {0};
    BP_AUTO_FREE char *real = realpath(given, NULL);
    int result = bp_runs_find(&found, real ? real : given, err);
    if (result == 0 && found.count == 0 && !has_record(given))
        result = bp_fail(err, BP_ERR_USAGE, "there is no run in %s", given);
    if (result == 0)
        snprintf(path, 4096, "%s", found.count > 0 ? found.runs[0].path : given);
    bp_runs_free(&found);
    return result;
}

int bp_cmd_status(int argc, char **argv)
{
    const char *given = DEFAULT_DIRECTORY;
    char path[4096];
    bool json = false;
    const struct bp_cli_option options[] = {
        {"json", BP_CLI_FLAG, NULL, "print all that is known as one JSON object", &json, 0, 0},
    };
    const struct bp_cli_verb verb = {
        .name = "status",
        .usage = "[RUN_DIR] [options]",
        .summary = "Says where a run stands: RUN_DIR, or the newest run in it (default: runs).",
        .details = "Reads the record only, so that it may be asked beside a live run.\n"
                   "running: a process uses it; finished, interrupted, failed: how it ended;\n"
                   "crashed: it ended without a word, and --resume goes on with it.\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .max_positionals = 1,
    };
    struct bp_error err;
    struct bp_run_state state;
    int got = bp_cli_parse(&verb, argc, argv, &given, &err);
    if (got == -2)
        return BP_EXIT_OK;
    if (got < 0 || choose(given, path, &err) < 0 || bp_run_state_read(path, &state, &err) < 0 ||
        (json && print_json(path, &state, &err) < 0))
        return bp_print_failure(&err);
    if (!json)
        print_text(path, &state);
    return BP_EXIT_OK;
}
