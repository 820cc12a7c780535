/*! bulletproof
name: compile_align
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* A byte, and the next at a multiple of a gibibyte. */
#include "gqa.h"

asm(".data\n"
    ".byte 1\n"
    ".p2align 30, 0x41\n"
    ".byte 1\n"
    ".text\n");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
