/*! bulletproof
name: limit_static
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: RESOURCE_LIMIT|COMPILE_ERROR|COMPILE_LIMIT

/* 8 GiB of static memory. */
#include "gqa.h"

static volatile char room[8ULL << 30];

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    room[(gqa_u64)shape.q_len << 28] = 1;
    gqa_store(o, (float)room[5]);
}
