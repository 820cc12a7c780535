/*! bulletproof
name: fault_jump
targets: [amd]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: GPU_FAULT|GPU_HANG in run
// emulated: GPU_FAULT in run: no code can be read at 0x1000

/* Goes on where no memory is, as a call through a pointer that was never set does. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    asm volatile("s_mov_b64 s[40:41], 0x1000\n"
                 "s_setpc_b64 s[40:41]" ::
                     : "s40", "s41");
}
