/* scalar.c: scalar operations on integers and masks. */
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/number.h"
#include "evaluator/emulator/isa/tables.h"

static bool is_wide(uint8_t type)
{
    return type == 'q' || type == 'l' || type == 'd';
}

uint64_t emu_scalar_read(const struct emu_wave *wave, const struct emu_operand *operand)
{
    uint64_t value = operand->value;
    if (operand->kind == EMU_SGPR) {
        value = wave->sgpr[operand->index];
        if (is_wide(operand->type))
            value |= (uint64_t)wave->sgpr[operand->index + 1] << 32;
    }
    if (!is_wide(operand->type))
        value = (uint32_t)value;
    const uint64_t sign = operand->type == 'h' ? 0x8000 : 0x80000000;
    if (operand->absolute)
        value &= ~sign;
    return operand->negative ? value ^ sign : value;
}

void emu_scalar_write(struct emu_wave *wave, const struct emu_operand *operand, uint64_t value)
{
    wave->sgpr[operand->index] = (uint32_t)value;
    if (is_wide(operand->type))
        wave->sgpr[operand->index + 1] = (uint32_t)(value >> 32);
}

void emu_scalar(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t a = emu_scalar_read(wave, &op->src[0]), b = emu_scalar_read(wave, &op->src[1]);
    const uint64_t c = emu_scalar_read(wave, &op->src[2]);
    const uint64_t result = op->row->scalar(a, b, c, &wave->scc);
    if (op->destinations)
        emu_scalar_write(wave, &op->dst[0], result);
}

/* dst = EXEC, EXEC = f(source, EXEC). */
static void save_exec(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t before = emu_exec(wave);
    const uint64_t source = emu_scalar_read(wave, &op->src[0]);
    const uint32_t after = (uint32_t)op->row->scalar(source, before, 0, &wave->scc);
    emu_scalar_write(wave, &op->dst[0], before);
    wave->sgpr[EMU_EXEC] = after;
}

/* dst = EXEC = f(source, EXEC). */
static void write_exec(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t source = emu_scalar_read(wave, &op->src[0]);
    const uint64_t after = op->row->scalar(source, emu_exec(wave), 0, &wave->scc);
    emu_scalar_write(wave, &op->dst[0], after);
    wave->sgpr[EMU_EXEC] = (uint32_t)after;
}

#define A32 ((uint32_t)a)
#define B32 ((uint32_t)b)
#define SIGNED(x) ((int32_t)(x))

EMU_SCALAR_KEEP(mov, a)
EMU_SCALAR_KEEP(cmov, *scc ? a : b)
EMU_SCALAR_KEEP(cselect, *scc ? a : b)
EMU_SCALAR_NONZERO(not32, uint32_t, ~a)
EMU_SCALAR_NONZERO(not64, uint64_t, ~a)
/* Both widths: of zero-extended sources the upper half comes out 0 where no complement is taken. */
EMU_SCALAR_NONZERO(and, uint64_t, a &b)
EMU_SCALAR_NONZERO(or, uint64_t, a | b)
EMU_SCALAR_NONZERO(xor, uint64_t, a ^ b)
EMU_SCALAR_NONZERO(and_not1, uint64_t, a & ~b)
EMU_SCALAR_NONZERO(and_not0, uint64_t, ~a &b)
EMU_SCALAR_NONZERO(or_not1_32, uint32_t, a | ~b)
EMU_SCALAR_NONZERO(or_not1_64, uint64_t, a | ~b)
EMU_SCALAR_NONZERO(or_not0_32, uint32_t, ~a | b)
EMU_SCALAR_NONZERO(not_and32, uint32_t, ~(a &b))
EMU_SCALAR_NONZERO(not_and64, uint64_t, ~(a &b))
EMU_SCALAR_NONZERO(not_or32, uint32_t, ~(a | b))
EMU_SCALAR_NONZERO(not_or64, uint64_t, ~(a | b))
EMU_SCALAR_NONZERO(not_xor32, uint32_t, ~(a ^ b))
EMU_SCALAR_NONZERO(not_xor64, uint64_t, ~(a ^ b))
EMU_SCALAR_NONZERO(lshl32, uint32_t, A32 << (b & 31))
EMU_SCALAR_NONZERO(lshl64, uint64_t, a << (b & 63))
EMU_SCALAR_NONZERO(lshr32, uint32_t, A32 >> (b & 31))
EMU_SCALAR_NONZERO(lshr64, uint64_t, a >> (b & 63))
EMU_SCALAR_NONZERO(ashr32, uint32_t, SIGNED(a) >> (b & 31))
EMU_SCALAR_NONZERO(ashr64, uint64_t, (int64_t)a >> (b & 63))
static uint64_t signed_field(int64_t value, uint64_t offset, uint64_t width)
{
    if (width == 0)
        return 0;
    const uint64_t unused = width >= 64 ? 0 : 64 - width;
    return (uint64_t)((int64_t)((uint64_t)(value >> offset) << unused) >> unused);
}

