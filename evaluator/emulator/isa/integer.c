/* integer.c: vector operations on 32-bit integers. */
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define SIGNED(x) ((int32_t)(x))
#define LOW24(x) ((x)&0xffffff)
#define SIGNED24(x) (SIGNED((x) << 8) >> 8)

EMU_INT_OP(mov, a)
EMU_INT_OP(not, ~a)
EMU_INT_OP(add, a + b)
EMU_INT_OP(sub, a - b)
EMU_INT_OP(subrev, b - a)
EMU_INT_OP(mul_lo, a *b)
EMU_INT_OP(mul_hi_u, (uint64_t)a *b >> 32)
EMU_INT_OP(mul_hi_i, (uint64_t)((int64_t)SIGNED(a) * SIGNED(b)) >> 32)
EMU_INT_OP(mul_u24, LOW24(a) * LOW24(b))
EMU_INT_OP(mul_i24, (uint32_t)SIGNED24(a) * (uint32_t)SIGNED24(b))
EMU_INT_OP(mul_hi_u24, (uint64_t)LOW24(a) * LOW24(b) >> 32)
EMU_INT_OP(mul_hi_i24, (uint64_t)((int64_t)SIGNED24(a) * SIGNED24(b)) >> 32)
EMU_INT_OP(mad_u24, LOW24(a) * LOW24(b) + c)
EMU_INT_OP(mad_i24, (uint32_t)SIGNED24(a) * (uint32_t)SIGNED24(b) + c)
EMU_INT_OP(lshlrev, b << (a & 31))
EMU_INT_OP(lshrrev, b >> (a & 31))
EMU_INT_OP(ashrrev, SIGNED(b) >> (a & 31))
EMU_INT_OP(and, a &b)
EMU_INT_OP(or, a | b)
EMU_INT_OP(xor, a ^ b)
EMU_INT_OP(xnor, ~(a ^ b))
EMU_INT_OP(lshl_add, (a << (b & 31)) + c)
EMU_INT_OP(lshl_or, a << (b & 31) | c)
EMU_INT_OP(add_lshl, (a + b) << (c & 31))
EMU_INT_OP(add3, a + b + c)
EMU_INT_OP(or3, a | b | c)
EMU_INT_OP(xor3, a ^ b ^ c)
EMU_INT_OP(and_or, (a & b) | c)
EMU_INT_OP(xad, (a ^ b) + c)
EMU_INT_OP(bfe_u, emu_bits_of(a, b, c))
EMU_INT_OP(bfe_i, emu_signed_bits_of(a, b, c))
EMU_INT_OP(bfi, (a & b) | (~a & c))
EMU_INT_OP(bfm, ((1u << (a & 31)) - 1) << (b & 31))
EMU_INT_OP(bfrev, emu_reverse_bits(a))
EMU_INT_OP(clz, emu_leading_zeros(a))
EMU_INT_OP(ctz, emu_trailing_zeros(a))
EMU_INT_OP(cls, emu_leading_signs(a))
EMU_INT_OP(bcnt, (uint32_t)__builtin_popcount(a) + b)
EMU_INT_OP(mbcnt_lo, (uint32_t)__builtin_popcount(a &((1u << lane) - 1)) + b)
EMU_INT_OP(mbcnt_hi, b) /* lanes 32 to 63, of which there are none */
EMU_INT_OP(max_i, MAX(SIGNED(a), SIGNED(b)))
EMU_INT_OP(min_i, MIN(SIGNED(a), SIGNED(b)))
EMU_INT_OP(max_u, MAX(a, b))
EMU_INT_OP(min_u, MIN(a, b))
EMU_INT_OP(max3_i, MAX(MAX(SIGNED(a), SIGNED(b)), SIGNED(c)))
EMU_INT_OP(min3_i, MIN(MIN(SIGNED(a), SIGNED(b)), SIGNED(c)))
EMU_INT_OP(max3_u, MAX(MAX(a, b), c))
EMU_INT_OP(min3_u, MIN(MIN(a, b), c))
EMU_INT_OP(med3_i, MAX(MIN(SIGNED(a), SIGNED(b)), MIN(MAX(SIGNED(a), SIGNED(b)), SIGNED(c))))
EMU_INT_OP(med3_u, MAX(MIN(a, b), MIN(MAX(a, b), c)))
EMU_INT_OP(maxmin_i, MIN(MAX(SIGNED(a), SIGNED(b)), SIGNED(c)))
EMU_INT_OP(minmax_i, MAX(MIN(SIGNED(a), SIGNED(b)), SIGNED(c)))
EMU_INT_OP(maxmin_u, MIN(MAX(a, b), c))
EMU_INT_OP(minmax_u, MAX(MIN(a, b), c))
EMU_INT_OP(alignbit, ((uint64_t)a << 32 | b) >> (c & 31))
EMU_INT_OP(alignbyte, ((uint64_t)a << 32 | b) >> (c & 3) * 8)
EMU_INT_OP(sad_u32, (a > b ? a - b : b - a) + c)
EMU_INT_OP(cndmask, c ? b : a)
EMU_INT_OP(pack, (a & 0xffff) | b << 16)

