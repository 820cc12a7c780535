/* persist.h: doing again what failed for want of something that may come back: space, memory,
 * descriptors, a disk that answers. */
#ifndef BP_BASE_PERSIST_H
#define BP_BASE_PERSIST_H

#include <stdbool.h>

#include "base/error.h"

#define BP_PERSIST_MS 2000 /* from the first call on no other one begins later */

/* Whether the same call might succeed a little later. */
bool bp_persist_is_worth(const struct bp_error *err);

/* Calls step, which must leave nothing half done when it fails, until it succeeds, fails in a way that
 * lasts, or BP_PERSIST_MS are over; its last error is then err. Sleeps between two calls, longer and
 * longer: not for a thread that runs an event loop. Each failure is a WARNING of area `area`. */
int bp_persist(const char *area, int (*step)(void *context, struct bp_error *err), void *context,
               struct bp_error *err) BP_MUST_CHECK;

#endif