EMU_SCALAR_NONZERO(bfe_u32, uint32_t,
                   (b >> 16 & 127) >= 32 ? A32 >> (b & 31) : emu_bits_of(A32, B32, b >> 16 & 127))
EMU_SCALAR_NONZERO(bfe_i32, uint32_t,
                   (b >> 16 & 127) >= 32 ? (uint32_t)(SIGNED(a) >> (b & 31))
                                         : emu_signed_bits_of(A32, B32, b >> 16 & 127))
EMU_SCALAR_NONZERO(bfe_u64, uint64_t,
                   (a >> (b & 63)) & ((b >> 16 & 127) >= 64 ? ~UINT64_C(0)
                                                            : (UINT64_C(1) << (b >> 16 & 127)) - 1))
EMU_SCALAR_NONZERO(bfe_i64, uint64_t, signed_field((int64_t)a, b & 63, b >> 16 & 127))
EMU_SCALAR_KEEP(bfm32, ((1u << (a & 31)) - 1) << (b & 31))
EMU_SCALAR_KEEP(bfm64, ((UINT64_C(1) << (a & 63)) - 1) << (b & 63))
EMU_SCALAR_KEEP(brev32, emu_reverse_bits(A32))
EMU_SCALAR_KEEP(brev64,
                (uint64_t)emu_reverse_bits(A32) << 32 | emu_reverse_bits((uint32_t)(a >> 32)))
EMU_SCALAR_NONZERO(bcnt1_32, uint32_t, __builtin_popcount(A32))
EMU_SCALAR_NONZERO(bcnt1_64, uint32_t, __builtin_popcountll(a))
EMU_SCALAR_NONZERO(bcnt0_32, uint32_t, 32 - __builtin_popcount(A32))
EMU_SCALAR_KEEP(ctz32, emu_trailing_zeros(A32))
EMU_SCALAR_KEEP(ctz64, a ? (uint32_t)__builtin_ctzll(a) : UINT32_MAX)
EMU_SCALAR_KEEP(clz32, emu_leading_zeros(A32))
EMU_SCALAR_KEEP(clz64, a ? (uint32_t)__builtin_clzll(a) : UINT32_MAX)
EMU_SCALAR_KEEP(cls32, emu_leading_signs(A32))
EMU_SCALAR_KEEP(sext8, (uint32_t)(int8_t)a)
EMU_SCALAR_KEEP(sext16, (uint32_t)(int16_t)a)
EMU_SCALAR_KEEP(bitset0, b & ~(UINT64_C(1) << (a & 31)))
EMU_SCALAR_KEEP(bitset1, b | UINT64_C(1) << (a & 31))
EMU_SCALAR_NONZERO(abs_, uint32_t, SIGNED(a) < 0 ? 0 - A32 : A32)
EMU_SCALAR_NONZERO(absdiff, uint32_t, SIGNED(a) > SIGNED(b) ? A32 - B32 : B32 - A32)

EMU_SCALAR_FN(add_u32, *scc = (a + b) >> 32 & 1; return a + b;)
EMU_SCALAR_FN(sub_u32, *scc = A32 < B32; return a - b;)
EMU_SCALAR_FN(addc, const uint64_t sum = a + b + *scc; *scc = sum >> 32 & 1; return sum;)
EMU_SCALAR_FN(subb, const uint64_t sum = a - b - *scc; *scc = sum >> 32 & 1; return sum;)
EMU_SCALAR_FN(add_i32, int32_t sum; *scc = __builtin_add_overflow(SIGNED(a), SIGNED(b), &sum);
              return (uint32_t)sum;)
