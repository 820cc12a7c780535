/*! bulletproof
name: object_irelative
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: relocation of type 37

/* An indirect function with no name outside: all that is left of it is a relocation. */
#include "gqa.h"

asm(".text\n.type hidden_one,@gnu_indirect_function\nhidden_one: ud2\n.data\n.globl kept\nkept: .quad hidden_one\n");
extern "C" void *kept;

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    ((void (*)())kept)();
}
