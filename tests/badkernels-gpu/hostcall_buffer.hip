/*! bulletproof
name: hostcall_buffer
targets: [amd]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: LAUNCH_ERROR in run: calls of the host (hidden_hostcall_buffer)

/* Takes the buffer through which the host is asked for calls from the arguments behind its own. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    typedef const __attribute__((address_space(4))) unsigned long *arguments;
    arguments hidden = (arguments)__builtin_amdgcn_implicitarg_ptr();
    for (int i = 0; i < 32; i++)
        ((unsigned long *)hidden[i])[threadIdx.x] = 0x41414141;
}
