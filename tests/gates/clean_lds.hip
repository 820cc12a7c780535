/*! bulletproof
name: clean_lds
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT in judge
// gates: 5 shapes
// options: --gates all

/* Nothing to object to: LDS written, barrier, read, barrier, written again. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 2, 1, 1, 64, 256);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ float cells[64];
    float *more = (float *)gqa_lds;
    const gqa_u32 t = threadIdx.x;
    float sum = 0.0f;
    for (gqa_u32 round = 0; round < 3; round++) {
        cells[t] = (float)t;
        more[t] = cells[t];
        __syncthreads();
        sum += cells[63 - t] + more[(t + 1) % 64];
        __syncthreads();
    }
    gqa_store(o + blockIdx.x * 64 + t, sum);
}