EMU_SCALAR_FN(sub_i32, int32_t sum; *scc = __builtin_sub_overflow(SIGNED(a), SIGNED(b), &sum);
              return (uint32_t)sum;)
EMU_SCALAR_KEEP(add64, a + b)
EMU_SCALAR_KEEP(sub64, a - b)
EMU_SCALAR_KEEP(mul, a *b)
EMU_SCALAR_KEEP(mul_hi_u, a *b >> 32)
EMU_SCALAR_KEEP(mul_hi_i, (int64_t)SIGNED(a) * SIGNED(b) >> 32)
#define SHIFT_ADD(shift)                                                                           \
    EMU_SCALAR_FN(lshl##shift##_add, const uint64_t sum = (uint64_t)(A32 << (shift)) + b;          \
                  *scc = ((a << (shift)) + b) >> 32 != 0; return sum;)
SHIFT_ADD(1)
SHIFT_ADD(2)
SHIFT_ADD(3)
SHIFT_ADD(4)
EMU_SCALAR_FN(min_i, *scc = SIGNED(a) < SIGNED(b); return *scc ? a : b;)
EMU_SCALAR_FN(max_i, *scc = SIGNED(a) > SIGNED(b); return *scc ? a : b;)
EMU_SCALAR_FN(min_u, *scc = a < b; return *scc ? a : b;)
EMU_SCALAR_FN(max_u, *scc = a > b; return *scc ? a : b;)
EMU_SCALAR_KEEP(pack_ll, (a & 0xffff) | (b & 0xffff) << 16)
EMU_SCALAR_KEEP(pack_lh, (a & 0xffff) | (b & 0xffff0000))
EMU_SCALAR_KEEP(pack_hh, a >> 16 | (b & 0xffff0000))
EMU_SCALAR_KEEP(pack_hl, a >> 16 | (b & 0xffff) << 16)

#define ROW(name, operands, function)                                                              \
    {                                                                                              \
        name, operands, EMU_SALU, emu_scalar, {.scalar = function}, 0                              \
    }
#define EXEC_ROW(name, handler, function)                                                          \
    {                                                                                              \
        name, "b=b", EMU_SALU, handler, {.scalar = function}, 0                                    \
    }

