/* roots.h: roots that the supervisor puts together once a policy, for its children to enter. */
#ifndef BP_SANDBOX_ROOTS_H
#define BP_SANDBOX_ROOTS_H

#include "base/error.h"
#include "sandbox/policy.h"

/* Makes them: for each policy a mount namespace in which there is that policy's root alone
 * (bp_mounts_build). Not for policies with device nodes, which come and go; where one cannot be had is
 * logged. Needs the capabilities of the real root. May be repeated. */
void bp_roots_make(void);

/* The descriptor of one, for bp_mounts_make; borrowed until bp_roots_close. -1: there is none, and a child
 * makes its root itself. */
int bp_roots_get(enum bp_policy_id id);

void bp_roots_close(void);

#endif
