/*! bulletproof
name: compile_long_errors
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT in compile: printed

/* Few errors, each of 64 KiB. */
#include "gqa.h"

#define X0 "0123456789012345678901234567890123456789012345678901234567890123"
#define X1 X0 X0 X0 X0
#define X2 X1 X1 X1 X1
#define X3 X2 X2 X2 X2
#define X4 X3 X3 X3 X3
#define X5 X4 X4 X4 X4
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);
static_assert(false, X5);

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
