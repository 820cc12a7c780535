/*! bulletproof
name: barrier_deadlock
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RACE in gate: deadlock: in one wave of block (0,0,0) thread 1 waits at a wave operation and thread 0 at __syncthreads(): thread 1 (kernel.hip:23) and thread 0 (kernel.hip:25)
// options: --gates all

/* Half of a wave waits for the other half's values, which waits at the barrier. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float x = 0.0f;
    if (threadIdx.x % 2)
        x = __shfl_xor(1.0f, 1);
    else
        __syncthreads();
    gqa_store(o + threadIdx.x, x);
}
