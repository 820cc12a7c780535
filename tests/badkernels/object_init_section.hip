/*! bulletproof
name: object_init_section
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: constructors

/* Code in .init, the older kind of constructor, written in assembler. */
#include "gqa.h"

asm(".section .init,\"ax\",@progbits\n.globl _init\n_init: ud2\n.text\n");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
}
