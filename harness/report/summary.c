#include "harness/report/artifacts.h"

#include <string.h>

#include "base/io.h"
#include "harness/report/parts.h"
#include "harness/store/demotion.h"
#include "harness/store/json_parts.h"

static json_t *verdicts_json(const struct bp_run_summary *summary)
{
    json_t *counts = json_object();
    for (int i = 0; i < BP_VERDICT_COUNT; i++) {
        if (json_object_set_new(counts, bp_verdict_name((enum bp_verdict)i),
                                json_integer(summary->verdicts[i])) < 0) {
            json_decref(counts);
            return NULL;
        }
    }
    return counts;
}

static json_t *interval_json(double low, double high)
{
    if (low == 0 && high == 0)
        return json_null();
    return json_pack("[o, o]", bp_json_real(low), bp_json_real(high));
}

static json_t *best_json(const struct bp_run_summary *summary)
{
    if (summary->best_number == 0)
        return json_null();
    return json_pack("{s:I, s:o, s:o}", "number", (json_int_t)summary->best_number, "score",
                     bp_json_real(summary->best_score), "improvement_ci",
                     interval_json(summary->improvement_ci_low, summary->improvement_ci_high));
}

/* A figure of a row that was not measured, or was compared with nothing, is null and not 0. */
static json_t *figure(const struct bp_result_row *row, double value)
{
    return row->measured && value != 0 ? bp_json_real(value) : json_null();
}

static json_t *row_json(const struct bp_result_row *row)
{
    return json_pack(
        "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "impl", bp_json_text(row->impl),
        "measured", row->measured, "avg_ms", figure(row, row->avg_ms), "tflops",
        figure(row, row->gflops_full * 1e-3), "gflops", figure(row, row->gflops), "gflops_full",
        figure(row, row->gflops_full), "speedup_vs_eager", figure(row, row->speedup_vs_eager),
        "speedup_vs_baseline", figure(row, row->speedup_vs_baseline), "speedup_vs_baseline_ci",
        interval_json(row->ci_low, row->ci_high), "tuning_time_s", bp_json_real(row->tuning_time_s),
        "note", bp_json_text(row->note));
}

static json_t *rows_json(const struct bp_run_summary *summary)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; i < summary->row_count; i++) {
        if (json_array_append_new(rows, row_json(&summary->rows[i])) < 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

static json_t *setting_json(const struct bp_run_summary *summary)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "status",
        bp_json_text_or_null(summary->status), "kernel", bp_json_text_or_null(summary->kernel),
        "suite", bp_json_text_or_null(summary->suite), "mask", bp_json_text_or_null(summary->mask),
        "device", bp_json_text_or_null(summary->device), "driver",
        bp_json_text_or_null(summary->driver), "dtype", bp_json_text_or_null(summary->dtype),
        "strategy", bp_json_text_or_null(summary->strategy), "seed",
        bp_json_unsigned(summary->seed));
}

static json_t *head_json(const struct bp_run_summary *summary)
{
    json_t *parts[] = {
        setting_json(summary),
        json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "evaluations",
                  (json_int_t)summary->evaluations, "duplicates", (json_int_t)summary->duplicates,
                  "verdicts", verdicts_json(summary), "elapsed_s", bp_json_real(summary->elapsed_s),
                  "best", best_json(summary), "safety", bp_safety_json(&summary->safety), "results",
                  rows_json(summary))};
    return bp_json_joined(parts, 2);
}

int bp_summary_head(const struct bp_run_summary *summary, char **head, struct bp_error *err)
{
    json_t *object = head_json(summary);
    char *text = object ? json_dumps(object, BP_JSON_FLAGS) : NULL;
    json_decref(object);
    if (!text)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the summary");
    text[strlen(text) - 2] = '\0'; /* newline and brace */
    *head = text;
    return 0;
}

/* ---- history ---- */

struct history {
    FILE *out;
    uint32_t count;
    double best; /* the champion's score so far */
    struct bp_demotions demotions;
};

static int print_entry(void *context, const struct bp_recorded *one, struct bp_error *err)
{
    struct history *history = context;
    double before = bp_demotions_score(&history->demotions, one->number, history->best);
    history->best = before;
    if (one->promoted)
        history->best = one->score;
    json_t *entry =
        json_pack("{s:I, s:s, s:o, s:o, s:o, s:b, s:b}", "number", (json_int_t)one->number,
                  "verdict", bp_verdict_name(one->verdict), "score", bp_json_real(one->score),
                  "best_so_far", bp_json_real(history->best), "improvement_vs_best",
                  bp_json_real(before > 0 ? one->score / before : 0), "promoted", one->promoted,
                  "duplicate", one->duplicate);
    if (!entry)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the summary");
    fputs(history->count++ > 0 ? ",\n    " : "\n    ", history->out);
    json_dumpf(entry, history->out, JSON_REAL_PRECISION(9));
    json_decref(entry);
    return 0;
}

int bp_summary_print(FILE *out, const char *head, struct bp_store *record, struct bp_error *err)
{
    struct history history = {.out = out};
    if (bp_demotions_load(record, &history.demotions, err) < 0)
        return -1;
    fprintf(out, "%s,\n  \"history\": [", head);
    int result = bp_store_load_evaluations(record, print_entry, &history, err);
    bp_demotions_free(&history.demotions);
    if (result < 0)
        return -1;
    fputs(history.count > 0 ? "\n  ]\n}\n" : "]\n}\n", out);
    return 0;
}

int bp_artifacts_summary(const char *dir, const char *head, struct bp_store *record,
                         struct bp_error *err)
{
    char path[BP_REPORT_PATH];
    struct bp_io_replacement file;
    if ((size_t)snprintf(path, sizeof path, "%s/tuning_summary.json", dir) >= sizeof path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    if (bp_io_replace_open(&file, path, err) < 0)
        return -1;
    if (bp_summary_print(file.file, head, record, err) < 0) {
        bp_io_replace_drop(&file);
        return -1;
    }
    return bp_io_replace_commit(&file, err);
}
