/*! bulletproof
name: mixture
targets: [cpu]
dtypes: [f16]
supports: head_dim == 128
knobs: {MODE: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}
default: {MODE: 0}
*/

/* Every way to fail in one space; what each MODE must come to is in mixture.py. */
#include "gqa.h"

static constexpr gqa_i32 HEAD_DIM = 128;

#define SLOW_AND_RIGHT 0
#define RIGHT 1
#define RIGHT_TOO 2 /* the same object as RIGHT */
#define ZEROS 3
#define NOT_FINITE 4
#define OVERWRITES_INPUT 5
#define CRASHES 6
#define HANGS 7
#define FORBIDDEN_CALL 8
#define EXITS 9
#define GARBAGE_ON_PIPE 10
#define NO_CPLUSPLUS 11
#define FORBIDDEN_IMPORT 12
#define HUGE_WORKSPACE 13
#define REFUSES 14
#define DIVERGENT_BARRIER 15
#define CRASHES_WHEN_TIMED 16

#if MODE == NO_CPLUSPLUS
#error "this one does not compile"
#endif

#if MODE == FORBIDDEN_IMPORT
extern "C" int system(const char *);
#endif

#if MODE == CRASHES_WHEN_TIMED
static unsigned calls;
#endif

#if MODE == FORBIDDEN_CALL || MODE == EXITS || MODE == GARBAGE_ON_PIPE
static void system_call(long number, long a, long b, long c)
{
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c)
                 : "rcx", "r11", "memory");
}
#endif

GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)
{
    const gqa_u32 threads = MODE == DIVERGENT_BARRIER ? 64 : 1;
    gqa_plan_launch(plan, 0, (gqa_u32)shape.q_len, (gqa_u32)shape.q_heads, (gqa_u32)shape.batch,
                    threads, 0);
#if MODE == HUGE_WORKSPACE
    plan->workspace_bytes = 1ULL << 40;
#elif MODE == REFUSES
    plan->unsupported = GQA_UNSUPPORTED_OTHER;
#endif
}

/* What is to happen before anything is computed. */
static inline void misbehave(const gqa_t *q)
{
    (void)q;
#if MODE == CRASHES
    *(volatile int *)nullptr = 1;
#elif MODE == HANGS
    for (;;)
        asm volatile("");
#elif MODE == FORBIDDEN_CALL
    system_call(41 /* socket */, 2, 1, 0);
#elif MODE == EXITS
    system_call(231 /* exit_group */, 0, 0, 0);
#elif MODE == GARBAGE_ON_PIPE
    static const unsigned char garbage[4] = {0xff, 0xff, 0xff, 0xff};
    system_call(1 /* write */, 4, (long)garbage, sizeof garbage);
#elif MODE == FORBIDDEN_IMPORT
    system("true");
#elif MODE == OVERWRITES_INPUT
    const_cast<gqa_t *>(q)[0] = gqa_from_float(3.0f);
#elif MODE == DIVERGENT_BARRIER
    if (threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads();
#elif MODE == CRASHES_WHEN_TIMED
    const bool leader = blockIdx.x + blockIdx.y + blockIdx.z == 0;
    if (leader && __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) > 8)
        __builtin_trap();
#endif
}

static inline float result_of(float sum, float total)
{
#if MODE == ZEROS
    return 0.0f * sum;
#elif MODE == NOT_FINITE
    return __builtin_nanf("") * sum;
#else
    return total > 0.0f ? sum / total : 0.0f;
#endif
}

/* One thread a query row, one key after the other. */
GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v,
                            gqa_t *o, void *workspace)
{
    const gqa_i32 token = (gqa_i32)blockIdx.x, head = (gqa_i32)blockIdx.y;
    const gqa_i32 batch = (gqa_i32)blockIdx.z;
    const gqa_i32 group = head / (shape.q_heads / shape.kv_heads);
    const gqa_i32 kv_len = gqa_kv_len(shape, batch);
    const gqa_i32 end = gqa_key_end(shape, kv_len, token);
    (void)workspace;
    misbehave(q);
    q += batch * shape.q_stride[0] + head * shape.q_stride[1] + token * shape.q_stride[2];
    k += batch * shape.k_stride[0] + group * shape.k_stride[1];
    v += batch * shape.v_stride[0] + group * shape.v_stride[1];
    o += batch * shape.o_stride[0] + head * shape.o_stride[1] + token * shape.o_stride[2];
    float sum[HEAD_DIM] = {}, max = -3.0e38f, total = 0.0f;
    for (gqa_i32 key = gqa_key_begin(shape, kv_len, token); key < end; key++) {
        float score = 0.0f;
        for (gqa_i32 d = 0; d < HEAD_DIM; d++) {
            score += gqa_load(q + d) * gqa_load(k + key * shape.k_stride[2] + d);
#if MODE == SLOW_AND_RIGHT
            for (volatile int i = 0; i < 64; i++)
                asm volatile("" : "+x"(score));
#endif
        }
        score *= shape.scale;
        const float new_max = fmaxf(max, score);
        const float kept = expf(max - new_max), p = expf(score - new_max);
        for (gqa_i32 d = 0; d < HEAD_DIM; d++)
            sum[d] = sum[d] * kept + p * gqa_load(v + key * shape.v_stride[2] + d);
        total = total * kept + p;
        max = new_max;
    }
    for (gqa_i32 d = 0; d < HEAD_DIM; d++)
        gqa_store(o + d, result_of(sum[d], total));
}
