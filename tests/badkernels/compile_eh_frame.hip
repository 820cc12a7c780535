/*! bulletproof
name: compile_eh_frame
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR in compile: .eh_frame

/* An unwind table that says it is longer than its section. */
#include "gqa.h"

asm(".section .eh_frame,\"a\",@progbits\n.long 0xfffffff0, 0\n.byte 1,0\n.text\n");

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
}
