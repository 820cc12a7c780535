/* gqa_simt.h: the CPU device's SIMT layer: HIP's thread model as plain functions and thread-local
 * data. gqa.h includes it under GQA_CPU; the harness includes its first half as C.
 *
 * The runtime itself lives in the worker (evaluator/simt.c): an object imports the few bp_simt_*
 * names below and nothing else of it. No system header is included. Builtins of other devices
 * (__builtin_amdgcn_*, PTX assembly) are errors here: guard them with GQA_HIP and GQA_CUDA. */
#ifndef GQA_SIMT_H
#define GQA_SIMT_H

#include "gqa_abi.h"

#define BP_SIMT_WAVE 32 /* lanes of a wave */

struct bp_simt_dim {
    gqa_u32 x, y, z;
};

/* Who the running thread is; the runtime rewrites it before every switch. */
struct bp_simt_thread {
    struct bp_simt_dim thread, block, block_dim, grid_dim;
    gqa_u32 lane;
    unsigned char *dynamic_lds; /* of the running block, 64-byte aligned */
    unsigned char *static_lds;  /* the __shared__ variables of the running block */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Initial-exec: the object reads it relative to %fs, without a call. */
extern __thread struct bp_simt_thread bp_simt_self __attribute__((tls_model("initial-exec")));

/* Where waits are told apart by line, two of them must not become one call. */
#if defined(GQA_GATES)
#define BP_SIMT_WAIT __attribute__((nomerge))
#else
#define BP_SIMT_WAIT
#endif

/* Every thread of the block waits here; site tells one __syncthreads() of the source from another. */
void bp_simt_barrier(gqa_u32 site) BP_SIMT_WAIT;
/* Every live lane of the wave waits here. */
void bp_simt_wave(gqa_u32 site) BP_SIMT_WAIT;
/* The same, and returns the bits that lane source (0 to 31) brought, or one's own when that lane
 * took no part. */
gqa_u64 bp_simt_shuffle(gqa_u32 site, gqa_u64 bits, gqa_u32 source) BP_SIMT_WAIT;

#ifdef __cplusplus
} /* extern "C" */

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __constant__ static const
#define __shared__ static __thread
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (bp_simt_self.thread)
#define blockIdx (bp_simt_self.block)
#define blockDim (bp_simt_self.block_dim)
#define gridDim (bp_simt_self.grid_dim)
#define gqa_lds (bp_simt_self.dynamic_lds)
#define warpSize BP_SIMT_WAVE

#define __syncthreads() bp_simt_barrier(__COUNTER__)
#define __syncwarp(...) bp_simt_wave(__COUNTER__)
#define __shfl(...) bp_simt_shfl(__COUNTER__, __VA_ARGS__)
#define __shfl_xor(...) bp_simt_shfl_xor(__COUNTER__, __VA_ARGS__)
#define __shfl_up(...) bp_simt_shfl_up(__COUNTER__, __VA_ARGS__)
#define __shfl_down(...) bp_simt_shfl_down(__COUNTER__, __VA_ARGS__)

