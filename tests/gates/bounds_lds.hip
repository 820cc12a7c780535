/*! bulletproof
name: bounds_lds
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: bounds: write of 4 bytes, 0 bytes past the end of dynamic LDS, by thread 63 of block (0,0,0) (kernel.hip:22)
// options: --gates all

/* One cell more than the plan asked for. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 63 * 4);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float *cells = (float *)gqa_lds;
    cells[threadIdx.x] = 0.0f;
}
