/*! bulletproof
name: uninitialised_workspace
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: uninitialised: read of 4 bytes by thread 0 of block (0,0,0): workspace+0 was never written (kernel.hip:23)
// options: --gates all

/* A sum into workspace that the kernel did not clear. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
    plan->workspace_bytes = 256;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float *sums = (float *)workspace;
    sums[threadIdx.x] += 1.0f;
}
