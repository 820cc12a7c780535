/*! bulletproof
name: object_writable_code
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: writable and executable

/* A section that is code and data at once. */
#include "gqa.h"

asm(".section .evil,\"awxR\",@progbits\n.globl evil\nevil: .quad 0\n.text\n");
extern "C" char evil[];

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    evil[0]=(char)0xc3; ((void(*)())evil)();
}
