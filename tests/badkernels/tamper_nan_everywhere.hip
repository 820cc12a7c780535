/*! bulletproof
name: tamper_nan_everywhere
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: TAMPER in judge

/* Writes NaN over whatever it can reach, in case something of it is compared with NaN. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i64 elements = shape.batch * shape.o_stride[0];
    for (gqa_i64 i = -16; i < elements + 16; i++) {
        gqa_store(o + i, __builtin_nanf(""));
        gqa_store(const_cast<gqa_t *>(q) + i, __builtin_nanf(""));
    }
}
