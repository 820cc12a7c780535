/*! bulletproof
name: crash_lds
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in run: SIGSEGV

/* Writes behind the end of the LDS. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 1024);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    float *memory = (float *)gqa_lds;
    for (gqa_i32 i = 0; i < 1 << 24; i++)
        memory[i] = 1.0f;
}
