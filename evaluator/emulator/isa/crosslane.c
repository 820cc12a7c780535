/* crosslane.c: operations that move values between lanes, or between lanes and scalars. */
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/tables.h"
#include "evaluator/emulator/isa/valu.h"

enum { ROW_LANES = 16 };

static const uint32_t *lanes_of(const struct emu_wave *wave, const struct emu_operand *operand,
                                struct emu_operand_lanes *room)
{
    return emu_fetch(wave, operand, NULL, room);
}

static void read_first_lane(struct emu_wave *wave, const struct emu_instruction *op)
{
    struct emu_operand_lanes room;
    const uint32_t exec = emu_exec(wave);
    const int lane = exec ? __builtin_ctz(exec) : 0;
    emu_scalar_write(wave, &op->dst[0], lanes_of(wave, &op->src[0], &room)[lane]);
}

static void read_lane(struct emu_wave *wave, const struct emu_instruction *op)
{
    struct emu_operand_lanes room;
    const uint64_t lane = emu_scalar_read(wave, &op->src[1]) % EMU_LANES;
    emu_scalar_write(wave, &op->dst[0], lanes_of(wave, &op->src[0], &room)[lane]);
}

/* Whether the lane is active does not matter. */
static void write_lane(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t lane = emu_scalar_read(wave, &op->src[1]) % EMU_LANES;
    wave->vgpr[op->dst[0].index][lane] = (uint32_t)emu_scalar_read(wave, &op->src[0]);
}

/* Sixteen selectors of four bits in two scalars; detail: from the other row. op_sel is fetch inactive
 * and bound control. */
static void permute_rows(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t selectors =
        emu_scalar_read(wave, &op->src[2]) << 32 | emu_scalar_read(wave, &op->src[1]);
    const bool fetch_inactive = op->op_sel & 1, bound_ctrl = op->op_sel & 2;
    const uint32_t exec = emu_exec(wave), other = op->row->detail ? ROW_LANES : 0;
    struct emu_operand_lanes room;
    const uint32_t *from = lanes_of(wave, &op->src[0], &room);
    uint32_t result[EMU_LANES], written = exec;
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t row = (lane & ROW_LANES) ^ other;
        const uint32_t source = row | (selectors >> lane % ROW_LANES * 4 & 15);
        const bool valid = fetch_inactive || emu_active(exec, (int)source);
        result[lane] = valid ? from[source] : 0;
        if (!valid && !bound_ctrl)
            written &= ~(UINT32_C(1) << lane);
    }
    emu_write_vgpr(wave, op->dst[0].index, result, written);
}

static void swap(struct emu_wave *wave, const struct emu_instruction *op)
{
    uint32_t first[EMU_LANES], second[EMU_LANES];
    memcpy(first, wave->vgpr[op->dst[0].index], sizeof first);
    memcpy(second, wave->vgpr[op->src[0].index], sizeof second);
    emu_write_vgpr(wave, op->dst[0].index, second, emu_exec(wave));
    emu_write_vgpr(wave, op->src[0].index, first, emu_exec(wave));
}

/* ---- through the LDS unit; a value from an inactive lane is 0 ---- */

static uint32_t address_lane(uint32_t address, const struct emu_instruction *op)
{
    return (address + (uint32_t)op->offset) / 4 % EMU_LANES;
}

static void pull(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave);
    const uint32_t *address = wave->vgpr[op->src[0].index], *data = wave->vgpr[op->src[1].index];
    uint32_t result[EMU_LANES];
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t source = address_lane(address[lane], op);
        result[lane] = emu_active(exec, (int)source) ? data[source] : 0;
    }
    emu_write_vgpr(wave, op->dst[0].index, result, exec);
}

static void push(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave);
    const uint32_t *address = wave->vgpr[op->src[0].index], *data = wave->vgpr[op->src[1].index];
    uint32_t result[EMU_LANES] = {0};
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(exec, lane))
            result[address_lane(address[lane], op)] = data[lane];
    emu_write_vgpr(wave, op->dst[0].index, result, exec);
}

/* The offset's modes (RDNA2 ISA, DS_SWIZZLE_B32): lane masks, quads, rotation. */
static uint32_t swizzled_lane(struct emu_wave *wave, uint32_t lane, uint32_t offset)
{
    if (offset >= 0xe000)
        emu_raise(wave, EMU_UNIMPLEMENTED, wave->at->address, "ds_swizzle in FFT mode");
    if (offset >= 0xc000) {
        const uint32_t keep = offset & 31, count = offset >> 5 & 31;
        const uint32_t moved = offset & 0x400 ? lane - count : lane + count;
        return (lane & keep) | (moved & ~keep & 31);
    }
    if (offset & 0x8000)
        return (lane & ~3u) | (offset >> (lane & 3) * 2 & 3);
    return ((lane & offset & 31) | (offset >> 5 & 31)) ^ (offset >> 10 & 31);
}

static void swizzle(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), *data = wave->vgpr[op->src[0].index];
    uint32_t result[EMU_LANES];
    for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
        const uint32_t source = swizzled_lane(wave, lane, op->immediate);
        result[lane] = emu_active(exec, (int)source) ? data[source] : 0;
    }
    emu_write_vgpr(wave, op->dst[0].index, result, exec);
}

#define ROW(name, operands, class, handler, detail)                                                \
    {                                                                                              \
        name, operands, class, handler, {NULL}, detail                                             \
    }

static const struct emu_row rows[] = {
    ROW("v_readfirstlane_b32", "b=b", EMU_VALU, read_first_lane, 0),
    ROW("v_readlane_b32", "b=bb", EMU_VALU, read_lane, 0),
    ROW("v_writelane_b32", "b=bb", EMU_VALU, write_lane, 0),
    ROW("v_permlane16_b32", "b=bbb", EMU_VALU, permute_rows, 0),
    ROW("v_permlanex16_b32", "b=bbb", EMU_VALU, permute_rows, 1),
    ROW("v_swap_b32", "b=b", EMU_VALU, swap, 0),
    ROW("ds_bpermute_b32", "n=nn", EMU_LDS, pull, 0),
    ROW("ds_permute_b32", "n=nn", EMU_LDS, push, 0),
    ROW("ds_swizzle_b32", "n=n", EMU_LDS, swizzle, 0),
};

const struct emu_table emu_crosslane_table = {rows, sizeof rows / sizeof rows[0]};
