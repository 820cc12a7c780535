/* float.c: vector operations on floats. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

EMU_FLOAT_OP(add, a + b)
EMU_FLOAT_OP(sub, a - b)
EMU_FLOAT_OP(subrev, b - a)
EMU_FLOAT_OP(mul, a *b)
EMU_FLOAT_OP(mul_zero, a == 0.f || b == 0.f ? 0.f : a * b)
EMU_FLOAT_OP(fma_, __builtin_fmaf(a, b, c))
EMU_FLOAT_OP(max, emu_max(a, b))
EMU_FLOAT_OP(min, emu_min(a, b))
EMU_FLOAT_OP(max3, emu_max(emu_max(a, b), c))
EMU_FLOAT_OP(min3, emu_min(emu_min(a, b), c))
EMU_FLOAT_OP(med3, emu_median(a, b, c))
EMU_FLOAT_OP(maxmin, emu_min(emu_max(a, b), c))
EMU_FLOAT_OP(minmax, emu_max(emu_min(a, b), c))
EMU_FLOAT_OP(maximum, emu_maximum(a, b))
EMU_FLOAT_OP(minimum, emu_minimum(a, b))
EMU_FLOAT_OP(maximum3, emu_maximum(emu_maximum(a, b), c))
EMU_FLOAT_OP(minimum3, emu_minimum(emu_minimum(a, b), c))
EMU_FLOAT_OP(maximumminimum, emu_minimum(emu_maximum(a, b), c))
EMU_FLOAT_OP(minimummaximum, emu_maximum(emu_minimum(a, b), c))
EMU_FLOAT_OP(fract, a - floorf(a) < 1.f ? a - floorf(a) : 0x1.fffffep-1f)
EMU_FLOAT_OP(trunc_, truncf(a))
EMU_FLOAT_OP(ceil_, ceilf(a))
EMU_FLOAT_OP(floor_, floorf(a))
EMU_FLOAT_OP(rndne, rintf(a))

/* The transcendental unit: no subnormals, in or out. The hardware is allowed an error of one unit in
 * the last place, so results may differ from a device's by as much. */
EMU_FLOAT_OP(exp_, emu_flush(exp2f(emu_flush(a))))
EMU_FLOAT_OP(log_, log2f(emu_flush(a)))
EMU_FLOAT_OP(rcp, emu_flush(1.f / emu_flush(a)))
EMU_FLOAT_OP(rsq, 1.f / sqrtf(emu_flush(a)))
EMU_FLOAT_OP(sqrt_, sqrtf(emu_flush(a)))

/* The argument counts revolutions. */
static float sine(float a, double quarter)
{
    const double turns = (double)a - floor((double)a);
    return (float)sin((turns + quarter) * (2 * M_PI));
}
EMU_FLOAT_OP(sin_, sine(a, 0))
EMU_FLOAT_OP(cos_, sine(a, 0.25))

static float mantissa(float a)
{
    int exponent;
    return a - a == 0.f ? frexpf(a, &exponent) : a;
}
EMU_FLOAT_OP(frexp_mant, mantissa(a))

static float scaled(float value, int32_t exponent)
{
    return ldexpf(value, exponent);
}
EMU_LANES_FN(ldexp_, uint32_t, (uint32_t), result, emu_bits, scaled(emu_float(a), (int32_t)b))

/* ---- the three steps of an IEEE division (RDNA3 ISA, V_DIV_*_F32) ---- */

/* a: what to scale, which is the denominator b or the numerator c. *flag: fmas has to scale back. */
static float div_scaled(float a, float b, float c, uint32_t *flag)
{
    const bool tiny_inverse = fabs(1.0 / (double)b) < FLT_MIN;
    const bool tiny_quotient = fabs((double)c / (double)b) < FLT_MIN;
    *flag = 0;
    if (b == 0.f || c == 0.f)
        return NAN;
    if (emu_exponent(c) - emu_exponent(b) >= 96) {
        *flag = 1;
        return emu_bits(a) == emu_bits(b) ? ldexpf(a, 64) : a;
    }
    if (emu_exponent(b) == 0)
        return ldexpf(a, 64);
    if (tiny_inverse && tiny_quotient) {
        *flag = 1;
        return emu_bits(a) == emu_bits(b) ? ldexpf(a, -64) : a;
    }
    if (tiny_inverse)
        return ldexpf(a, -64);
    if (tiny_quotient) {
        *flag = 1;
        return emu_bits(a) == emu_bits(c) ? ldexpf(a, 64) : a;
    }
    return emu_exponent(c) <= 23 ? ldexpf(a, 64) : a;
}

static void div_scale(struct emu_lanes *l)
{
    const float *a = l->a, *b = l->b, *c = l->c;
    for (int lane = 0; lane < EMU_LANES; lane++)
        l->result[lane] = emu_bits(div_scaled(a[lane], b[lane], c[lane], &l->mask[lane]));
}

static void div_fmas(struct emu_lanes *l)
{
    const float *a = l->a, *b = l->b, *c = l->c;
    const uint32_t *scale = l->d;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const double product = (double)a[lane] * (double)b[lane];
        const double factor = emu_exponent(c[lane]) > 127 ? 0x1p64 : 0x1p-64;
        const double sum = emu_odd_sum(product, (double)c[lane]);
        l->result[lane] = emu_bits((float)(scale[lane] ? sum * factor : sum));
    }
}

