/* run.h: a run under way: the state that the parts of the engine share, its candidates, and how what
 * happened gets into the record and before the user. */
#ifndef BP_HARNESS_EVOLVE_RUN_H
#define BP_HARNESS_EVOLVE_RUN_H

#include <jansson.h>

#include "harness/evolve/attendant.h"
#include "harness/evolve/decisions.h"
#include "harness/evolve/ledger.h"
#include "harness/evolve/recorder.h"
#include "harness/evolve/replayed.h"
#include "harness/evolve/session.h"
#include "harness/report/progress.h"

struct bp_run {
    const struct bp_config *config; /* borrowed */
    const struct bp_strategy *strategy;
    struct bp_key search_key; /* of the seed: search decisions only */
    struct bp_session session;
    struct bp_recorder recorder;
    struct bp_attendant attendant;
    struct bp_replayed *replayed; /* owned; null: results come from children */
    char dir[4096];
    char driver[BP_TEXT_LINE], mask[BP_TEXT_SHORT]; /* for the summary */
    struct bp_progress progress;
    uint64_t summary_ns; /* when the summary was last written */
    const char *status;

    struct bp_ledger ledger; /* its count is the number of the last evaluation */
    struct bp_ladder ladder;
    uint64_t decision;                             /* number of the next proposal */
    const struct bp_batch *batch;                  /* under way; null outside the search */
    struct bp_candidate eager, baseline, champion; /* evaluation null when there is none */
    struct bp_match_result final;
    bool compared;  /* final holds a result, of this champion */
    bool exhausted; /* the strategy has nothing left to propose */
    bool hopeless;  /* the run failed by its baseline, not by us */
};

/* ---- candidates ---- */

/* A new candidate: its identity and what the session knows of it. On failure nothing is owned. */
struct bp_blueprint {
    uint32_t number;
    enum bp_origin origin;
    const char *kernel, *source; /* borrowed for the call */
    size_t source_bytes;
    const struct bp_space *space;
    const struct bp_point *point;
};
int bp_run_make(const struct bp_run *run, const struct bp_blueprint *blueprint,
                struct bp_candidate *candidate, struct bp_error *err) BP_MUST_CHECK;
void bp_run_drop(struct bp_candidate *candidate);

/* The candidate's evaluation and object become the champion's. */
void bp_run_crown(struct bp_run *run, struct bp_candidate *candidate);
/* A copy of the baseline, which passed, is the first champion, and the foot of the ladder. */
int bp_run_crown_baseline(struct bp_run *run, struct bp_error *err) BP_MUST_CHECK;
/* The champion failed in `stage`, with that outcome: the one promoted before it takes its place, with
 * the ladder's level of then. Queues a bundle of the fallen one, where it has evidence; `put`, one of
 * the two below, queues the event. */
int bp_run_demote(struct bp_run *run, const struct bp_outcome *outcome, enum bp_stage stage,
                  int (*put)(struct bp_run *run, const char *kind, json_t *json,
                             struct bp_error *err),
                  struct bp_error *err) BP_MUST_CHECK;

/* ---- the record ---- */

/* Queues an event: `json` (taken; null: no memory) with the seconds the run has taken so far. */
int bp_run_event(struct bp_run *run, const char *kind, json_t *json, struct bp_error *err)
    BP_MUST_CHECK;
/* The same, in the transaction of the next evaluation. */
int bp_run_attach(struct bp_run *run, const char *kind, json_t *json, struct bp_error *err)
    BP_MUST_CHECK;
/* Returns when all that was queued is on disk; serves other events meanwhile. */
int bp_run_flush(struct bp_run *run, struct bp_error *err) BP_MUST_CHECK;

/* Books and records a finished evaluation, and shows it once it is on disk. point may be null
 * (eager). */
int bp_run_record(struct bp_run *run, const struct bp_evaluation *evaluation,
                  const struct bp_point *point, struct bp_error *err) BP_MUST_CHECK;

/* The state in a few figures; borrows from run. */
void bp_run_summary(const struct bp_run *run, struct bp_run_summary *summary);

/* For the progress line; borrows from run. */
void bp_run_progress(const struct bp_run *run, struct bp_progress_state *state);

bool bp_run_budget_left(const struct bp_run *run, uint32_t proposed);

#endif
