/* integer16.c: vector operations on 16-bit integers, one a lane. */
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define U(x) ((uint16_t)(x))
#define I(x) ((int16_t)(x))

EMU_INT_OP(mov, a)
EMU_INT_OP(not, ~a)
EMU_INT_OP(and, a &b)
EMU_INT_OP(or, a | b)
EMU_INT_OP(xor, a ^ b)
EMU_INT_OP(add, a + b)
EMU_INT_OP(sub, a - b)
EMU_INT_OP(mul_lo, a *b)
EMU_INT_OP(mad, a *b + c)
EMU_INT_OP(lshlrev, b << (a & 15))
EMU_INT_OP(lshrrev, U(b) >> (a & 15))
EMU_INT_OP(ashrrev, I(b) >> (a & 15))
EMU_INT_OP(max_u, MAX(U(a), U(b)))
EMU_INT_OP(min_u, MIN(U(a), U(b)))
EMU_INT_OP(max_i, MAX(I(a), I(b)))
EMU_INT_OP(min_i, MIN(I(a), I(b)))
EMU_INT_OP(max3_u, MAX(MAX(U(a), U(b)), U(c)))
EMU_INT_OP(min3_u, MIN(MIN(U(a), U(b)), U(c)))
EMU_INT_OP(max3_i, MAX(MAX(I(a), I(b)), I(c)))
EMU_INT_OP(min3_i, MIN(MIN(I(a), I(b)), I(c)))
EMU_INT_OP(med3_u, MAX(MIN(U(a), U(b)), MIN(MAX(U(a), U(b)), U(c))))
EMU_INT_OP(med3_i, MAX(MIN(I(a), I(b)), MIN(MAX(I(a), I(b)), I(c))))
EMU_INT_OP(cndmask, c ? b : a)
EMU_INT_OP(mad_u32, U(a) * (uint32_t)U(b) + c)
EMU_INT_OP(mad_i32, (uint32_t)(I(a) * I(b)) + c)
EMU_INT_OP(zero_extend, U(a))
EMU_INT_OP(sign_extend, I(a))

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_mov_b16", "w=w", mov),
    ROW("v_not_b16", "w=w", not ),
    ROW("v_and_b16", "w=ww", and),
    ROW("v_or_b16", "w=ww", or),
    ROW("v_xor_b16", "w=ww", xor),
    ROW("v_add_nc_u16", "w=ww", add),
    ROW("v_add_nc_i16", "w=ww", add),
    ROW("v_sub_nc_u16", "w=ww", sub),
    ROW("v_sub_nc_i16", "w=ww", sub),
    ROW("v_mul_lo_u16", "w=ww", mul_lo),
    ROW("v_mad_u16", "w=www", mad),
    ROW("v_mad_i16", "w=www", mad),
    ROW("v_lshlrev_b16", "w=ww", lshlrev),
    ROW("v_lshrrev_b16", "w=ww", lshrrev),
    ROW("v_ashrrev_i16", "w=ww", ashrrev),
    ROW("v_max_u16", "w=ww", max_u),
    ROW("v_min_u16", "w=ww", min_u),
    ROW("v_max_i16", "w=ww", max_i),
    ROW("v_min_i16", "w=ww", min_i),
    ROW("v_max3_u16", "w=www", max3_u),
    ROW("v_min3_u16", "w=www", min3_u),
    ROW("v_max3_i16", "w=www", max3_i),
    ROW("v_min3_i16", "w=www", min3_i),
    ROW("v_med3_u16", "w=www", med3_u),
    ROW("v_med3_i16", "w=www", med3_i),
    ROW("v_cndmask_b16", "h=hhc", cndmask),
    ROW("v_mad_u32_u16", "b=wwb", mad_u32),
    ROW("v_mad_i32_i16", "b=wwb", mad_i32),
    ROW("v_cvt_u32_u16", "b=w", zero_extend),
    ROW("v_cvt_i32_i16", "b=w", sign_extend),
};

const struct emu_table emu_integer16_table = {rows, sizeof rows / sizeof rows[0]};
