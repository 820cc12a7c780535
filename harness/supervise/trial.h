/* trial.h: a compiled candidate through run, judge and clock, to an outcome.
 *
 * Both children start and confine themselves while the compiler still works, and wait for the object.
 *
 *   run child:   load, plan ─► every case ─► again ─┐                 ┌─► timed batch ┐     ┌─► …
 *   judge child:                                    └─► judge cases ──┘               └─► a row
 *
 * Correctness comes before time; nothing else runs on the device meanwhile. */
#ifndef BP_HARNESS_SUPERVISE_TRIAL_H
#define BP_HARNESS_SUPERVISE_TRIAL_H

#include "harness/store/evaluation.h"
#include "harness/supervise/bench.h"
#include "harness/supervise/evidence.h"
#include "harness/supervise/stopwatch.h"

struct bp_timing_options {
    double batch_ms;
    uint32_t warmup_batches, batches;
    double limit_ms; /* for all of a candidate's batches together; then it is a RUN_TIMEOUT */
};

struct bp_trial_options {
    struct bp_bench *bench;
    uint32_t lane;       /* whose case arenas are filled for this evaluation */
    uint64_t evaluation; /* that number, which keys permutation and canaries */
    struct bp_timing_options timing;
    uint64_t *draws; /* the run's sample counter */
    /* For a debugger, null else: the run child is held before the candidate's first instruction, until
     * bp_run_held in it is set to 0, and `held` is called with its pid. */
    void (*held)(void *context, pid_t pid);
    void *held_context;
};

struct bp_trial; /* opaque */

/* Starts both children; neither gets anything of a candidate yet. */
int bp_trial_open(const struct bp_trial_options *options, struct bp_trial **trial,
                  struct bp_error *err) BP_MUST_CHECK;

struct bp_trial_object {
    int fd; /* borrowed until the trial is done; sealed */
    uint64_t bytes;
};

/* Once, with the lane's cases filled: bp_trial_done turns true in the loop, when both children are
 * gone. */
int bp_trial_start(struct bp_trial *trial, const struct bp_trial_object *object,
                   struct bp_error *err) BP_MUST_CHECK;
bool bp_trial_done(const struct bp_trial *trial);

/* After done: the outcome and stage, and plans, cases, counters, timings, durations, sandbox and evidence put into
 * evaluation (which takes ownership of what they point at). */
void bp_trial_finish(struct bp_trial *trial, struct bp_outcome *outcome, enum bp_stage *stage,
                     struct bp_evaluation *evaluation);

/* After done: whether one of its children is not gone a second after SIGKILL. */
bool bp_trial_left_unreaped(const struct bp_trial *trial);

/* Safe at any time; kills what still runs. */
void bp_trial_free(struct bp_trial **trial);

#endif