/* A selector's values above 7: sign bits of four halves, then constants. */
static uint32_t selected_byte(uint64_t bytes, uint32_t selector)
{
    if (selector < 8)
        return (uint32_t)(bytes >> selector * 8) & 0xff;
    if (selector < 12)
        return bytes >> ((selector - 8) * 16 + 15) & 1 ? 0xff : 0;
    return selector == 12 ? 0 : 0xff;
}

static uint32_t permuted(uint32_t a, uint32_t b, uint32_t selectors)
{
    const uint64_t bytes = (uint64_t)a << 32 | b;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++)
        result |= selected_byte(bytes, selectors >> i * 8 & 0xff) << i * 8;
    return result;
}
EMU_INT_OP(perm, permuted(a, b, c))

static uint32_t dot4(uint32_t a, uint32_t b, uint32_t c, bool is_signed)
{
    for (int i = 0; i < 32; i += 8)
        c += is_signed ? (uint32_t)((int8_t)(a >> i) * (int8_t)(b >> i))
                       : (a >> i & 0xff) * (b >> i & 0xff);
    return c;
}
EMU_INT_OP(dot4_i, dot4(a, b, c, true))
EMU_INT_OP(dot4_u, dot4(a, b, c, false))

/* Sums and differences that leave a carry in l->mask; `c` is a carry that comes in, or 0. */
#define CARRY_OP(name, sum)                                                                        \
    static void name(struct emu_lanes *l)                                                          \
    {                                                                                              \
        const uint32_t *pa = l->a, *pb = l->b, *pc = l->c;                                         \
        for (int lane = 0; lane < EMU_LANES; lane++) {                                             \
            const uint64_t a = pa[lane], b = pb[lane], c = pc[lane], result = (sum);               \
            l->result[lane] = (uint32_t)result;                                                    \
            l->mask[lane] = (uint32_t)(result >> 32) & 1;                                          \
        }                                                                                          \
    }
CARRY_OP(add_carry, a + b + c)
CARRY_OP(sub_carry, a - b - c)
CARRY_OP(subrev_carry, b - a - c)

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_VALU, emu_valu, {.lanes = function}, 0                                 \
    }

