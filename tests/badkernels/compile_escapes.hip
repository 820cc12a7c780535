/*! bulletproof
name: compile_escapes
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: COMPILE_ERROR in compile

/* Terminal escapes, control characters as one and as two bytes, invalid UTF-8 and text that reads backwards,
 * all in a diagnostic. */
#include "gqa.h"

#error [2J]0;title  õ31m ¬õ31m ¿Ä ˇ˛ Ì†Ä ‚ÄÆgnirts ‚Å¶  end

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_store(o, 1.0f);
}
