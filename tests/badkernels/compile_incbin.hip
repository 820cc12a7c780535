/*! bulletproof
name: compile_incbin
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR in compile

/* Embeds a file of the system in the object. */
#include "gqa.h"

asm(".section .rodata\n"
    "stolen: .incbin \"/etc/passwd\"\n"
    ".text\n");
extern "C" const char stolen[];

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)stolen[0]);
}