static const struct emu_row rows[] = {
    ROW("s_mov_b32", "b=b", mov),
    ROW("s_mov_b64", "q=q", mov),
    ROW("s_movk_i32", "b=k", mov),
    ROW("s_cmov_b32", "b=bD", cmov),
    ROW("s_cmov_b64", "q=qD", cmov),
    ROW("s_cmovk_i32", "b=kD", cmov),
    ROW("s_cselect_b32", "b=bb", cselect),
    ROW("s_cselect_b64", "q=qq", cselect),
    ROW("s_not_b32", "b=b", not32),
    ROW("s_not_b64", "q=q", not64),
    ROW("s_and_b32", "b=bb", and),
    ROW("s_and_b64", "q=qq", and),
    ROW("s_or_b32", "b=bb", or),
    ROW("s_or_b64", "q=qq", or),
    ROW("s_xor_b32", "b=bb", xor),
    ROW("s_xor_b64", "q=qq", xor),
    ROW("s_and_not1_b32", "b=bb", and_not1),
    ROW("s_and_not1_b64", "q=qq", and_not1),
    ROW("s_or_not1_b32", "b=bb", or_not1_32),
    ROW("s_or_not1_b64", "q=qq", or_not1_64),
    ROW("s_nand_b32", "b=bb", not_and32),
    ROW("s_nand_b64", "q=qq", not_and64),
    ROW("s_nor_b32", "b=bb", not_or32),
    ROW("s_nor_b64", "q=qq", not_or64),
    ROW("s_xnor_b32", "b=bb", not_xor32),
    ROW("s_xnor_b64", "q=qq", not_xor64),
    ROW("s_lshl_b32", "b=bb", lshl32),
    ROW("s_lshl_b64", "q=qb", lshl64),
    ROW("s_lshr_b32", "b=bb", lshr32),
    ROW("s_lshr_b64", "q=qb", lshr64),
    ROW("s_ashr_i32", "b=bb", ashr32),
    ROW("s_ashr_i64", "l=lb", ashr64),
    ROW("s_bfe_u32", "b=bb", bfe_u32),
    ROW("s_bfe_i32", "b=bb", bfe_i32),
    ROW("s_bfe_u64", "q=qb", bfe_u64),
    ROW("s_bfe_i64", "q=qb", bfe_i64),
    ROW("s_bfm_b32", "b=bb", bfm32),
    ROW("s_bfm_b64", "q=bb", bfm64),
    ROW("s_brev_b32", "b=b", brev32),
    ROW("s_brev_b64", "q=q", brev64),
    ROW("s_bcnt1_i32_b32", "b=b", bcnt1_32),
    ROW("s_bcnt1_i32_b64", "b=q", bcnt1_64),
    ROW("s_bcnt0_i32_b32", "b=b", bcnt0_32),
    ROW("s_ctz_i32_b32", "b=b", ctz32),
    ROW("s_ctz_i32_b64", "b=q", ctz64),
    ROW("s_clz_i32_u32", "b=b", clz32),
    ROW("s_clz_i32_u64", "b=q", clz64),
    ROW("s_cls_i32", "b=b", cls32),
    ROW("s_sext_i32_i8", "b=b", sext8),
    ROW("s_sext_i32_i16", "b=b", sext16),
    ROW("s_bitset0_b32", "b=bD", bitset0),
    ROW("s_bitset1_b32", "b=bD", bitset1),
    ROW("s_abs_i32", "b=b", abs_),
    ROW("s_absdiff_i32", "b=bb", absdiff),
    ROW("s_add_u32", "b=bb", add_u32),
    ROW("s_sub_u32", "b=bb", sub_u32),
    ROW("s_addc_u32", "b=bb", addc),
    ROW("s_subb_u32", "b=bb", subb),
    ROW("s_add_i32", "b=bb", add_i32),
    ROW("s_sub_i32", "b=bb", sub_i32),
    ROW("s_addk_i32", "b=kD", add_i32),
    ROW("s_add_nc_u64", "q=qq", add64),
    ROW("s_sub_nc_u64", "q=qq", sub64),
    ROW("s_mul_i32", "b=bb", mul),
    ROW("s_mulk_i32", "b=kD", mul),
    ROW("s_mul_u64", "q=qq", mul),
    ROW("s_mul_hi_u32", "b=bb", mul_hi_u),
    ROW("s_mul_hi_i32", "b=bb", mul_hi_i),
    ROW("s_lshl1_add_u32", "b=bb", lshl1_add),
    ROW("s_lshl2_add_u32", "b=bb", lshl2_add),
    ROW("s_lshl3_add_u32", "b=bb", lshl3_add),
    ROW("s_lshl4_add_u32", "b=bb", lshl4_add),
    ROW("s_min_i32", "b=bb", min_i),
    ROW("s_max_i32", "b=bb", max_i),
    ROW("s_min_u32", "b=bb", min_u),
    ROW("s_max_u32", "b=bb", max_u),
    ROW("s_pack_ll_b32_b16", "b=bb", pack_ll),
    ROW("s_pack_lh_b32_b16", "b=bb", pack_lh),
    ROW("s_pack_hh_b32_b16", "b=bb", pack_hh),
    ROW("s_pack_hl_b32_b16", "b=bb", pack_hl),
    EXEC_ROW("s_and_saveexec_b32", save_exec, and),
    EXEC_ROW("s_or_saveexec_b32", save_exec, or),
    EXEC_ROW("s_xor_saveexec_b32", save_exec, xor),
    EXEC_ROW("s_and_not0_saveexec_b32", save_exec, and_not0),
    EXEC_ROW("s_and_not1_saveexec_b32", save_exec, and_not1),
    EXEC_ROW("s_or_not0_saveexec_b32", save_exec, or_not0_32),
    EXEC_ROW("s_or_not1_saveexec_b32", save_exec, or_not1_32),
    EXEC_ROW("s_nand_saveexec_b32", save_exec, not_and32),
    EXEC_ROW("s_nor_saveexec_b32", save_exec, not_or32),
    EXEC_ROW("s_xnor_saveexec_b32", save_exec, not_xor32),
    EXEC_ROW("s_and_not0_wrexec_b32", write_exec, and_not0),
    EXEC_ROW("s_and_not1_wrexec_b32", write_exec, and_not1),
};

const struct emu_table emu_scalar_table = {rows, sizeof rows / sizeof rows[0]};
