/*! bulletproof
name: race_lds
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: race: read of 4 bytes at static LDS+4 by thread 0 (kernel.hip:24) and write by thread 1 of block (0,0,0) (kernel.hip:23), with no barrier between
// options: --gates race

/* A thread reads its neighbour's cell without a barrier between. */
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
    cells[t] = (float)t;
    gqa_store(o + t, cells[(t + 1) % 64]);
}