static float div_fixed(float quotient, float b, float c)
{
    const float sign = !!signbit(b) != !!signbit(c) ? -1.f : 1.f;
    if (c != c || b != b)
        return c != c ? c : b;
    if ((b == 0.f && c == 0.f) || (isinf(b) && isinf(c)))
        return -NAN;
    if (b == 0.f || isinf(c))
        return sign * INFINITY;
    if (isinf(b) || c == 0.f)
        return sign * 0.f;
    /* Far out of range the steps before meet infinities. */
    if (quotient != quotient)
        return emu_exponent(c) > emu_exponent(b) ? sign * INFINITY : sign * 0.f;
    return copysignf(quotient, sign);
}
EMU_FLOAT_OP(div_fixup, div_fixed(a, b, c))

/* ---- with half operands ---- */

static void fma_to_half(struct emu_lanes *l)
{
    float sums[EMU_LANES];
    const float *a = l->a, *b = l->b, *c = l->c;
    for (int lane = 0; lane < EMU_LANES; lane++)
        sums[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    emu_narrow(sums, l->result);
}

static float dot2_of_halves(uint32_t a, uint32_t b, float c)
{
    const float low = __builtin_fmaf(emu_half(a), emu_half(b), c);
    return __builtin_fmaf(emu_half(a >> 16), emu_half(b >> 16), low);
}
EMU_LANES_FN(dot2_f16, uint32_t, (uint32_t), result, emu_bits, dot2_of_halves(a, b, emu_float(c)))

static float dot2_of_bfloats(uint32_t a, uint32_t b, float c)
{
    const float low = __builtin_fmaf(emu_float(a << 16), emu_float(b << 16), c);
    return __builtin_fmaf(emu_float(a & 0xffff0000), emu_float(b & 0xffff0000), low);
}
EMU_LANES_FN(dot2_bf16, uint32_t, (uint32_t), result, emu_bits, dot2_of_bfloats(a, b, emu_float(c)))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_add_f32", "f=ff", add),
    ROW("v_sub_f32", "f=ff", sub),
    ROW("v_subrev_f32", "f=ff", subrev),
    ROW("v_mul_f32", "f=ff", mul),
    ROW("v_mul_dx9_zero_f32", "f=ff", mul_zero),
    ROW("v_fma_f32", "f=fff", fma_),
    ROW("v_fmac_f32", "f=ffD", fma_),
    ROW("v_fmaak_f32", "f=fff", fma_),
    ROW("v_fmamk_f32", "f=fff", fma_),
    ROW("v_max_f32", "f=ff", max),
    ROW("v_min_f32", "f=ff", min),
    ROW("v_max3_f32", "f=fff", max3),
    ROW("v_min3_f32", "f=fff", min3),
    ROW("v_med3_f32", "f=fff", med3),
    ROW("v_maxmin_f32", "f=fff", maxmin),
    ROW("v_minmax_f32", "f=fff", minmax),
    ROW("v_maximum_f32", "f=ff", maximum),
    ROW("v_minimum_f32", "f=ff", minimum),
    ROW("v_maximum3_f32", "f=fff", maximum3),
    ROW("v_minimum3_f32", "f=fff", minimum3),
    ROW("v_maximumminimum_f32", "f=fff", maximumminimum),
    ROW("v_minimummaximum_f32", "f=fff", minimummaximum),
    ROW("v_fract_f32", "f=f", fract),
    ROW("v_trunc_f32", "f=f", trunc_),
    ROW("v_ceil_f32", "f=f", ceil_),
    ROW("v_floor_f32", "f=f", floor_),
    ROW("v_rndne_f32", "f=f", rndne),
    ROW("v_exp_f32", "f=f", exp_),
    ROW("v_log_f32", "f=f", log_),
    ROW("v_rcp_f32", "f=f", rcp),
    ROW("v_rcp_iflag_f32", "f=f", rcp),
    ROW("v_rsq_f32", "f=f", rsq),
    ROW("v_sqrt_f32", "f=f", sqrt_),
    ROW("v_sin_f32", "f=f", sin_),
    ROW("v_cos_f32", "f=f", cos_),
    ROW("v_frexp_mant_f32", "f=f", frexp_mant),
    ROW("v_ldexp_f32", "f=fb", ldexp_),
    ROW("v_div_scale_f32", "fc=fff", div_scale),
    ROW("v_div_fmas_f32", "f=fffc", div_fmas),
    ROW("v_div_fixup_f32", "f=fff", div_fixup),
    ROW("v_fma_mix_f32", "f=mmm", fma_),
    ROW("v_fma_mixlo_f16", "h=mmm", fma_to_half),
    {"v_fma_mixhi_f16", "h=mmm", EMU_VALU, emu_valu, {.lanes = fma_to_half}, EMU_UPPER_HALF},
    ROW("v_dot2_f32_f16", "f=ppf", dot2_f16),
    ROW("v_dot2c_f32_f16", "f=ppD", dot2_f16),
    ROW("v_dot2acc_f32_f16", "f=ppD", dot2_f16),
    ROW("v_dot2_f32_bf16", "f=rrf", dot2_bf16),
    ROW("v_dot2acc_f32_bf16", "f=rrD", dot2_bf16),
};

const struct emu_table emu_float_table = {rows, sizeof rows / sizeof rows[0]};
