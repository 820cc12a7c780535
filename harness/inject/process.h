/* process.h: the harness as a child process, so that its death is something to be seen: started,
 * watched, and looked over when it has ended. */
#ifndef BP_HARNESS_INJECT_PROCESS_H
#define BP_HARNESS_INJECT_PROCESS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/fault.h"
#include "evaluator/verdict.h"

#define BP_PROCESS_TEXT 240

/* What the child tells, in memory it shares with its parent. */
struct bp_process_report {
    struct bp_fault_census census;
    _Atomic uint64_t fired; /* told at once, all else at the end */
    uint32_t leaked_fds;
    char leaked[BP_PROCESS_TEXT];
    /* of two candidates evaluated in a session */
    enum bp_verdict verdict, next_verdict;
    uint32_t attempts;
    double verdict_ms;
    char message[BP_PROCESS_TEXT];
};

struct bp_process {
    const char *dir; /* made here: DIR/tmp (its TMPDIR), DIR/output.txt */
    double timeout_s;
    double
        patience_s; /* SIGTERM when it has said nothing for this long since a fault was met; 0: not
                          before the timeout */
    /* In the child; the result is its exit status. */
    int (*run)(void *context, const char *dir, struct bp_process_report *report);
    void *context;
};

struct bp_process_end {
    int wait_status;
    bool told; /* it got SIGTERM, and ended by itself then */
    bool killed;
    double ms;
    uint32_t survivors; /* processes it left, dead ones that nobody reaped included */
    uint32_t leaks;     /* descriptors, files, mounts, shared memory */
    char leaked[BP_PROCESS_TEXT];
    struct bp_process_report report;
    char output[65536]; /* the end of what it printed */
};

/* Once: orphans of the children become children of this process. */
int bp_process_prepare(struct bp_error *err) BP_MUST_CHECK;
/* BP_ERR_INTERRUPTED when SIGINT or SIGTERM came meanwhile. */
int bp_process_run(const struct bp_process *process, struct bp_process_end *end,
                   struct bp_error *err) BP_MUST_CHECK;

#endif
