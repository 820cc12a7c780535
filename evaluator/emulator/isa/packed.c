/* packed.c: vector operations on two 16-bit numbers a lane. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* One half of the result from one half of each source. */
#define HALVES_OP(name, expression)                                                                \
    static uint32_t name##_one(uint32_t ha, uint32_t hb, uint32_t hc)                              \
    {                                                                                              \
        const float a = emu_half(ha), b = emu_half(hb), c = emu_half(hc);                          \
        (void)a, (void)b, (void)c;                                                                 \
        return (expression);                                                                       \
    }                                                                                              \
    EMU_INT_OP(name, name##_one(a, b, c) | name##_one(a >> 16, b >> 16, c >> 16) << 16)

#define SHORTS_OP(name, type, expression)                                                          \
    static uint32_t name##_one(type a, type b, type c)                                             \
    {                                                                                              \
        (void)a, (void)b, (void)c;                                                                 \
        return (expression)&0xffff;                                                                \
    }                                                                                              \
    EMU_INT_OP(name, name##_one((type)a, (type)b, (type)c) |                                       \
                         name##_one((type)(a >> 16), (type)(b >> 16), (type)(c >> 16)) << 16)

HALVES_OP(add, emu_half_bits(a + b))
HALVES_OP(mul, emu_half_bits(a *b))
HALVES_OP(fma_, emu_half_fma(a, b, c))
HALVES_OP(max, emu_half_bits(emu_max(a, b)))
HALVES_OP(min, emu_half_bits(emu_min(a, b)))
HALVES_OP(maximum, emu_half_bits(emu_maximum(a, b)))
HALVES_OP(minimum, emu_half_bits(emu_minimum(a, b)))

SHORTS_OP(add_u, uint16_t, (uint32_t)(a + b))
SHORTS_OP(sub_u, uint16_t, (uint32_t)(a - b))
SHORTS_OP(mul_lo, uint16_t, (uint32_t)a *b)
SHORTS_OP(mad_u, uint16_t, (uint32_t)a *b + c)
SHORTS_OP(max_u, uint16_t, (uint32_t)MAX(a, b))
SHORTS_OP(min_u, uint16_t, (uint32_t)MIN(a, b))
SHORTS_OP(max_i, int16_t, (uint32_t)MAX(a, b))
SHORTS_OP(min_i, int16_t, (uint32_t)MIN(a, b))
SHORTS_OP(lshlrev, uint16_t, (uint32_t)b << (a & 15))
SHORTS_OP(lshrrev, uint16_t, (uint32_t)b >> (a & 15))
SHORTS_OP(ashrrev, int16_t, (uint32_t)(b >> (a & 15)))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_pk_add_f16", "p=pp", add),         ROW("v_pk_mul_f16", "p=pp", mul),
    ROW("v_pk_fma_f16", "p=ppp", fma_),       ROW("v_pk_fmac_f16", "p=ppD", fma_),
    ROW("v_pk_max_f16", "p=pp", max),         ROW("v_pk_min_f16", "p=pp", min),
    ROW("v_pk_maximum_f16", "p=pp", maximum), ROW("v_pk_minimum_f16", "p=pp", minimum),
    ROW("v_pk_add_u16", "r=rr", add_u),       ROW("v_pk_add_i16", "r=rr", add_u),
    ROW("v_pk_sub_u16", "r=rr", sub_u),       ROW("v_pk_sub_i16", "r=rr", sub_u),
    ROW("v_pk_mul_lo_u16", "r=rr", mul_lo),   ROW("v_pk_mad_u16", "r=rrr", mad_u),
    ROW("v_pk_mad_i16", "r=rrr", mad_u),      ROW("v_pk_max_u16", "r=rr", max_u),
    ROW("v_pk_min_u16", "r=rr", min_u),       ROW("v_pk_max_i16", "r=rr", max_i),
    ROW("v_pk_min_i16", "r=rr", min_i),       ROW("v_pk_lshlrev_b16", "r=rr", lshlrev),
    ROW("v_pk_lshrrev_b16", "r=rr", lshrrev), ROW("v_pk_ashrrev_i16", "r=rr", ashrrev),
};

const struct emu_table emu_packed_table = {rows, sizeof rows / sizeof rows[0]};
