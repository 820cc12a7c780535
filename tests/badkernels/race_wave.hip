/*! bulletproof
name: race_wave
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in run

/* Lanes of a wave meet at different shuffles. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float x;
    if (threadIdx.x % 2)
        x = __shfl_xor(1.0f, 1);
    else
        x = __shfl_xor(2.0f, 2);
    gqa_store(o, x);
}
