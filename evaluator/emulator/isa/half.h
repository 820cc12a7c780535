/* half.h: 16-bit floats, 32 lanes at a time, and one. */
#ifndef EMU_HALF_H
#define EMU_HALF_H

#include "evaluator/emulator/isa/number.h"
#include <immintrin.h>

/* The lower halves of 32 registers as floats, exactly. */
static inline void emu_widen(const uint32_t *halves, float *floats)
{
    _Alignas(32) uint16_t packed[EMU_LANES];
    for (int lane = 0; lane < EMU_LANES; lane++)
        packed[lane] = (uint16_t)halves[lane];
    for (int lane = 0; lane < EMU_LANES; lane += 8)
        _mm256_storeu_ps(floats + lane,
                         _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(packed + lane))));
}

/* Rounds to nearest even; the upper halves become 0. */
static inline void emu_narrow(const float *floats, uint32_t *halves)
{
    _Alignas(32) uint16_t packed[EMU_LANES];
    for (int lane = 0; lane < EMU_LANES; lane += 8)
        _mm_store_si128((__m128i *)(packed + lane),
                        _mm256_cvtps_ph(_mm256_loadu_ps(floats + lane), _MM_FROUND_TO_NEAREST_INT));
    for (int lane = 0; lane < EMU_LANES; lane++)
        halves[lane] = packed[lane];
}

static inline float emu_half(uint32_t bits)
{
    return _cvtsh_ss((uint16_t)bits);
}

static inline uint32_t emu_half_bits(float value)
{
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
}

/* The half nearest to a double: through a float that keeps the lost bits in its last one (rounding to
 * odd), so that nothing is rounded twice. */
static inline uint32_t emu_half_bits_of_double(double value)
{
    const uint64_t lost = (UINT64_C(1) << 29) - 1;
    uint64_t bits = emu_double_bits(value);
    bits = (bits & ~lost) | (uint64_t)((bits & lost) != 0) << 29;
    return emu_half_bits((float)emu_double(bits));
}

/* a * b + c of halves, rounded once: the product is exact in a double. */
static inline uint32_t emu_half_fma(float a, float b, float c)
{
    return emu_half_bits_of_double(emu_odd_sum((double)a * (double)b, (double)c));
}

#endif
