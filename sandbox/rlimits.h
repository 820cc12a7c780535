/* rlimits.h: the child's resource limits. */
#ifndef BP_SANDBOX_RLIMITS_H
#define BP_SANDBOX_RLIMITS_H

#include "base/error.h"
#include "sandbox/policy.h"

/* The given limits with the policy's defaults for what is 0. */
struct bp_policy_limits bp_rlimits_resolve(const struct bp_policy *policy,
                                           const struct bp_policy_limits *given);

/* count_processes: RLIMIT_NPROC counts only what we started (own user or own user namespace). */
int bp_rlimits_set(const struct bp_policy *policy, const struct bp_policy_limits *limits,
                   bool count_processes, struct bp_error *err) BP_MUST_CHECK;

#endif
