/*! bulletproof
name: clean_wave
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: 5 shapes
// options: --gates all

/* Nothing to object to: shuffles, and LDS between lanes of a wave with a wave operation between. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ float cells[64];
    const gqa_u32 t = threadIdx.x;
    float sum = gqa_load(q + t);
    for (gqa_u32 mask = 16; mask > 0; mask /= 2)
        sum += __shfl_xor(sum, (int)mask);
    cells[t] = sum + __shfl(sum, 3) + __shfl_up(sum, 1) + __shfl_down(sum, 2);
    __syncwarp();
    gqa_store(o + t, cells[t ^ 1]);
}
