/* roots.h: roots that the supervisor puts together once a policy, for its children to enter. */
#ifndef BP_SANDBOX_ROOTS_H
#define BP_SANDBOX_ROOTS_H

#include "base/error.h"
#include "sandbox/policy.h"

/* A mount namespace in which there is the policy's root alone (bp_mounts_build), made at the first call. The
 * descriptor, for bp_mounts_make, is borrowed until bp_roots_close. -1: there is none, and a child makes its
 * root itself: of a policy with device nodes, which come and go, and where it cannot be had, which is
 * logged once. Needs the capabilities of the real root. */
int bp_roots_open(enum bp_policy_id id);

void bp_roots_close(void);

#endif
