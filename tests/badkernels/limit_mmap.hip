/*! bulletproof
name: limit_mmap
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: CRASH in run: SIGSEGV
// sanitized: WRONG_RESULT|NONFINITE in judge

/* 8 GiB by mmap: refused, and the kernel does not look. */
#include "gqa.h"

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    register long r8 asm("r8") = -1;
    register long r9 asm("r9") = 0;
    register long r10 asm("r10") = 0x22; /* MAP_PRIVATE | MAP_ANONYMOUS */
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(9L /* mmap */), "D"(0L), "S"(8L << 30), "d"(3L), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    *(volatile char *)result = 1;
    gqa_store(o, 1.0f);
}
