/*! bulletproof
name: uninitialised_lds
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in gate: uninitialised: read of 4 bytes by thread 0 of block (0,0,0): static LDS+0 was never written (kernel.hip:24)
// options: --gates uninitialised

/* A sum over LDS cells of which nobody wrote the first. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ float cells[65];
    cells[threadIdx.x + 1] = 1.0f;
    __syncthreads();
    gqa_store(o + threadIdx.x, cells[threadIdx.x]);
}
