/*! bulletproof
name: undefined_shift
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: undefined: shift by a count out of range or of a value that overflows by thread 32 of block (0,0,0) (kernel.hip:21)
// options: --gates undefined

/* A lane mask of thread 32, by a shift of 32 bits. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_u32 mask = 1u << threadIdx.x;
    if (mask == 7)
        gqa_store(o, 0.0f);
}
