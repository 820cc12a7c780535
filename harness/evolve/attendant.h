/* attendant.h: what a run that is left alone owes to its surroundings: it answers signals that are no
 * stop, tells the service manager that its loop turns, and waits while the disk is nearly full. */
#ifndef BP_HARNESS_EVOLVE_ATTENDANT_H
#define BP_HARNESS_EVOLVE_ATTENDANT_H

#include "harness/report/progress.h"
#include "harness/supervise/loop.h"

struct bp_run;

struct bp_attendant {
    struct bp_run *run; /* borrowed; of which this is a part */
    struct bp_timer alive;
    uint64_t alive_period_ns; /* 0: nobody waits for a sign of life */
};

/* Once the session's loop is open: signals are answered and the watchdog is fed from now on. */
int bp_attendant_start(struct bp_attendant *attendant, struct bp_run *run, struct bp_error *err)
    BP_MUST_CHECK;
/* To be called while the loop is still open, or when it never was. */
void bp_attendant_stop(struct bp_attendant *attendant);

/* Where the run stands, for the service manager. */
void bp_attendant_tell(const struct bp_attendant *attendant, const struct bp_progress_state *state);

/* Returns at once when limits.disk_free_mb are free. Else says so, records the events `pause` and
 * `resume` around it, and serves events until they are. */
int bp_attendant_await_disk(struct bp_attendant *attendant, struct bp_error *err) BP_MUST_CHECK;

#endif
