/*! bulletproof
name: launch_bounds
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: hipErrorLaunchFailure (719)
// nvidia: LAUNCH_ERROR|RESOURCE_LIMIT in run

/* Launched with more threads than it says it can have. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 256, 0);
}

GQA_KERNEL void __launch_bounds__(64) gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    o[threadIdx.x] = q[0];
}