static const struct emu_row rows[] = {
    ROW("v_mov_b32", "b=b", mov),
    ROW("v_not_b32", "b=b", not ),
    ROW("v_add_nc_u32", "b=bb", add),
    ROW("v_sub_nc_u32", "b=bb", sub),
    ROW("v_subrev_nc_u32", "b=bb", subrev),
    ROW("v_add_nc_i32", "b=bb", add),
    ROW("v_sub_nc_i32", "b=bb", sub),
    ROW("v_mul_lo_u32", "b=bb", mul_lo),
    ROW("v_mul_hi_u32", "b=bb", mul_hi_u),
    ROW("v_mul_hi_i32", "b=bb", mul_hi_i),
    ROW("v_mul_u32_u24", "b=bb", mul_u24),
    ROW("v_mul_i32_i24", "b=bb", mul_i24),
    ROW("v_mul_hi_u32_u24", "b=bb", mul_hi_u24),
    ROW("v_mul_hi_i32_i24", "b=bb", mul_hi_i24),
    ROW("v_mad_u32_u24", "b=bbb", mad_u24),
    ROW("v_mad_i32_i24", "b=bbb", mad_i24),
    ROW("v_lshlrev_b32", "b=bb", lshlrev),
    ROW("v_lshrrev_b32", "b=bb", lshrrev),
    ROW("v_ashrrev_i32", "b=bb", ashrrev),
    ROW("v_and_b32", "b=bb", and),
    ROW("v_or_b32", "b=bb", or),
    ROW("v_xor_b32", "b=bb", xor),
    ROW("v_xnor_b32", "b=bb", xnor),
    ROW("v_lshl_add_u32", "b=bbb", lshl_add),
    ROW("v_lshl_or_b32", "b=bbb", lshl_or),
    ROW("v_add_lshl_u32", "b=bbb", add_lshl),
    ROW("v_add3_u32", "b=bbb", add3),
    ROW("v_or3_b32", "b=bbb", or3),
    ROW("v_xor3_b32", "b=bbb", xor3),
    ROW("v_and_or_b32", "b=bbb", and_or),
    ROW("v_xad_u32", "b=bbb", xad),
    ROW("v_bfe_u32", "b=bbb", bfe_u),
    ROW("v_bfe_i32", "b=bbb", bfe_i),
    ROW("v_bfi_b32", "b=bbb", bfi),
    ROW("v_bfm_b32", "b=bb", bfm),
    ROW("v_bfrev_b32", "b=b", bfrev),
    ROW("v_clz_i32_u32", "b=b", clz),
    ROW("v_ctz_i32_b32", "b=b", ctz),
    ROW("v_cls_i32", "b=b", cls),
    ROW("v_bcnt_u32_b32", "b=bb", bcnt),
    ROW("v_mbcnt_lo_u32_b32", "b=bb", mbcnt_lo),
    ROW("v_mbcnt_hi_u32_b32", "b=bb", mbcnt_hi),
    ROW("v_max_i32", "b=bb", max_i),
    ROW("v_min_i32", "b=bb", min_i),
    ROW("v_max_u32", "b=bb", max_u),
    ROW("v_min_u32", "b=bb", min_u),
    ROW("v_max3_i32", "b=bbb", max3_i),
    ROW("v_min3_i32", "b=bbb", min3_i),
    ROW("v_max3_u32", "b=bbb", max3_u),
    ROW("v_min3_u32", "b=bbb", min3_u),
    ROW("v_med3_i32", "b=bbb", med3_i),
    ROW("v_med3_u32", "b=bbb", med3_u),
    ROW("v_maxmin_i32", "b=bbb", maxmin_i),
    ROW("v_minmax_i32", "b=bbb", minmax_i),
    ROW("v_maxmin_u32", "b=bbb", maxmin_u),
    ROW("v_minmax_u32", "b=bbb", minmax_u),
    ROW("v_alignbit_b32", "b=bbb", alignbit),
    ROW("v_alignbyte_b32", "b=bbb", alignbyte),
    ROW("v_perm_b32", "b=bbb", perm),
    ROW("v_sad_u32", "b=bbb", sad_u32),
    ROW("v_pack_b32_f16", "b=hh", pack),
    ROW("v_cndmask_b32", "f=ffc", cndmask),
    ROW("v_dot4_i32_i8", "b=bbb", dot4_i),
    ROW("v_dot4_u32_u8", "b=bbb", dot4_u),
    ROW("v_dot4c_i32_i8", "b=bbD", dot4_i),
    ROW("v_add_co_u32", "bc=bb", add_carry),
    ROW("v_sub_co_u32", "bc=bb", sub_carry),
    ROW("v_subrev_co_u32", "bc=bb", subrev_carry),
    ROW("v_add_co_ci_u32", "bc=bbc", add_carry),
    ROW("v_sub_co_ci_u32", "bc=bbc", sub_carry),
    ROW("v_subrev_co_ci_u32", "bc=bbc", subrev_carry),
};

const struct emu_table emu_integer_table = {rows, sizeof rows / sizeof rows[0]};
