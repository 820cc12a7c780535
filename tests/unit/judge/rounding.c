#include "rounding.h"

#include <math.h>

float round_to(enum bp_dtype dtype, float x)
{
    float rounded;
    uint32_t bits;
    bp_dtype_store(dtype, &bits, x);
    bp_dtype_to_floats(dtype, &bits, 1, &rounded);
    return rounded;
}

float round_down_to(enum bp_dtype dtype, float x)
{
    uint32_t bits;
    float rounded = round_to(dtype, x);
    if (fabsf(rounded) <= fabsf(x))
        return rounded;
    /* The formats are sign and magnitude: one less is the next one toward zero. */
    bp_dtype_store(dtype, &bits, rounded);
    bits--;
    bp_dtype_to_floats(dtype, &bits, 1, &rounded);
    return rounded;
}

float round_bits(float x, int bits)
{
    int exponent;
    float mantissa = frexpf(x, &exponent);
    return ldexpf(rintf(ldexpf(mantissa, bits + 1)), exponent - bits - 1);
}

/* Below the smallest normal number the step no longer shrinks. */
static float round_small(float x, int bits, float smallest)
{
    float magnitude = fabsf(x), step = ldexpf(smallest, -bits);
    float rounded =
        magnitude < smallest ? rintf(magnitude / step) * step : round_bits(magnitude, bits);
    return copysignf(rounded, x);
}

float round_e4m3(float x)
{
    return round_small(copysignf(fminf(fabsf(x), 448), x), 3, 0x1p-6f);
}

float round_e5m2(float x)
{
    return round_small(x, 2, 0x1p-14f);
}
