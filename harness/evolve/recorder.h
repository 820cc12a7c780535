/* recorder.h: everything a run leaves on disk: run.db, the artifacts beside it, log.txt. Writing and
 * syncing happen on the store's thread; a failure there comes back from the next call here. */
#ifndef BP_HARNESS_EVOLVE_RECORDER_H
#define BP_HARNESS_EVOLVE_RECORDER_H

#include "harness/config/config.h"
#include "harness/report/artifacts.h"
#include "harness/report/bundle.h"
#include "harness/report/thinning.h"
#include "harness/store/store.h"

struct bp_recorder {
    struct bp_store *store;                       /* owned */
    _Atomic uint64_t summary_ns, summary_cost_ns; /* end of the last one, and what it took */
    struct bp_thinning thinning;                  /* the writer thread's while it runs */
    char dir[4096];
    /* Owned; set once the session is there (bp_setting_of), bundles are written from then on. Not to
     * change while anything is queued. */
    struct bp_replay_setting setting;
};

/* Creates run.db, log.txt and config.yaml in dir, which exists and is empty. */
int bp_recorder_create(struct bp_recorder *recorder, const char *dir,
                       const struct bp_config *config, struct bp_error *err) BP_MUST_CHECK;
/* Opens those of an earlier start of the run. */
int bp_recorder_open(struct bp_recorder *recorder, const char *dir, struct bp_error *err)
    BP_MUST_CHECK;
/* Writes what a killed process recorded in run.db and did not get into the other files: those of
 * evaluations up to number `last`, and best/, if there is a champion (best > 0). */
int bp_recorder_repair(struct bp_recorder *recorder, uint32_t last, uint32_t best,
                       struct bp_error *err) BP_MUST_CHECK;
/* Keeps log.txt and failures/ within the config's caps from now on. */
int bp_recorder_watch_size(struct bp_recorder *recorder, const struct bp_config *config,
                           struct bp_error *err) BP_MUST_CHECK;
/* Waits for everything queued. */
int bp_recorder_close(struct bp_recorder *recorder, struct bp_error *err) BP_MUST_CHECK;

/* The evaluation into run.db, then its artifacts and, of a failure, its bundle; best/ too when it is the
 * champion now. */
int bp_recorder_evaluation(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                           bool is_best, struct bp_error *err) BP_MUST_CHECK;

/* An evaluation that was recorded before has failed since then, as it says now: its bundle alone. */
int bp_recorder_failure(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                        struct bp_error *err) BP_MUST_CHECK;

/* An evaluation that was recorded before is the champion again: best/ anew. */
int bp_recorder_best(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                     struct bp_error *err) BP_MUST_CHECK;

/* Whether everything queued is on disk, or has failed. Never waits. */
bool bp_recorder_idle(const struct bp_recorder *recorder);
/* The failure, if writing has failed; once idle, without waiting. */
int bp_recorder_check(struct bp_recorder *recorder, struct bp_error *err) BP_MUST_CHECK;

/* tuning_summary.json as of now. Its history is read back from the record, all of it: nothing is done
 * unless a hundred times what that took the last time has passed since. */
int bp_recorder_summary(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err) BP_MUST_CHECK;

/* Waits for the queue, then writes the last tuning_summary.json and results.md. */
int bp_recorder_results(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err) BP_MUST_CHECK;

/* Prints what tuning_summary.json holds. */
int bp_recorder_print(struct bp_recorder *recorder, const struct bp_run_summary *summary, FILE *out,
                      struct bp_error *err) BP_MUST_CHECK;

#endif
