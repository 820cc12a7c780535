/*! bulletproof
name: bounds_input
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: bounds: write of 2 bytes at v+126, which is an input, by thread 63 of block (0,0,0) (kernel.hip:22)
// options: --gates all

/* Scratch results go where an input is. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    if (threadIdx.x == 63)
        gqa_store((gqa_t *)v + threadIdx.x, 0.0f);
}
