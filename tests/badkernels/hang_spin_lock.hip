/*! bulletproof
name: hang_spin_lock
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RUN_TIMEOUT in run
// options: --run-seconds 1

/* Thread 0 spins on what thread 1 would write. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    __shared__ volatile int flag;
    __syncthreads();
    if (threadIdx.x == 1)
        flag = 1;
    while (threadIdx.x == 0 && flag != 1)
        asm volatile("");
}
