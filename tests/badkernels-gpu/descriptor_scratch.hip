/*! bulletproof
name: descriptor_scratch
targets: [amd]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: OOM_DEVICE|GPU_FAULT|WRONG_RESULT|NONFINITE
// emulated: OOM_DEVICE|GPU_FAULT in run

/* The first kernel gives the second, in its descriptor, all scratch there could be; the second would reach
 * what lies behind it. ROCm 5 names what is exhausted (OUT_OF_RESOURCES), ROCm 7 calls it unknown. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 64, 0);
    gqa_plan_launch(plan, 1, 1, 1, 1, 64, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    gqa_u32 low, high;
    asm volatile("s_getpc_b64 s[40:41]\n"
                 "s_add_u32 s40, s40, gqa_kernel1.kd@rel32@lo+4\n"
                 "s_addc_u32 s41, s41, gqa_kernel1.kd@rel32@hi+12\n"
                 "s_mov_b32 %0, s40\n"
                 "s_mov_b32 %1, s41\n"
                 : "=s"(low), "=s"(high)
                 :
                 : "s40", "s41");
    gqa_u32 *descriptor = (gqa_u32 *)((unsigned long)high << 32 | low);
    if (threadIdx.x == 0)
        descriptor[1] = 0xffffffff;
}

GQA_KERNEL void gqa_kernel1(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    volatile gqa_u32 own[64];
    own[threadIdx.x] = 0;
    volatile gqa_u32 *far = own + (1u << 26);
    for (int i = 0; i < 64 && threadIdx.x == 0; i++)
        far[i << 22] = 0x41414141;
    o[threadIdx.x] = q[own[63 - threadIdx.x]];
}
