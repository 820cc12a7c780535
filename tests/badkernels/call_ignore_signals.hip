/*! bulletproof
name: call_ignore_signals
targets: [cpu]
dtypes: [f16, bf16, f32]
supports: head_dim == 128
*/
// expected: POLICY|RUN_TIMEOUT in run
// options: --run-seconds 1

/* Ignores every signal it may, then never ends. */
#include "gqa.h"

static long system_call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 asm("r10") = d;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                 : "rcx", "r11", "memory");
    return result;
}

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0);
}

GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    static const long action[4] = {1 /* SIG_IGN */, 0, 0, 0};
    for (long number = 1; number < 32; number++)
        system_call(13 /* rt_sigaction */, number, (long)action, 0, 8);
    for (;;)
        asm volatile("pause");
}
