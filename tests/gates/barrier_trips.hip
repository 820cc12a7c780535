/*! bulletproof
name: barrier_trips
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: barrier after exit: 63 of the 64 threads of block (0,0,0) wait at __syncthreads(), the others have returned: thread 1 (kernel.hip:22)
// options: --gates all

/* A barrier in a loop that some threads leave earlier. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    for (gqa_u32 i = 0; i <= threadIdx.x; i++)
        __syncthreads();
    gqa_store(o + threadIdx.x, 0.0f);
}