template <class T> static inline T bp_simt_exchange(gqa_u32 site, T value, gqa_u32 source)
{
    static_assert(sizeof(T) <= sizeof(gqa_u64), "a shuffle moves at most 8 bytes");
    gqa_u64 bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = bp_simt_shuffle(site, bits, source);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* Source lanes as HIP computes them: outside one's segment of width lanes, one's own value. */
template <class T> static inline T bp_simt_shfl(gqa_u32 site, T value, int lane, int width = 32)
{
    gqa_u32 self = bp_simt_self.lane, last = (gqa_u32)width - 1;
    return bp_simt_exchange(site, value, (self & ~last) + ((gqa_u32)lane & last));
}
template <class T> static inline T bp_simt_shfl_xor(gqa_u32 site, T value, int mask, int width = 32)
{
    gqa_u32 self = bp_simt_self.lane, last = (gqa_u32)width - 1;
    gqa_u32 source = self ^ (gqa_u32)mask;
    return bp_simt_exchange(site, value, source > (self | last) ? self : source);
}
template <class T>
static inline T bp_simt_shfl_up(gqa_u32 site, T value, unsigned delta, int width = 32)
{
    gqa_u32 self = bp_simt_self.lane, last = (gqa_u32)width - 1;
    return bp_simt_exchange(site, value, delta > (self & last) ? self : self - delta);
}
template <class T>
static inline T bp_simt_shfl_down(gqa_u32 site, T value, unsigned delta, int width = 32)
{
    gqa_u32 self = bp_simt_self.lane, last = (gqa_u32)width - 1;
    return bp_simt_exchange(site, value, delta > last - (self & last) ? self : self + delta);
}

/* ---- atomics: blocks run on several cores at once ---- */
/* clang-format off: a function a line */
#if defined(GQA_GATES) /* clang's instrumentation knows no atomic maximum, but this */
template <class T> static inline T bp_simt_swap_if(T *p, T v, bool (*wins)(T, T))
{
    T seen = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (wins(v, seen) &&
           !__atomic_compare_exchange_n(p, &seen, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return seen;
}
#define BP_SIMT_FETCH_MAX(T, p, v) bp_simt_swap_if<T>(p, v, [](T a, T b) { return a > b; })
#define BP_SIMT_FETCH_MIN(T, p, v) bp_simt_swap_if<T>(p, v, [](T a, T b) { return a < b; })
#else
#define BP_SIMT_FETCH_MAX(T, p, v) __atomic_fetch_max(p, v, __ATOMIC_RELAXED)
#define BP_SIMT_FETCH_MIN(T, p, v) __atomic_fetch_min(p, v, __ATOMIC_RELAXED)
#endif
#define BP_SIMT_ATOMICS(T)                                                                         \
    static inline T atomicAdd(T *p, T v)                                                           \
    {                                                                                              \
        return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);                                         \
    }                                                                                              \
    static inline T atomicMax(T *p, T v)                                                           \
    {                                                                                              \
        return BP_SIMT_FETCH_MAX(T, p, v);                                                         \
    }                                                                                              \
    static inline T atomicMin(T *p, T v)                                                           \
    {                                                                                              \
        return BP_SIMT_FETCH_MIN(T, p, v);                                                         \
    }                                                                                              \
    static inline T atomicExch(T *p, T v)                                                          \
    {                                                                                              \
        return __atomic_exchange_n(p, v, __ATOMIC_RELAXED);                                        \
    }                                                                                              \
    static inline T atomicCAS(T *p, T expected, T desired)                                         \
    {                                                                                              \
        __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_RELAXED,                \
                                    __ATOMIC_RELAXED);                                             \
        return expected;                                                                           \
    }
BP_SIMT_ATOMICS(int)
BP_SIMT_ATOMICS(unsigned)
BP_SIMT_ATOMICS(unsigned long long)
#undef BP_SIMT_ATOMICS
#undef BP_SIMT_FETCH_MAX
#undef BP_SIMT_FETCH_MIN
/* clang-format on */

static inline float atomicAdd(float *p, float v)
{
    float seen, sum;
    __atomic_load(p, &seen, __ATOMIC_RELAXED);
    do
        sum = seen + v;
    while (!__atomic_compare_exchange(p, &seen, &sum, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return seen;
}
static inline float atomicExch(float *p, float v)
{
    float seen;
    __atomic_exchange(p, &v, &seen, __ATOMIC_RELAXED);
    return seen;
}
static inline void __threadfence()
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static inline void __threadfence_block()
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- mathematics: evaluator/imports.c lists what may be imported ---- */
extern "C" {
float expf(float);
float exp2f(float);
float logf(float);
float log2f(float);
float log1pf(float);
float expm1f(float);
float powf(float, float);
float tanhf(float);
float sinf(float);
float cosf(float);
float sqrtf(float);
float fabsf(float);
float fmaxf(float, float);
float fminf(float, float);
float fmaf(float, float, float);
float floorf(float);
float ceilf(float);
float truncf(float);
float rintf(float);
float roundf(float);
float fmodf(float, float);
float ldexpf(float, int);
float copysignf(float, float);
double exp(double);
double exp2(double);
double log(double);
double sqrt(double);
double fabs(double);
double fma(double, double, double);
void *memcpy(void *, const void *, __SIZE_TYPE__);
void *memmove(void *, const void *, __SIZE_TYPE__);
void *memset(void *, int, __SIZE_TYPE__);
int memcmp(const void *, const void *, __SIZE_TYPE__);
}

/* clang-format off: a function a line */
static inline float __expf(float x)
{
    return expf(x);
}
static inline float __logf(float x)
{
    return logf(x);
}
static inline float __log2f(float x)
{
    return log2f(x);
}
static inline float rsqrtf(float x)
{
    return 1.0f / sqrtf(x);
}
static inline float __fdividef(float a, float b)
{
    return a / b;
}
static inline int min(int a, int b)
{
    return a < b ? a : b;
}
static inline int max(int a, int b)
{
    return a > b ? a : b;
}
static inline unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}
static inline unsigned max(unsigned a, unsigned b)
{
    return a > b ? a : b;
}
static inline float min(float a, float b)
{
    return fminf(a, b);
}
static inline float max(float a, float b)
{
    return fmaxf(a, b);
}
/* clang-format on */

#endif /* __cplusplus */
#endif
