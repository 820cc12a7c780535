/*! bulletproof
name: compile_long_line
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT in compile: printed

/* One diagnostic of ten megabytes. */
#include "gqa.h"

#define TEN(x) x x x x x x x x x x
#define TEXT "0123456789"

static_assert(false, TEN(TEN(TEN(TEN(TEN(TEN(TEXT)))))));

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
