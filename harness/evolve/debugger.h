/* debugger.h: gdb beside the loop, attached to a run child that is held before the candidate's first
 * instruction (stage_run.c). The child's confinement stays as it is. */
#ifndef BP_HARNESS_EVOLVE_DEBUGGER_H
#define BP_HARNESS_EVOLVE_DEBUGGER_H

#include <sys/types.h>

#include "harness/supervise/loop.h"

struct bp_debugger {
    struct bp_loop *loop;  /* borrowed */
    double grace_ms;       /* for a candidate that gdb let go */
    int object_fd;         /* borrowed: the code object */
    char program[4096];    /* gdb's path */
    char object_path[64];  /* a copy for gdb; empty: none */
    pid_t pid;             /* of gdb; 0: not running */
    struct bp_watch watch; /* of its pidfd */
    struct bp_timer timer;
};

/* Looks for gdb in PATH; BP_ERR_USAGE when there is none. *debugger is zeroed first. */
int bp_debugger_find(struct bp_debugger *debugger, struct bp_error *err) BP_MUST_CHECK;

/* Says how to attach to pid and starts gdb on this terminal. When gdb is gone and the evaluation is
 * not over after grace_ms, the loop is stopped as by SIGINT. */
int bp_debugger_attach(struct bp_debugger *debugger, pid_t pid, struct bp_error *err) BP_MUST_CHECK;

/* Ends gdb if it still runs, and removes the copy. Safe on a zeroed struct. */
void bp_debugger_close(struct bp_debugger *debugger);

#endif
