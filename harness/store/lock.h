/* lock.h: the mark of the one process that uses a run directory. */
#ifndef BP_HARNESS_STORE_LOCK_H
#define BP_HARNESS_STORE_LOCK_H

#include "base/error.h"

/* Takes dir/run.lock and writes this process's pid into it. Returns a close-on-exec descriptor that
 * holds the lock until it is closed, also by death. BP_ERR_USAGE names the pid of another holder.
 */
int bp_lock_take(const char *dir, struct bp_error *err) BP_MUST_CHECK;

#endif
