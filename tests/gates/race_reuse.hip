/*! bulletproof
name: race_reuse
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: race: write of 4 bytes at static LDS+124 by thread 31 (kernel.hip:25) and read by thread 32 of block (0,0,0) (kernel.hip:27), with no barrier between
// options: --gates all

/* A tile is overwritten while others may still read it: the barrier at the end of the loop is missing. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ float tile[64];
    const gqa_u32 t = threadIdx.x;
    float sum = 0.0f;
    for (gqa_u32 round = 0; round < 4; round++) {
        tile[t] = (float)(t + round);
        __syncthreads();
        sum += tile[63 - t];
    }
    gqa_store(o + t, sum);
}
