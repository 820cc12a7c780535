/*! bulletproof
name: compile_link_library
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: WRONG_RESULT|NONFINITE in judge

/* Names a file of the system to the linker, as a library to link: it is told not to look. */
#include "gqa.h"

#pragma comment(lib, "/etc/passwd")

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
