/* gpu_open.h: the driver's library of the one GPU that this process uses. */
#ifndef BP_EVALUATOR_GPU_OPEN_H
#define BP_EVALUATOR_GPU_OPEN_H

#include "evaluator/device_name.h"
#include "evaluator/gpu_api.h"
#include "sandbox/policy.h"

/* Before confinement: opens the library that stages under a policy use, the emulator before it where the
 * device is emulated, so that no file of theirs need be readable later. Does nothing for other
 * policies. BP_ERR_UNAVAILABLE. */
int bp_gpu_preload(enum bp_policy_id policy, struct bp_error *err) BP_MUST_CHECK;

/* The device, alone, becomes device 0 of the library, which is started now. Null, with err, when it is
 * not to be had. */
const struct bp_gpu_api *bp_gpu_open(const struct bp_device_name *name, struct bp_error *err)
    BP_MUST_CHECK;

#endif
