/* gqa.h: what a candidate kernel includes (the only header it may name), ABI 1.
 *
 * Compiled by hipRTC (AMD), NVRTC (NVIDIA) and clang (CPU device). It owns the 16-bit storage
 * types because no two of those compilers agree on __bf16 and _Float16, and it includes no system
 * header because <stdint.h> breaks both run-time compilers. kernels/CONTRACT.md is the text to
 * read; the dtype is one of -DGQA_F16, -DGQA_BF16, -DGQA_F32; knobs arrive as further -D. */
#ifndef GQA_H
#define GQA_H

#include "gqa_abi.h"

#if defined(GQA_CPU)
#include "gqa_simt.h" /* the CPU device's SIMT layer: threadIdx, __syncthreads, __shfl_xor, ... */
#define GQA_WAVE_SIZE 32
#elif defined(__CUDACC_RTC__) || defined(__CUDACC__)
#define GQA_CUDA 1
#define GQA_WAVE_SIZE 32
/* The older names HIP still has; every lane of the wave takes part. */
template <class T> __device__ static inline T __shfl(T v, int lane, int width = 32)
{
    return __shfl_sync(0xffffffffu, v, lane, width);
}
template <class T> __device__ static inline T __shfl_xor(T v, int mask, int width = 32)
{
    return __shfl_xor_sync(0xffffffffu, v, mask, width);
}
template <class T> __device__ static inline T __shfl_down(T v, unsigned delta, int width = 32)
{
    return __shfl_down_sync(0xffffffffu, v, delta, width);
}
template <class T> __device__ static inline T __shfl_up(T v, unsigned delta, int width = 32)
{
    return __shfl_up_sync(0xffffffffu, v, delta, width);
}
#elif defined(__HIPCC_RTC__) || defined(__HIP__)
#define GQA_HIP 1
#if defined(__GFX9__)
#define GQA_WAVE_SIZE 64
#else
#define GQA_WAVE_SIZE 32
#endif
#else
#error "gqa.h: compile with hipRTC, NVRTC, or clang with -DGQA_CPU"
#endif

/* Dynamic shared memory has this one name and alignment; its size is the plan's dynamic_lds. */
#ifndef GQA_CPU
extern "C" __shared__ __attribute__((aligned(16))) unsigned char gqa_lds[];
#endif

#define GQA_KERNEL extern "C" __global__
/* Between GQA_KERNEL and void: no block of this kernel has more threads, so the compiler may give
 * each of them more registers. */
#if defined(GQA_CPU)
#define GQA_LAUNCH_BOUNDS(threads)
#else
#define GQA_LAUNCH_BOUNDS(threads) __launch_bounds__(threads)
#endif

/* ---- storage type of q, k, v and o: bits in memory, float in registers ---- */
#if defined(GQA_F16) + defined(GQA_BF16) + defined(GQA_F32) != 1
#error "gqa.h: define exactly one of GQA_F16, GQA_BF16, GQA_F32"
#endif

#if defined(GQA_F32)
struct gqa_t {
    float bits;
};
static_assert(sizeof(gqa_t) == 4, "gqa_t is 4 bytes");
#else
struct gqa_t {
    gqa_u16 bits;
};
static_assert(sizeof(gqa_t) == 2, "gqa_t is 2 bytes");
#endif

union gqa_float_bits {
    float f;
    gqa_u32 u;
};

/* bf16 is the upper half of a float; rounding to nearest even, NaN stays NaN. */
__device__ static inline float gqa_bf16_to_float(gqa_u16 bits)
{
    gqa_float_bits x;
    x.u = (gqa_u32)bits << 16;
    return x.f;
}
__device__ static inline gqa_u16 gqa_float_to_bf16(float value)
{
    gqa_float_bits x;
    x.f = value;
    if ((x.u & 0x7fffffffu) > 0x7f800000u)
        return (gqa_u16)((x.u >> 16) | 0x40u);
    return (gqa_u16)((x.u + 0x7fffu + ((x.u >> 16) & 1u)) >> 16);
}

