/*! bulletproof
name: compile_nesting
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR|COMPILER_CRASH in compile

/* Brackets nested deeper than the compiler allows. */
#include "gqa.h"

#define N0(x) ((((x))))
#define N1(x) N0(N0(N0(N0(x))))
#define N2(x) N1(N1(N1(N1(x))))
#define N3(x) N2(N2(N2(N2(x))))
#define N4(x) N3(N3(N3(N3(x))))

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)(N4(1)));
}
