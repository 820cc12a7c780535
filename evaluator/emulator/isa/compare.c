/* compare.c: vector comparisons. A row pair each: v_cmp_ writes a mask, v_cmpx_ EXEC. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

/* The family of one type: how sources are stored, what makes operands of them. */
#define COMPARISON(name, SOURCE, OF, expression)                                                   \
    EMU_LANES_FN(name, SOURCE, OF, mask, (uint32_t), expression)
#define ORDERED(type, SOURCE, OF)                                                                  \
    COMPARISON(lt_##type, SOURCE, OF, a < b)                                                       \
    COMPARISON(eq_##type, SOURCE, OF, a == b)                                                      \
    COMPARISON(le_##type, SOURCE, OF, a <= b)                                                      \
    COMPARISON(gt_##type, SOURCE, OF, a > b)                                                       \
    COMPARISON(ge_##type, SOURCE, OF, a >= b)
#define INTEGERS(type, SOURCE, OF)                                                                 \
    ORDERED(type, SOURCE, OF)                                                                      \
    COMPARISON(ne_##type, SOURCE, OF, a != b)
#define FLOATS(type, SOURCE, OF)                                                                   \
    ORDERED(type, SOURCE, OF)                                                                      \
    COMPARISON(lg_##type, SOURCE, OF, a<b || a> b)                                                 \
    COMPARISON(o_##type, SOURCE, OF, a == a && b == b)                                             \
    COMPARISON(u_##type, SOURCE, OF, a != a || b != b)                                             \
    COMPARISON(nge_##type, SOURCE, OF, !(a >= b))                                                  \
    COMPARISON(nlg_##type, SOURCE, OF, !(a < b || a > b))                                          \
    COMPARISON(ngt_##type, SOURCE, OF, !(a > b))                                                   \
    COMPARISON(nle_##type, SOURCE, OF, !(a <= b))                                                  \
    COMPARISON(neq_##type, SOURCE, OF, a != b)                                                     \
    COMPARISON(nlt_##type, SOURCE, OF, !(a < b))

INTEGERS(i32, uint32_t, (int32_t))
INTEGERS(u32, uint32_t, (uint32_t))
INTEGERS(i16, uint32_t, (int16_t))
INTEGERS(u16, uint32_t, (uint16_t))
INTEGERS(i64, uint64_t, (int64_t))
INTEGERS(u64, uint64_t, (uint64_t))
FLOATS(f32, uint32_t, emu_float)
FLOATS(f16, uint32_t, emu_half)
FLOATS(f64, uint64_t, emu_double)

/* Classes as the hardware numbers them, in the order of increasing value but for NaN. */
static uint32_t class_of(float value)
{
    const bool negative = signbit(value);
    if (value != value)
        return emu_bits(value) & 0x400000 ? 1u << 1 : 1u << 0;
    if (isinf(value))
        return negative ? 1u << 2 : 1u << 9;
    if (value == 0.f)
        return negative ? 1u << 5 : 1u << 6;
    if (fabsf(value) < FLT_MIN)
        return negative ? 1u << 4 : 1u << 7;
    return negative ? 1u << 3 : 1u << 8;
}

/* A subnormal half is a normal float; moved down by the distance of the exponents it is not. */
static uint32_t class_of_half(uint32_t bits)
{
    const float value = emu_half(bits);
    return class_of(value - value == 0.f ? value * 0x1p-112f : value);
}
COMPARISON(class_f32, uint32_t, (uint32_t), (class_of(emu_float(a)) & b) != 0)
COMPARISON(class_f16, uint32_t, (uint32_t), (class_of_half(a) & b) != 0)

#define ROWS(relation, type, operands)                                                             \
    {"v_cmp_" #relation "_" #type,                                                                 \
     "c=" operands,                                                                                \
     EMU_VALU,                                                                                     \
     emu_valu,                                                                                     \
     {.lanes = relation##_##type},                                                                 \
     0},                                                                                           \
    {                                                                                              \
        "v_cmpx_" #relation "_" #type, "=" operands, EMU_VALU, emu_cmpx,                           \
            {.lanes = relation##_##type}, 0                                                        \
    }
#define ORDERED_ROWS(type, operands)                                                               \
    ROWS(lt, type, operands), ROWS(eq, type, operands), ROWS(le, type, operands),                  \
        ROWS(gt, type, operands), ROWS(ge, type, operands)
#define INTEGER_ROWS(type, operands) ORDERED_ROWS(type, operands), ROWS(ne, type, operands)
#define FLOAT_ROWS(type, operands)                                                                 \
    ORDERED_ROWS(type, operands), ROWS(lg, type, operands), ROWS(o, type, operands),               \
        ROWS(u, type, operands), ROWS(nge, type, operands), ROWS(nlg, type, operands),             \
        ROWS(ngt, type, operands), ROWS(nle, type, operands), ROWS(neq, type, operands),           \
        ROWS(nlt, type, operands)

static const struct emu_row rows[] = {
    INTEGER_ROWS(i32, "bb"), INTEGER_ROWS(u32, "bb"), INTEGER_ROWS(i16, "ww"),
    INTEGER_ROWS(u16, "ww"), INTEGER_ROWS(i64, "ll"), INTEGER_ROWS(u64, "qq"),
    FLOAT_ROWS(f32, "ff"),   FLOAT_ROWS(f16, "hh"),   FLOAT_ROWS(f64, "dd"),
    ROWS(class, f32, "fb"),  ROWS(class, f16, "hb"),
};

const struct emu_table emu_compare_table = {rows, sizeof rows / sizeof rows[0]};
