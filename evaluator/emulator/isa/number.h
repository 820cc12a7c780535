/* number.h: arithmetic as the hardware rounds, saturates and orders it, one value at a time. */
#ifndef EMU_NUMBER_H
#define EMU_NUMBER_H

#include "evaluator/emulator/isa/lanes.h"
#include <float.h>
#include <math.h>

/* IEEE 754-2008 maxNum and minNum; of two zeros, +0 is the larger. */
static inline float emu_max(float a, float b)
{
    const bool first = a > b || (a == b && !(emu_bits(a) >> 31));
    return a != a ? b : b != b ? a : first ? a : b;
}
static inline float emu_min(float a, float b)
{
    const bool first = a < b || (a == b && emu_bits(a) >> 31);
    return a != a ? b : b != b ? a : first ? a : b;
}
static inline double emu_max_double(double a, double b)
{
    const bool first = a > b || (a == b && !(emu_double_bits(a) >> 63));
    return a != a ? b : b != b ? a : first ? a : b;
}
static inline double emu_min_double(double a, double b)
{
    const bool first = a < b || (a == b && emu_double_bits(a) >> 63);
    return a != a ? b : b != b ? a : first ? a : b;
}

/* 754-2019 maximum and minimum: a NaN wins. */
static inline float emu_maximum(float a, float b)
{
    return a != a || b != b ? NAN : emu_max(a, b);
}
static inline float emu_minimum(float a, float b)
{
    return a != a || b != b ? NAN : emu_min(a, b);
}

static inline float emu_median(float a, float b, float c)
{
    if (a != a || b != b || c != c)
        return emu_min(emu_min(a, b), c);
    return emu_max(emu_min(a, b), emu_min(emu_max(a, b), c));
}

/* a + b rounded to odd: what is rounded once more, to fewer bits, is as if rounded once. */
static inline double emu_odd_sum(double a, double b)
{
    const double sum = a + b, back = sum - a;
    const double error = (a - (sum - back)) + (b - back);
    uint64_t bits = emu_double_bits(sum);
    if (error != 0 && !(bits & 1) && sum - sum == 0)
        bits += (error > 0) == (sum > 0) ? 1 : UINT64_MAX;
    return emu_double(bits);
}

/* What transcendental operations do with subnormal inputs and results. */
static inline float emu_flush(float value)
{
    return fabsf(value) < FLT_MIN ? copysignf(0.f, value) : value;
}

/* Towards zero; out of range saturates, NaN is 0. */
static inline uint32_t emu_to_u32(double value)
{
    return !(value > 0) ? 0 : value >= 4294967295.0 ? UINT32_MAX : (uint32_t)value;
}
static inline uint32_t emu_to_i32(double value)
{
    if (value != value)
        return 0;
    const double held = value < -2147483648.0  ? -2147483648.0
                        : value > 2147483647.0 ? 2147483647.0
                                               : value;
    return (uint32_t)(int32_t)held;
}

static inline int emu_exponent(float value)
{
    return (int)(emu_bits(value) >> 23 & 0xff);
}

/* 0 and -1 aside, how far the highest or lowest set bit is from that end; -1 for none. */
static inline uint32_t emu_leading_zeros(uint32_t value)
{
    return value ? (uint32_t)__builtin_clz(value) : UINT32_MAX;
}
static inline uint32_t emu_trailing_zeros(uint32_t value)
{
    return value ? (uint32_t)__builtin_ctz(value) : UINT32_MAX;
}
/* Copies of the sign bit below it, plus one; -1 when all bits are equal. */
static inline uint32_t emu_leading_signs(uint32_t value)
{
    return emu_leading_zeros(value ^ (uint32_t)((int32_t)value >> 31));
}

static inline uint32_t emu_reverse_bits(uint32_t value)
{
    value = (value >> 1 & 0x55555555) | (value & 0x55555555) << 1;
    value = (value >> 2 & 0x33333333) | (value & 0x33333333) << 2;
    value = (value >> 4 & 0x0f0f0f0f) | (value & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(value);
}

/* `width` bits of value from `offset` up; a width that reaches past the top takes what is there. */
static inline uint32_t emu_bits_of(uint32_t value, uint32_t offset, uint32_t width)
{
    const uint64_t mask = (UINT64_C(1) << (width & 31)) - 1;
    return (uint32_t)(value >> (offset & 31) & mask);
}
static inline uint32_t emu_signed_bits_of(uint32_t value, uint32_t offset, uint32_t width)
{
    offset &= 31;
    width &= 31;
    if (width == 0)
        return 0;
    if (offset + width >= 32)
        return (uint32_t)((int32_t)value >> offset);
    return (uint32_t)((int32_t)(value << (32 - offset - width)) >> (32 - width));
}

#endif
