/* half.c: vector operations on halves, one a lane. Sums, products, quotients and roots of halves are
 * rounded once although a float is between: its significand has more than twice their bits. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

/* `expression` of the floats a, b, c. */
#define HALF_OP(name, expression)                                                                  \
    static void name(struct emu_lanes *l)                                                          \
    {                                                                                              \
        float wa[EMU_LANES], wb[EMU_LANES], wc[EMU_LANES], out[EMU_LANES];                         \
        emu_widen(l->a, wa);                                                                       \
        emu_widen(l->b, wb);                                                                       \
        emu_widen(l->c, wc);                                                                       \
        for (int lane = 0; lane < EMU_LANES; lane++) {                                             \
            const float a = wa[lane], b = wb[lane], c = wc[lane];                                  \
            (void)a, (void)b, (void)c;                                                             \
            out[lane] = (expression);                                                              \
        }                                                                                          \
        emu_narrow(out, l->result);                                                                \
    }

HALF_OP(add, a + b)
HALF_OP(sub, a - b)
HALF_OP(subrev, b - a)
HALF_OP(mul, a *b)
HALF_OP(max, emu_max(a, b))
HALF_OP(min, emu_min(a, b))
HALF_OP(max3, emu_max(emu_max(a, b), c))
HALF_OP(min3, emu_min(emu_min(a, b), c))
HALF_OP(med3, emu_median(a, b, c))
HALF_OP(maximum, emu_maximum(a, b))
HALF_OP(minimum, emu_minimum(a, b))
HALF_OP(maxmin, emu_min(emu_max(a, b), c))
HALF_OP(minmax, emu_max(emu_min(a, b), c))
HALF_OP(rcp, 1.f / a)
HALF_OP(sqrt_, sqrtf(a))
HALF_OP(rsq, 1.f / sqrtf(a))
HALF_OP(exp_, exp2f(a))
HALF_OP(log_, log2f(a))
HALF_OP(floor_, floorf(a))
HALF_OP(ceil_, ceilf(a))
HALF_OP(trunc_, truncf(a))
HALF_OP(rndne, rintf(a))
HALF_OP(fract, a - floorf(a) < 0x1.ffcp-1f ? a - floorf(a) : 0x1.ffcp-1f)
EMU_INT_OP(fma_, emu_half_fma(emu_half(a), emu_half(b), emu_half(c)))
EMU_INT_OP(ldexp_, emu_half_bits(ldexpf(emu_half(a), (int16_t)b)))

static uint32_t quotient_fixed(float quotient, float b, float c)
{
    const bool negative = !!signbit(b) != !!signbit(c);
    if (c != c || b != b)
        return emu_half_bits(c != c ? c : b);
    if ((b == 0.f && c == 0.f) || (isinf(b) && isinf(c)))
        return 0xfe00;
    if (b == 0.f || isinf(c))
        return negative ? 0xfc00 : 0x7c00;
    if (isinf(b) || c == 0.f)
        return negative ? 0x8000 : 0;
    return emu_half_bits(copysignf(quotient, negative ? -1.f : 1.f));
}
EMU_INT_OP(div_fixup, quotient_fixed(emu_half(a), emu_half(b), emu_half(c)))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_add_f16", "h=hh", add),
    ROW("v_sub_f16", "h=hh", sub),
    ROW("v_subrev_f16", "h=hh", subrev),
    ROW("v_mul_f16", "h=hh", mul),
    ROW("v_fma_f16", "h=hhh", fma_),
    ROW("v_fmac_f16", "h=hhD", fma_),
    ROW("v_fmaak_f16", "h=hhh", fma_),
    ROW("v_fmamk_f16", "h=hhh", fma_),
    ROW("v_max_f16", "h=hh", max),
    ROW("v_min_f16", "h=hh", min),
    ROW("v_max3_f16", "h=hhh", max3),
    ROW("v_min3_f16", "h=hhh", min3),
    ROW("v_med3_f16", "h=hhh", med3),
    ROW("v_maximum_f16", "h=hh", maximum),
    ROW("v_minimum_f16", "h=hh", minimum),
    ROW("v_maxmin_f16", "h=hhh", maxmin),
    ROW("v_minmax_f16", "h=hhh", minmax),
    ROW("v_rcp_f16", "h=h", rcp),
    ROW("v_sqrt_f16", "h=h", sqrt_),
    ROW("v_rsq_f16", "h=h", rsq),
    ROW("v_exp_f16", "h=h", exp_),
    ROW("v_log_f16", "h=h", log_),
    ROW("v_floor_f16", "h=h", floor_),
    ROW("v_ceil_f16", "h=h", ceil_),
    ROW("v_trunc_f16", "h=h", trunc_),
    ROW("v_rndne_f16", "h=h", rndne),
    ROW("v_fract_f16", "h=h", fract),
    ROW("v_ldexp_f16", "h=hw", ldexp_),
    ROW("v_div_fixup_f16", "h=hhh", div_fixup),
};

const struct emu_table emu_half_table = {rows, sizeof rows / sizeof rows[0]};
