/* run_state.h: where a run stands, as its record and its lock tell, also beside the process that is
 * running it. Changes nothing. */
#ifndef BP_HARNESS_STORE_RUN_STATE_H
#define BP_HARNESS_STORE_RUN_STATE_H

#include <sys/types.h>

#include "harness/store/evaluation.h"

#define BP_RUN_STATE_LAST 5

struct bp_run_last {
    uint32_t number;
    enum bp_verdict verdict;
    bool has_score, promoted, duplicate;
    double score;
    int64_t finished_wall_ms;
};

struct bp_run_state {
    /* "running" when a process holds the directory; else as the run's last start ended: "finished",
     * "interrupted", "failed", or "crashed" when it recorded no end. */
    char status[BP_TEXT_SHORT];
    pid_t pid; /* 0: nobody uses it */
    uint32_t starts;
    int64_t created_ms, changed_ms; /* wall clock */
    uint32_t evaluations, duplicates;
    uint32_t verdicts[BP_VERDICT_COUNT];
    uint32_t best_number; /* 0: none yet */
    double best_score;
    struct bp_safety safety;
    uint32_t last_count;
    struct bp_run_last last[BP_RUN_STATE_LAST];                          /* the newest first */
    uint64_t bytes, record_bytes, failures_bytes, log_bytes, free_bytes; /* of the disk */
};

/* BP_ERR_USAGE: no run there; BP_ERR_UNAVAILABLE: its record is damaged. */
int bp_run_state_read(const char *dir, struct bp_run_state *state, struct bp_error *err)
    BP_MUST_CHECK;

#endif
