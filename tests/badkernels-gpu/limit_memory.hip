/*! bulletproof
name: limit_memory
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: OOM_DEVICE in run: hipErrorOutOfMemory
// nvidia: OOM_DEVICE in run: CUDA_ERROR_OUT_OF_MEMORY
// options: --workspace-mb 1048576

/* More workspace than the device has memory. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
    plan->workspace_bytes = (gqa_u64)1 << 40;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    o[threadIdx.x] = q[0];
}
