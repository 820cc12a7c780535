/* scalar_float.c: floats in scalar registers (gfx11.5 and later), and the vector unit's operations on
 * one scalar (v_s_). */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/tables.h"

#define FLOAT_FN(name, expression)                                                                 \
    static uint64_t name(uint64_t ia, uint64_t ib, uint64_t ic, uint32_t *scc)                     \
    {                                                                                              \
        const float a = emu_float((uint32_t)ia), b = emu_float((uint32_t)ib);                      \
        const float c = emu_float((uint32_t)ic);                                                   \
        (void)a, (void)b, (void)c, (void)scc;                                                      \
        return emu_bits(expression);                                                               \
    }
#define HALF_FN(name, expression)                                                                  \
    static uint64_t name(uint64_t ia, uint64_t ib, uint64_t ic, uint32_t *scc)                     \
    {                                                                                              \
        const float a = emu_half((uint32_t)ia), b = emu_half((uint32_t)ib);                        \
        const float c = emu_half((uint32_t)ic);                                                    \
        (void)a, (void)b, (void)c, (void)scc;                                                      \
        return (expression);                                                                       \
    }

FLOAT_FN(add, a + b)
FLOAT_FN(sub, a - b)
FLOAT_FN(mul, a *b)
FLOAT_FN(fma_, __builtin_fmaf(a, b, c))
FLOAT_FN(max, emu_max(a, b))
FLOAT_FN(min, emu_min(a, b))
FLOAT_FN(maximum, emu_maximum(a, b))
FLOAT_FN(minimum, emu_minimum(a, b))
FLOAT_FN(trunc_, truncf(a))
FLOAT_FN(ceil_, ceilf(a))
FLOAT_FN(floor_, floorf(a))
FLOAT_FN(rndne, rintf(a))
FLOAT_FN(exp_, emu_flush(exp2f(emu_flush(a))))
FLOAT_FN(log_, log2f(emu_flush(a)))
FLOAT_FN(rcp, emu_flush(1.f / emu_flush(a)))
FLOAT_FN(rsq, 1.f / sqrtf(emu_flush(a)))
FLOAT_FN(sqrt_, sqrtf(emu_flush(a)))
HALF_FN(add_half, emu_half_bits(a + b))
HALF_FN(sub_half, emu_half_bits(a - b))
HALF_FN(mul_half, emu_half_bits(a *b))
HALF_FN(fma_half, emu_half_fma(a, b, c))
HALF_FN(max_half, emu_half_bits(emu_max(a, b)))
HALF_FN(min_half, emu_half_bits(emu_min(a, b)))
HALF_FN(f32_f16, emu_bits(a))
EMU_SCALAR_KEEP(f16_f32, emu_half_bits(emu_float((uint32_t)a)))
EMU_SCALAR_KEEP(hi_f32_f16, emu_bits(emu_half((uint32_t)(a >> 16))))
EMU_SCALAR_KEEP(f32_u32, emu_bits((float)(uint32_t)a))
EMU_SCALAR_KEEP(f32_i32, emu_bits((float)(int32_t)a))
EMU_SCALAR_KEEP(u32_f32, emu_to_u32((double)emu_float((uint32_t)a)))
EMU_SCALAR_KEEP(i32_f32, emu_to_i32((double)emu_float((uint32_t)a)))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_SALU, emu_scalar, {.scalar = function}, 0                              \
    }
#define VECTOR_ROW(name, function)                                                                 \
    {                                                                                              \
        name, "f=f", EMU_VALU, emu_scalar, {.scalar = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("s_add_f32", "f=ff", add),         ROW("s_sub_f32", "f=ff", sub),
    ROW("s_mul_f32", "f=ff", mul),         ROW("s_fmac_f32", "f=ffD", fma_),
    ROW("s_fmaak_f32", "f=fff", fma_),     ROW("s_fmamk_f32", "f=fff", fma_),
    ROW("s_max_f32", "f=ff", max),         ROW("s_min_f32", "f=ff", min),
    ROW("s_maximum_f32", "f=ff", maximum), ROW("s_minimum_f32", "f=ff", minimum),
    ROW("s_trunc_f32", "f=f", trunc_),     ROW("s_ceil_f32", "f=f", ceil_),
    ROW("s_floor_f32", "f=f", floor_),     ROW("s_rndne_f32", "f=f", rndne),
    ROW("s_add_f16", "h=hh", add_half),    ROW("s_sub_f16", "h=hh", sub_half),
    ROW("s_mul_f16", "h=hh", mul_half),    ROW("s_fmac_f16", "h=hhD", fma_half),
    ROW("s_max_f16", "h=hh", max_half),    ROW("s_min_f16", "h=hh", min_half),
    ROW("s_cvt_f32_f16", "f=h", f32_f16),  ROW("s_cvt_hi_f32_f16", "f=b", hi_f32_f16),
    ROW("s_cvt_f16_f32", "h=f", f16_f32),  ROW("s_cvt_f32_u32", "f=b", f32_u32),
    ROW("s_cvt_f32_i32", "f=b", f32_i32),  ROW("s_cvt_u32_f32", "b=f", u32_f32),
    ROW("s_cvt_i32_f32", "b=f", i32_f32),  VECTOR_ROW("v_s_exp_f32", exp_),
    VECTOR_ROW("v_s_log_f32", log_),       VECTOR_ROW("v_s_rcp_f32", rcp),
    VECTOR_ROW("v_s_rsq_f32", rsq),        VECTOR_ROW("v_s_sqrt_f32", sqrt_),
};

const struct emu_table emu_scalar_float_table = {rows, sizeof rows / sizeof rows[0]};
