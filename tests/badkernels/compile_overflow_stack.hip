/*! bulletproof
name: compile_overflow_stack
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILER_CRASH|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* Asks the compiler to overflow its stack, which one that turns tail calls into loops never does. */
#include "gqa.h"

#pragma clang __debug overflow_stack

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
