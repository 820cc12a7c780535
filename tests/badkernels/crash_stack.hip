/*! bulletproof
name: crash_stack
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in run: SIGSEGV

/* Recursion without end. */
#include "gqa.h"

__attribute__((noinline)) static int recurse(volatile int depth)
{
    volatile int room[64];
    room[depth & 63] = recurse(depth + 1);
    return room[0] + room[depth & 63];
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)recurse((int)shape.q_len));
}
