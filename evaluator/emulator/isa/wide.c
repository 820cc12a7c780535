/* wide.c: vector operations on 64-bit integers and doubles. */
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

/* The shift count is a 32-bit source, the shifted value a 64-bit one. */
#define SHIFT_OP(name, expression)                                                                 \
    static void name(struct emu_lanes *l)                                                          \
    {                                                                                              \
        const uint32_t *pa = l->a;                                                                 \
        const uint64_t *pb = l->b;                                                                 \
        for (int lane = 0; lane < EMU_LANES; lane++) {                                             \
            const unsigned a = pa[lane] & 63;                                                      \
            const uint64_t b = pb[lane];                                                           \
            l->wide[lane] = (uint64_t)(expression);                                                \
        }                                                                                          \
    }
SHIFT_OP(lshlrev, b << a)
SHIFT_OP(lshrrev, b >> a)
SHIFT_OP(ashrrev, (int64_t)b >> a)

EMU_WIDE_OP(add_u64, a + b)
EMU_WIDE_OP(sub_u64, a - b)
EMU_WIDE_OP(mul_u64, a *b)
EMU_WIDE_OP(mov_b64, a)

static void mad_u64_u32(struct emu_lanes *l)
{
    const uint32_t *a = l->a, *b = l->b;
    const uint64_t *c = l->c;
    for (int lane = 0; lane < EMU_LANES; lane++)
        l->mask[lane] =
            __builtin_add_overflow((uint64_t)a[lane] * b[lane], c[lane], &l->wide[lane]);
}

static void mad_i64_i32(struct emu_lanes *l)
{
    const int32_t *a = l->a, *b = l->b;
    const int64_t *c = l->c;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        int64_t sum;
        l->mask[lane] = __builtin_add_overflow((int64_t)a[lane] * b[lane], c[lane], &sum);
        l->wide[lane] = (uint64_t)sum;
    }
}

/* a << b + c: two 64-bit sources around a 32-bit one. */
static void lshl_add_u64(struct emu_lanes *l)
{
    const uint64_t *a = l->a, *c = l->c;
    const uint32_t *b = l->b;
    for (int lane = 0; lane < EMU_LANES; lane++)
        l->wide[lane] = (a[lane] << (b[lane] & 7)) + c[lane];
}

EMU_DOUBLE_OP(add_f64, a + b)
EMU_DOUBLE_OP(mul_f64, a *b)
EMU_DOUBLE_OP(fma_f64, __builtin_fma(a, b, c))
EMU_DOUBLE_OP(max_f64, emu_max_double(a, b))
EMU_DOUBLE_OP(min_f64, emu_min_double(a, b))
EMU_DOUBLE_OP(rcp_f64, 1.0 / a)
EMU_DOUBLE_OP(rsq_f64, 1.0 / sqrt(a))
EMU_DOUBLE_OP(sqrt_f64, sqrt(a))
EMU_DOUBLE_OP(floor_f64, floor(a))
EMU_DOUBLE_OP(ceil_f64, ceil(a))
EMU_DOUBLE_OP(trunc_f64, trunc(a))
EMU_DOUBLE_OP(rndne_f64, rint(a))
EMU_DOUBLE_OP(fract_f64, a - floor(a) < 1.0 ? a - floor(a) : 0x1.fffffffffffffp-1)

static void ldexp_f64(struct emu_lanes *l)
{
    const uint64_t *a = l->a;
    const uint32_t *b = l->b;
    for (int lane = 0; lane < EMU_LANES; lane++)
        l->wide[lane] = emu_double_bits(ldexp(emu_double(a[lane]), (int32_t)b[lane]));
}

static int exponent(double value)
{
    return (int)(emu_double_bits(value) >> 52 & 0x7ff);
}

