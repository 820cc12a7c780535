/*! bulletproof
name: unknown_instruction
targets: [amd]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT|NONFINITE in judge
// emulated: UNSUPPORTED in run: v_sad_hi_u8

/* An instruction that AMD's devices have and the emulated one has not; then it writes nothing. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    asm volatile("v_sad_hi_u8 v1, v2, v3, v4" ::: "v1");
}
