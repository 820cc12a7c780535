/* scalar_compare.c: scalar comparisons, into the condition code. */
#include "evaluator/emulator/isa/half.h"
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/tables.h"

#define INTEGERS(type, OF)                                                                         \
    EMU_SCALAR_TEST(eq_##type, OF(a) == OF(b))                                                     \
    EMU_SCALAR_TEST(lg_##type, OF(a) != OF(b))                                                     \
    EMU_SCALAR_TEST(gt_##type, OF(a) > OF(b))                                                      \
    EMU_SCALAR_TEST(ge_##type, OF(a) >= OF(b))                                                     \
    EMU_SCALAR_TEST(lt_##type, OF(a) < OF(b))                                                      \
    EMU_SCALAR_TEST(le_##type, OF(a) <= OF(b))
#define FLOATS(type, OF)                                                                           \
    EMU_SCALAR_TEST(lt_##type, OF(a) < OF(b))                                                      \
    EMU_SCALAR_TEST(eq_##type, OF(a) == OF(b))                                                     \
    EMU_SCALAR_TEST(le_##type, OF(a) <= OF(b))                                                     \
    EMU_SCALAR_TEST(gt_##type, OF(a) > OF(b))                                                      \
    EMU_SCALAR_TEST(ge_##type, OF(a) >= OF(b))                                                     \
    EMU_SCALAR_TEST(lg_##type, OF(a) < OF(b) || OF(a) > OF(b))                                     \
    EMU_SCALAR_TEST(o_##type, OF(a) == OF(a) && OF(b) == OF(b))                                    \
    EMU_SCALAR_TEST(u_##type, OF(a) != OF(a) || OF(b) != OF(b))                                    \
    EMU_SCALAR_TEST(nge_##type, !(OF(a) >= OF(b)))                                                 \
    EMU_SCALAR_TEST(nlg_##type, !(OF(a) < OF(b) || OF(a) > OF(b)))                                 \
    EMU_SCALAR_TEST(ngt_##type, !(OF(a) > OF(b)))                                                  \
    EMU_SCALAR_TEST(nle_##type, !(OF(a) <= OF(b)))                                                 \
    EMU_SCALAR_TEST(neq_##type, OF(a) != OF(b))                                                    \
    EMU_SCALAR_TEST(nlt_##type, !(OF(a) < OF(b)))
#define FLOAT_OF(x) emu_float((uint32_t)(x))
#define HALF_OF(x) emu_half((uint32_t)(x))

INTEGERS(i32, (int32_t))
INTEGERS(u32, (uint32_t))
EMU_SCALAR_TEST(eq_u64, a == b)
EMU_SCALAR_TEST(lg_u64, a != b)
FLOATS(f32, FLOAT_OF)
FLOATS(f16, HALF_OF)
EMU_SCALAR_TEST(bitcmp0, !(a >> (b & 31) & 1))
EMU_SCALAR_TEST(bitcmp1, a >> (b & 31) & 1)
EMU_SCALAR_TEST(bitcmp0_64, !(a >> (b & 63) & 1))
EMU_SCALAR_TEST(bitcmp1_64, a >> (b & 63) & 1)

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_SALU, emu_scalar, {.scalar = function}, 0                              \
    }
#define INTEGER_ROWS(prefix, type, operands)                                                       \
    ROW(prefix "eq_" #type, operands, eq_##type), ROW(prefix "lg_" #type, operands, lg_##type),    \
        ROW(prefix "gt_" #type, operands, gt_##type),                                              \
        ROW(prefix "ge_" #type, operands, ge_##type),                                              \
        ROW(prefix "lt_" #type, operands, lt_##type), ROW(prefix "le_" #type, operands, le_##type)
#define FLOAT_ROWS(type, operands)                                                                 \
    INTEGER_ROWS("s_cmp_", type, operands), ROW("s_cmp_o_" #type, operands, o_##type),             \
        ROW("s_cmp_u_" #type, operands, u_##type), ROW("s_cmp_nge_" #type, operands, nge_##type),  \
        ROW("s_cmp_nlg_" #type, operands, nlg_##type),                                             \
        ROW("s_cmp_ngt_" #type, operands, ngt_##type),                                             \
        ROW("s_cmp_nle_" #type, operands, nle_##type),                                             \
        ROW("s_cmp_neq_" #type, operands, neq_##type),                                             \
        ROW("s_cmp_nlt_" #type, operands, nlt_##type)

static const struct emu_row rows[] = {
    INTEGER_ROWS("s_cmp_", i32, "=bb"),
    INTEGER_ROWS("s_cmp_", u32, "=bb"),
    INTEGER_ROWS("s_cmpk_", i32, "=bk"),
    INTEGER_ROWS("s_cmpk_", u32, "=bu"),
    ROW("s_cmp_eq_u64", "=qq", eq_u64),
    ROW("s_cmp_lg_u64", "=qq", lg_u64),
    FLOAT_ROWS(f32, "=ff"),
    FLOAT_ROWS(f16, "=hh"),
    ROW("s_bitcmp0_b32", "=bb", bitcmp0),
    ROW("s_bitcmp1_b32", "=bb", bitcmp1),
    ROW("s_bitcmp0_b64", "=qb", bitcmp0_64),
    ROW("s_bitcmp1_b64", "=qb", bitcmp1_64),
};

const struct emu_table emu_scalar_compare_table = {rows, sizeof rows / sizeof rows[0]};
