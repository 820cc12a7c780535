/*! bulletproof
name: limit_initialised
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_LIMIT|COMPILE_TIMEOUT|RESOURCE_LIMIT
// options: --compile-seconds 5

/* 512 MiB of initialised static memory. */
#include "gqa.h"

static volatile char room[512ULL << 20] = {1};

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    room[(gqa_u64)shape.q_len << 20] = 1;
    gqa_store(o, (float)room[5]);
}
