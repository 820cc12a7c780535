/* progress.h: where a run stands, on standard error: one rewritten line on a terminal, plain lines
 * otherwise. */
#ifndef BP_HARNESS_REPORT_PROGRESS_H
#define BP_HARNESS_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "evaluator/verdict.h"

#define BP_PROGRESS_LINE 768 /* every verdict with a count fits */

struct bp_progress {
    bool terminal;
    bool line_open; /* a line without newline stands on the terminal */
    uint64_t started_ns;
    double earlier_s; /* that the run took before it was resumed */
};

struct bp_progress_state {
    uint32_t done, total; /* evaluations; total 0 = no limit */
    double seconds_limit; /* 0 = no limit */
    const uint32_t *verdicts;
    uint32_t duplicates;
    double best; /* the champion against the baseline, by the matches on its way; 0: none yet */
    uint32_t best_number;
};

void bp_progress_start(struct bp_progress *progress);
/* Counts what the run took before this start of it. */
void bp_progress_resume(struct bp_progress *progress, double earlier_s);
/* A line of its own that stays. */
void bp_progress_say(struct bp_progress *progress, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void bp_progress_preparing(struct bp_progress *progress, uint32_t done, uint32_t total);
/* The line of a state: "12/80 PASS 11 CRASH 1  best 1.204x (#9)  ETA 31 s". */
void bp_progress_line(const struct bp_progress *progress, const struct bp_progress_state *state,
                      char line[BP_PROGRESS_LINE]);
void bp_progress_show(struct bp_progress *progress, const struct bp_progress_state *state);
/* Adds to the line that stands on a terminal what takes a while now; nothing elsewhere. */
void bp_progress_add(struct bp_progress *progress, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends an open line. */
void bp_progress_end(struct bp_progress *progress);

double bp_progress_elapsed_s(const struct bp_progress *progress);
/* Seconds until the first limit is reached, by the pace so far; negative when there is no limit. */
double bp_progress_eta_s(const struct bp_progress *progress, const struct bp_progress_state *state);

#endif
