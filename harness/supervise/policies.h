/* policies.h: what each device's children are confined by. */
#ifndef BP_HARNESS_SUPERVISE_POLICIES_H
#define BP_HARNESS_SUPERVISE_POLICIES_H

#include "evaluator/device_name.h"
#include "sandbox/policy.h"

struct bp_policies {
    enum bp_policy_id compile, run, probe;
};

const struct bp_policies *bp_policies_of(enum bp_device_kind kind);

/* All that children of a session with such a device, and the gates, may be confined by: a set of
 * 1 << enum bp_policy_id. */
uint32_t bp_policies_used(enum bp_device_kind kind);

#endif
