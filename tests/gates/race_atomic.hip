/*! bulletproof
name: race_atomic
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: race: atomic write of 4 bytes at workspace+0 by thread 62 (kernel.hip:29) and read by thread 63 of block (0,0,0) (kernel.hip:27), with no barrier between
// options: --gates all

/* A counter that some threads raise atomically and one plainly. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
    plan->workspace_bytes = 4;
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_i32 *counter = (gqa_i32 *)workspace;
    if (threadIdx.x == 0)
        *counter = 0;
    __syncthreads();
    if (threadIdx.x == 63)
        *counter += 1;
    else
        atomicAdd(counter, 1);
}
