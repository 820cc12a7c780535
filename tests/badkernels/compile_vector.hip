/*! bulletproof
name: compile_vector
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT|COMPILE_TIMEOUT|COMPILER_CRASH|COMPILE_ERROR in compile
// options: --compile-seconds 2

/* A vector of half a million elements in registers. */
#include "gqa.h"

typedef float wide __attribute__((vector_size(1 << 21)));

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    wide x = *(const wide *)q, y = *(const wide *)k;
    *(wide *)o = x * y + x / y;
}