/* As in float.c, with the constants of doubles. */
static double div_scaled(double a, double b, double c, uint32_t *flag)
{
    const bool tiny_inverse = fabs(1.0 / b) < DBL_MIN, tiny_quotient = fabs(c / b) < DBL_MIN;
    const bool is_denominator = emu_double_bits(a) == emu_double_bits(b);
    *flag = 0;
    if (b == 0 || c == 0)
        return (double)NAN;
    if (exponent(c) - exponent(b) >= 768) {
        *flag = 1;
        return is_denominator ? ldexp(a, 128) : a;
    }
    if (exponent(b) == 0)
        return ldexp(a, 128);
    if (tiny_inverse && tiny_quotient) {
        *flag = 1;
        return is_denominator ? ldexp(a, -128) : a;
    }
    if (tiny_inverse)
        return ldexp(a, -128);
    if (tiny_quotient) {
        *flag = 1;
        return emu_double_bits(a) == emu_double_bits(c) ? ldexp(a, 128) : a;
    }
    return exponent(c) <= 53 ? ldexp(a, 128) : a;
}

static void div_scale_f64(struct emu_lanes *l)
{
    const double *a = l->a, *b = l->b, *c = l->c;
    for (int lane = 0; lane < EMU_LANES; lane++)
        l->wide[lane] = emu_double_bits(div_scaled(a[lane], b[lane], c[lane], &l->mask[lane]));
}

static void div_fmas_f64(struct emu_lanes *l)
{
    const double *a = l->a, *b = l->b, *c = l->c;
    const uint32_t *scale = l->d;
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const double sum = __builtin_fma(a[lane], b[lane], c[lane]);
        const double factor = exponent(c[lane]) > 1023 ? 0x1p128 : 0x1p-128;
        l->wide[lane] = emu_double_bits(scale[lane] ? sum * factor : sum);
    }
}

static double div_fixed(double quotient, double b, double c)
{
    const double sign = !!signbit(b) != !!signbit(c) ? -1. : 1.;
    if (c != c || b != b)
        return c != c ? c : b;
    if ((b == 0 && c == 0) || (isinf(b) && isinf(c)))
        return -(double)NAN;
    if (b == 0 || isinf(c))
        return sign * (double)INFINITY;
    if (isinf(b) || c == 0)
        return sign * 0.;
    if (quotient != quotient)
        return exponent(c) > exponent(b) ? sign * (double)INFINITY : sign * 0.;
    return copysign(quotient, sign);
}
EMU_DOUBLE_OP(div_fixup_f64, div_fixed(a, b, c))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_lshlrev_b64", "q=bq", lshlrev),
    ROW("v_lshrrev_b64", "q=bq", lshrrev),
    ROW("v_ashrrev_i64", "l=bl", ashrrev),
    ROW("v_add_nc_u64", "q=qq", add_u64),
    ROW("v_sub_nc_u64", "q=qq", sub_u64),
    ROW("v_mul_u64", "q=qq", mul_u64),
    ROW("v_mov_b64", "q=q", mov_b64),
    ROW("v_lshl_add_u64", "q=qbq", lshl_add_u64),
    ROW("v_mad_co_u64_u32", "qc=bbq", mad_u64_u32),
    ROW("v_mad_co_i64_i32", "lc=bbl", mad_i64_i32),
    ROW("v_add_f64", "d=dd", add_f64),
    ROW("v_mul_f64", "d=dd", mul_f64),
    ROW("v_fma_f64", "d=ddd", fma_f64),
    ROW("v_fmac_f64", "d=ddD", fma_f64),
    ROW("v_max_f64", "d=dd", max_f64),
    ROW("v_min_f64", "d=dd", min_f64),
    ROW("v_rcp_f64", "d=d", rcp_f64),
    ROW("v_rsq_f64", "d=d", rsq_f64),
    ROW("v_sqrt_f64", "d=d", sqrt_f64),
    ROW("v_floor_f64", "d=d", floor_f64),
    ROW("v_ceil_f64", "d=d", ceil_f64),
    ROW("v_trunc_f64", "d=d", trunc_f64),
    ROW("v_rndne_f64", "d=d", rndne_f64),
    ROW("v_fract_f64", "d=d", fract_f64),
    ROW("v_ldexp_f64", "d=db", ldexp_f64),
    ROW("v_div_scale_f64", "dc=ddd", div_scale_f64),
    ROW("v_div_fmas_f64", "d=dddc", div_fmas_f64),
    ROW("v_div_fixup_f64", "d=ddd", div_fixup_f64),
};

const struct emu_table emu_wide_table = {rows, sizeof rows / sizeof rows[0]};
