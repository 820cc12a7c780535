/* artifacts.h: the files of a run directory beside run.db, for people and other tools. Every file
 * is written whole or not at all (base/io.h). */
#ifndef BP_HARNESS_REPORT_ARTIFACTS_H
#define BP_HARNESS_REPORT_ARTIFACTS_H

#include <jansson.h>
#include <stdio.h>

#include "harness/store/store.h"

/* How every JSON file and `--json` is printed. */
#define BP_JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(9))

/* The object `eval --json` prints (field list: docs/results.md). New reference; null: no memory. */
json_t *bp_evaluation_json(const struct bp_evaluation *evaluation);

/* eval_00042.hip and eval_00042.json in dir, then one line appended to history.jsonl. */
int bp_artifacts_evaluation(const char *dir, const struct bp_evaluation *evaluation,
                            struct bp_error *err) BP_MUST_CHECK;

/* The number in the last line of history.jsonl, 0 when there is none. What stands after the last
 * newline, of a writer that was killed, is cut off. */
int bp_artifacts_history_end(const char *dir, uint32_t *number, struct bp_error *err) BP_MUST_CHECK;

/* best/: kernel.hip, knobs.yaml, result.json, replaced as a whole. */
int bp_artifacts_best(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
    BP_MUST_CHECK;

/* One row of results.md. */
struct bp_result_row {
    const char *impl; /* "eager", "baseline", "evolved" */
    bool measured;
    double avg_ms; /* geometric mean over the timed shapes */
    double gflops, gflops_full;
    double speedup_vs_eager, speedup_vs_baseline;
    double ci_low, ci_high; /* of speedup_vs_baseline, 95 %; both 0 when not compared */
    double tuning_time_s;
    char note[BP_TEXT_LINE];
};

/* The state of a run in a few figures, for tuning_summary.json, the progress line and the end. */
struct bp_run_summary {
    const char *status; /* "running", "finished", "interrupted", "failed" */
    const char *kernel, *suite, *device, *dtype, *strategy;
    const char *driver; /* compiler or driver version of the device */
    bool emulated;      /* the device is: its times mean nothing */
    const char *mask;   /* of the timed shapes, in words: "causal", "full", "causal and full" */
    uint64_t seed;
    uint32_t evaluations; /* done, baseline and eager included */
    uint32_t duplicates;
    uint32_t verdicts[BP_VERDICT_COUNT];
    double elapsed_s;
    uint32_t best_number;                           /* 0 = none yet */
    double best_score;                              /* against the baseline */
    double improvement_ci_low, improvement_ci_high; /* of the final comparison; 0 before it */
    struct bp_safety safety;                        /* sums over the run */
    uint32_t row_count;
    struct bp_result_row rows[8];
};

/* The object of tuning_summary.json but for its history: text without the closing brace, the caller's.
 * A value of 0 in a row, where there is nothing to compare with, is written as null, here and as "-"
 * in the tables. */
int bp_summary_head(const struct bp_run_summary *summary, char **head, struct bp_error *err)
    BP_MUST_CHECK;

/* The head and the history, which goes from the record to out evaluation by evaluation: the memory
 * that takes does not grow with it. Whether it could be written shows in out. */
int bp_summary_print(FILE *out, const char *head, struct bp_store *record, struct bp_error *err)
    BP_MUST_CHECK;

/* tuning_summary.json (atomic) from the same. */
int bp_artifacts_summary(const char *dir, const char *head, struct bp_store *record,
                         struct bp_error *err) BP_MUST_CHECK;

/* results.md: impl | avg_ms | tflops | gflops | speedup_vs_eager | speedup_vs_baseline |
 * tuning_time_s | note, with device, driver, dtype, suite, mask and FLOP convention stated. */
int bp_artifacts_results(const char *dir, const struct bp_run_summary *summary,
                         struct bp_error *err) BP_MUST_CHECK;

/* The same table as text for the terminal; the caller frees *text. */
int bp_results_text(const struct bp_run_summary *summary, char **text, struct bp_error *err)
    BP_MUST_CHECK;

#endif
