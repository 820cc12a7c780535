/* trial.h: a compiled candidate through run, judge and clock, to an outcome.
 *
 *   run child:   load, plan ─► every case once ─┐                 ┌─► timed batch ┐     ┌─► …
 *   judge child:                                └─► judge cases ──┘               └─► a row
 *
 * Correctness comes before time; nothing else runs on the device meanwhile. */
#ifndef BP_HARNESS_SUPERVISE_TRIAL_H
#define BP_HARNESS_SUPERVISE_TRIAL_H

#include "harness/store/evaluation.h"
#include "harness/supervise/bench.h"
#include "harness/supervise/outcome.h"
#include "harness/supervise/stopwatch.h"

struct bp_timing_options {
    double batch_ms;
    uint32_t warmup_batches, batches;
};

struct bp_trial_options {
    struct bp_bench *bench;
    uint32_t lane;       /* whose case arenas were filled for this evaluation */
    uint64_t evaluation; /* that number, which keys permutation and canaries */
    int object_fd;       /* borrowed until the trial is done; sealed */
    uint64_t object_bytes;
    struct bp_timing_options timing;
    uint64_t *draws; /* the run's sample counter */
};

struct bp_trial; /* opaque */

/* Starts both children; bp_trial_done turns true in the loop, when both are gone. */
int bp_trial_start(const struct bp_trial_options *options, struct bp_trial **trial,
                   struct bp_error *err) BP_MUST_CHECK;
bool bp_trial_done(const struct bp_trial *trial);

/* After done: the outcome and stage, and plans, cases, timings, durations and sandbox put into
 * evaluation (which takes ownership of what they point at). */
void bp_trial_finish(struct bp_trial *trial, struct bp_outcome *outcome, enum bp_stage *stage,
                     struct bp_evaluation *evaluation);

/* Safe at any time; kills what still runs. */
void bp_trial_free(struct bp_trial **trial);

#endif
