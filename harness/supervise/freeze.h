/* freeze.h: a process stands still, for certain.
 *
 * SIGSTOP is only sent: threads run on until the one that the kernel told has left what it is doing in
 * the kernel, which can be a call of many milliseconds, and has stopped the others. */
#ifndef BP_HARNESS_SUPERVISE_FREEZE_H
#define BP_HARNESS_SUPERVISE_FREEZE_H

#include <sys/types.h>

#include "base/error.h"

enum bp_freeze {
    BP_FREEZE_STANDS,   /* every thread has stopped, or is no more */
    BP_FREEZE_RUNS_ON,  /* for longer than any scheduler lets a thread wait: of its own will */
    BP_FREEZE_IS_STUCK, /* as long, but waiting for a disk or a driver */
};

/* Sends SIGSTOP to the process of pidfd, whose number here is pid, and waits until every thread has
 * stopped, about a second at most. Where /proc hides the process from us, it only sends. */
int bp_freeze(int pidfd, pid_t pid, enum bp_freeze *state, struct bp_error *err) BP_MUST_CHECK;

/* Lets it go on; no error where it is no more. */
int bp_thaw(int pidfd, struct bp_error *err) BP_MUST_CHECK;

#endif
