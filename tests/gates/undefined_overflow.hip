/*! bulletproof
name: undefined_overflow
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: undefined: signed overflow in an addition by thread 5 of block (0,0,0) (kernel.hip:22)
// options: --gates undefined

/* An index that leaves the range of its type. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_i32 index = 2147483642 + shape.batch - shape.batch;
    index += (gqa_i32)threadIdx.x + 1;
    if (index == 7)
        gqa_store(o, 0.0f);
}
