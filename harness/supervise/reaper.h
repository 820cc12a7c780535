/* reaper.h: the process tree of one worker: watched, killed, waited for, buried.
 *
 * What cannot be waited for yet (another process traces it) or does not go (state D) is asked for again
 * and again; `overdue` is said once, a second after the SIGKILL. */
#ifndef BP_HARNESS_SUPERVISE_REAPER_H
#define BP_HARNESS_SUPERVISE_REAPER_H

#include <sys/resource.h>

#include "harness/supervise/loop.h"
#include "sandbox/launch.h"

struct bp_reaper {
    struct bp_loop *loop;
    const char *stage; /* for the log */
    struct bp_launched launched;
    int status_fd; /* owned; there the init of a PID namespace reports how the stage ended */
    void (*gone)(void *context);    /* all of it is reaped; the last call, may free the reaper */
    void (*overdue)(void *context); /* not reaped in time; gone follows some day */
    void *context;

    struct bp_watch pid_watch;
    struct bp_timer deadline, retry;
    uint64_t killed_ns;  /* 0: not killed */
    bool waited;         /* its status was taken: it must not be signalled any more */
    int status;          /* then, of the process that was launched */
    struct rusage usage; /* likewise */
};

/* Of a reaper whose members down to context are set. Also when it fails, all that was launched will be
 * gone, once it is killed or ends. */
int bp_reaper_watch(struct bp_reaper *reaper, struct bp_error *err) BP_MUST_CHECK;

/* Kills the whole tree, unless it was dead already. */
void bp_reaper_kill(struct bp_reaper *reaper);

/* Of one that is gone: how the stage process itself ended, with *usage; -1 when nobody could tell. */
int bp_reaper_report(const struct bp_reaper *reaper, struct rusage *usage);

/* For one that is gone, or was never launched. */
void bp_reaper_free(struct bp_reaper *reaper);

#endif
