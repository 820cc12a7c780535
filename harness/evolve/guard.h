/* guard.h: keeps candidates off a device that is not known to be well (supervise/health.h). Part of a
 * session. */
#ifndef BP_HARNESS_EVOLVE_GUARD_H
#define BP_HARNESS_EVOLVE_GUARD_H

#include "harness/supervise/health.h"
#include "harness/supervise/outcome.h"

struct bp_session;

struct bp_guard {
    struct bp_health health;
    char why[BP_TEXT_LINE]; /* it is not healthy */
    int object_fd; /* owned: the known-good kernel, compiled at the first need; -1 before */
    uint64_t object_bytes;
};

void bp_guard_open(struct bp_session *session);
void bp_guard_close(struct bp_session *session);

/* Something happened on the device: nothing may run on it before bp_guard_clear. */
void bp_guard_suspect(struct bp_session *session, enum bp_health_event event, const char *why);

/* Waits until the device is healthy: probes it, and as long as probes fail leaves it alone for longer
 * and longer, saying so. *first is the outcome of the first probe (PASS too when none was needed).
 * -1 only as in waiting.h. */
int bp_guard_clear(struct bp_session *session, struct bp_outcome *first, struct bp_error *err)
    BP_MUST_CHECK;

#endif
