/* landlock.h: file, network and scope restrictions; wants Landlock ABI 1 and uses what is newer.
 * The rights are spelt out because Debian 12's kernel headers know ABI 2 only; numbers from
 * include/uapi/linux/landlock.h. */
#ifndef BP_SANDBOX_LANDLOCK_H
#define BP_SANDBOX_LANDLOCK_H

#include "base/error.h"
#include "sandbox/policy.h"

#define BP_LANDLOCK_EXECUTE (1ULL << 0)
#define BP_LANDLOCK_WRITE_FILE (1ULL << 1)
#define BP_LANDLOCK_READ_FILE (1ULL << 2)
#define BP_LANDLOCK_READ_DIR (1ULL << 3)
#define BP_LANDLOCK_REMOVE_DIR (1ULL << 4)
#define BP_LANDLOCK_REMOVE_FILE (1ULL << 5)
#define BP_LANDLOCK_MAKE_DIR (1ULL << 7)
#define BP_LANDLOCK_MAKE_REG (1ULL << 8)
#define BP_LANDLOCK_REFER (1ULL << 13)
#define BP_LANDLOCK_TRUNCATE (1ULL << 14)

/* The kernel's Landlock ABI, 0 when it has none. */
int bp_landlock_abi(void);

/* Restricts this process to the policy's files and, when it has private files, to everything below
 * directory. No new privileges must be set. BP_ERR_UNAVAILABLE without Landlock or when a required
 * path is missing. */
int bp_landlock_restrict(const struct bp_policy *policy, const char *directory,
                         struct bp_error *err) BP_MUST_CHECK;

#endif
