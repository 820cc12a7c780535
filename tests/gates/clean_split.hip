/*! bulletproof
name: clean_split
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: 5 shapes
// options: --gates all

/* Nothing to object to: parts in workspace, joined by a second launch. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 4, 1, 1, 64, 0);
    gqa_plan_launch(plan, 1, 1, 1, 1, 64, 0);
    plan->workspace_bytes = 1024;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float *parts = (float *)workspace;
    parts[blockIdx.x * 64 + threadIdx.x] = gqa_load(k + threadIdx.x);
}

GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const float *parts = (const float *)workspace;
    float sum = 0.0f;
    for (gqa_u32 b = 0; b < 4; b++)
        sum += parts[b * 64 + threadIdx.x];
    gqa_store(o + threadIdx.x, sum);
}
