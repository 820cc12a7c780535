/*! bulletproof
name: race_output
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: race: write of 2 bytes at o+0 by thread 0 of block (0,0,0) (kernel.hip:21) and write by thread 0 of block (1,0,0) (kernel.hip:21), blocks of one launch have no order
// options: --gates all

/* Two blocks write the same elements. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 2, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o + threadIdx.x, (float)blockIdx.x);
}
