/*! bulletproof
name: compile_unary
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILER_CRASH|COMPILE_LIMIT|COMPILE_TIMEOUT|COMPILE_ERROR in compile
// options: --compile-seconds 2

/* A million operators in a row, each inside the last: the parser recurses. */
#include "gqa.h"

#define TEN(x) x x x x x x x x x x

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)(TEN(TEN(TEN(TEN(TEN(TEN(!)))))) shape.q_len));
}
