/* gpu_open.h: the driver's library of the one GPU that this process uses. */
#ifndef BP_EVALUATOR_GPU_OPEN_H
#define BP_EVALUATOR_GPU_OPEN_H

#include "evaluator/device_name.h"
#include "evaluator/gpu_api.h"
#include "sandbox/policy.h"

/* Before confinement: opens the library that stages under a policy use, the emulator before it where the
 * device is emulated, so that no file of theirs need be readable later. Does nothing for other
 * policies. sees_one: this process will see one device's node alone (sandbox/confine.h), so that it is
 * the library's first, whatever its number. BP_ERR_UNAVAILABLE. */
int bp_gpu_preload(enum bp_policy_id policy, bool sees_one, struct bp_error *err) BP_MUST_CHECK;

/* The device, alone, becomes device 0 of the library, which is started now. Null, with err, when it is
 * not to be had. */
const struct bp_gpu_api *bp_gpu_open(const struct bp_device_name *name, struct bp_error *err)
    BP_MUST_CHECK;

#endif
