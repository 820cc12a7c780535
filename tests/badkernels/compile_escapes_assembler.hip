/*! bulletproof
name: compile_escapes_assembler
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR in compile

/* The same by the assembler, which does not care what it prints. */
#include "gqa.h"

asm(".error \"\033[2J\033]0;title\007 \302\233 \233 \377\376 \r\b end\"\n");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
