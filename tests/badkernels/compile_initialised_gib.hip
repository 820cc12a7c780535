/*! bulletproof
name: compile_initialised_gib
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT|COMPILE_TIMEOUT in compile
// options: --compile-seconds 2

/* A gibibyte of initialised data. */
#include "gqa.h"

extern volatile char room[1ULL << 30];
volatile char room[1ULL << 30] = {1};

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, (float)room[(gqa_u64)shape.q_len << 20]);
}