__device__ static inline float gqa_f16_to_float(gqa_u16 bits)
{
#if defined(GQA_CUDA)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#elif defined(GQA_HIP)
    union {
        gqa_u16 u;
        _Float16 h;
    } x;
    x.u = bits;
    return (float)x.h;
#else
    union {
        gqa_u16 u;
        __fp16 h;
    } x;
    x.u = bits;
    return (float)x.h;
#endif
}
__device__ static inline gqa_u16 gqa_float_to_f16(float value)
{
#if defined(GQA_CUDA)
    gqa_u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#elif defined(GQA_HIP)
    union {
        gqa_u16 u;
        _Float16 h;
    } x;
    x.h = (_Float16)value;
    return x.u;
#else
    union {
        gqa_u16 u;
        __fp16 h;
    } x;
    x.h = (__fp16)value;
    return x.u;
#endif
}

__device__ static inline float gqa_to_float(gqa_t value)
{
#if defined(GQA_F32)
    return value.bits;
#elif defined(GQA_BF16)
    return gqa_bf16_to_float(value.bits);
#else
    return gqa_f16_to_float(value.bits);
#endif
}
__device__ static inline gqa_t gqa_from_float(float value)
{
    gqa_t result;
#if defined(GQA_F32)
    result.bits = value;
#elif defined(GQA_BF16)
    result.bits = gqa_float_to_bf16(value);
#else
    result.bits = gqa_float_to_f16(value);
#endif
    return result;
}
__device__ static inline float gqa_load(const gqa_t *p)
{
    return gqa_to_float(*p);
}
__device__ static inline void gqa_store(gqa_t *p, float value)
{
    *p = gqa_from_float(value);
}

/* x[n] = p[n] for n < N, whatever p's alignment. Unasked, clang converts one __fp16 at a time. */
template <int N> __device__ static inline void gqa_load_many(const gqa_t *p, float (&x)[N])
{
#if defined(GQA_CPU) && defined(GQA_F16)
    typedef __fp16 halves __attribute__((ext_vector_type(N)));
    typedef float floats __attribute__((ext_vector_type(N)));
    halves h;
    __builtin_memcpy(&h, p, N * sizeof(gqa_t));
    const floats f = __builtin_convertvector(h, floats);
    __builtin_memcpy(x, &f, sizeof(x));
#else
#pragma unroll
    for (int n = 0; n < N; n++)
        x[n] = gqa_load(p + n);
#endif
}

/* ---- helpers every kernel needs, so that the masks are written once ---- */
/* Keys of sequence b. */
__device__ static inline gqa_i32 gqa_kv_len(const gqa_shape &shape, gqa_i32 b)
{
    /* volatile and no ?:, because hipRTC otherwise makes one load from either address of the two: then
     * shape has an address, which keeps it in scratch or LDS. */
    if (shape.kv_lens)
        return *(const volatile gqa_i32 *)(shape.kv_lens + b);
    return shape.kv_len;
}
/* Keys visible to query token i of a sequence with kv_len keys: [begin, end), perhaps empty. */
__device__ static inline gqa_i32 gqa_key_end(const gqa_shape &shape, gqa_i32 kv_len, gqa_i32 i)
{
    gqa_i32 end = shape.causal ? i + (kv_len - shape.q_len) + 1 : kv_len;
    return end < 0 ? 0 : end < kv_len ? end : kv_len;
}
__device__ static inline gqa_i32 gqa_key_begin(const gqa_shape &shape, gqa_i32 kv_len, gqa_i32 i)
{
    gqa_i32 begin = shape.window ? i + (kv_len - shape.q_len) + 1 - shape.window : 0;
    return begin < 0 ? 0 : begin;
}
/* Fills launch n of a plan; launches must be filled in order from 0. */
__device__ static inline void gqa_plan_launch(gqa_launch_plan *plan, gqa_u32 n, gqa_u32 grid_x,
                                              gqa_u32 grid_y, gqa_u32 grid_z, gqa_u32 threads,
                                              gqa_u32 dynamic_lds)
{
    gqa_launch &launch = plan->launch[n];
    launch.grid[0] = grid_x;
    launch.grid[1] = grid_y;
    launch.grid[2] = grid_z;
    launch.block[0] = threads;
    launch.block[1] = 1;
    launch.block[2] = 1;
    launch.dynamic_lds = dynamic_lds;
    plan->launches = n + 1;
}

#endif
