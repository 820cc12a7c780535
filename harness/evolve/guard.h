/* guard.h: keeps candidates off devices that are not known to be well (supervise/health.h). Part of a
 * session. With several devices one that fails its probe is left alone, and probed again between
 * candidates when its pause is over; only when none is well the session waits. */
#ifndef BP_HARNESS_EVOLVE_GUARD_H
#define BP_HARNESS_EVOLVE_GUARD_H

#include "harness/evolve/slots.h"
#include "harness/supervise/outcome.h"

struct bp_session;

struct bp_guard {
    int object_fd; /* owned: the known-good kernel, compiled at the first need; -1 before */
    uint64_t object_bytes;
};

void bp_guard_open(struct bp_session *session);
void bp_guard_close(struct bp_session *session);

/* Something happened on the current device: nothing may run on it before a probe has passed. */
void bp_guard_suspect(struct bp_session *session, enum bp_health_event event, const char *why);

/* A device of several did not answer when it was asked what it is: as if a probe had failed. */
void bp_guard_absent(struct bp_session *session, struct bp_slot *slot, const char *why);

/* Probes the current device if it is suspect; *first is the outcome (PASS when none was needed). Then,
 * where no device is healthy, leaves them alone for longer and longer, saying so, and probes again until
 * one is. -1 only as in waiting.h. */
int bp_guard_clear(struct bp_session *session, struct bp_outcome *first, struct bp_error *err)
    BP_MUST_CHECK;

/* Before something runs on a device: the next healthy one in turn becomes the current one, and the
 * bench's, after those whose pause is over were probed. Waits as bp_guard_clear. -1 only as in
 * waiting.h. */
int bp_guard_take(struct bp_session *session, enum bp_turn turn, struct bp_error *err)
    BP_MUST_CHECK;

#endif
