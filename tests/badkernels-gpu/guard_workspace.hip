/*! bulletproof
name: guard_workspace
targets: [amd, nvidia]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: TAMPER in run: behind the workspace

/* Writes a word behind its workspace. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
    plan->workspace_bytes = 256;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    ((gqa_u32 *)workspace)[64 + threadIdx.x] = 1;
    o[threadIdx.x] = q[0];
}
