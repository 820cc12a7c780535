/* lds.c: loads and stores of LDS. */
#include "evaluator/emulator/memory.h"
#include "evaluator/emulator/tables.h"
#include <string.h>

/* Upper bits of a row's detail: the offsets of a pair count in such units of bytes. */
enum { STRIDE_SHIFT = 16 };

static void load(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    uint32_t address[EMU_LANES]; /* copied: the destination may be the same register */
    memcpy(address, wave->vgpr[op->src[0].index], sizeof address);
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(exec, lane))
            emu_load_lane(wave, op->dst[0].index, lane,
                          emu_lds_at(wave, (uint64_t)address[lane] + (uint32_t)op->offset, bytes),
                          detail);
}

static void store(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    const uint32_t *address = wave->vgpr[op->src[0].index];
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(exec, lane))
            emu_store_lane(wave, op->src[1].index, lane,
                           emu_lds_at(wave, (uint64_t)address[lane] + (uint32_t)op->offset, bytes),
                           detail);
}

static uint64_t pair_address(const struct emu_instruction *op, uint32_t base, int which)
{
    const uint32_t unit = op->row->detail >> STRIDE_SHIFT;
    return (uint64_t)base + (uint32_t)(which ? op->offset1 : op->offset) * unit;
}

static void load_pair(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), bytes = op->row->detail & EMU_BYTES;
    uint32_t address[EMU_LANES];
    memcpy(address, wave->vgpr[op->src[0].index], sizeof address);
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int which = 0; which < 2 && emu_active(exec, lane); which++)
            emu_load_lane(wave, op->dst[0].index + (unsigned)which * bytes / 4, lane,
                          emu_lds_at(wave, pair_address(op, address[lane], which), bytes), bytes);
}

static void store_pair(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), bytes = op->row->detail & EMU_BYTES;
    const uint32_t *address = wave->vgpr[op->src[0].index];
    for (int lane = 0; lane < EMU_LANES; lane++)
        for (int which = 0; which < 2 && emu_active(exec, lane); which++)
            emu_store_lane(wave, op->src[1 + which].index, lane,
                           emu_lds_at(wave, pair_address(op, address[lane], which), bytes), bytes);
}

#define ROW(name, operands, handler, detail)                                                       \
    {                                                                                              \
        name, operands, EMU_LDS, handler, {NULL}, detail                                           \
    }
#define PAIR(bytes, unit) (bytes) | (unit) << STRIDE_SHIFT

static const struct emu_row rows[] = {
    ROW("ds_load_b32", "n=n", load, 4),
    ROW("ds_load_b64", "n=n", load, 8),
    ROW("ds_load_b96", "n=n", load, 12),
    ROW("ds_load_b128", "n=n", load, 16),
    ROW("ds_load_u8", "n=n", load, 1),
    ROW("ds_load_i8", "n=n", load, 1 | EMU_SIGNED),
    ROW("ds_load_u16", "n=n", load, 2),
    ROW("ds_load_i16", "n=n", load, 2 | EMU_SIGNED),
    ROW("ds_load_u8_d16", "n=n", load, 1 | EMU_D16),
    ROW("ds_load_i8_d16", "n=n", load, 1 | EMU_SIGNED | EMU_D16),
    ROW("ds_load_u16_d16", "n=n", load, 2 | EMU_D16),
    ROW("ds_load_u8_d16_hi", "n=n", load, 1 | EMU_D16 | EMU_D16_HIGH),
    ROW("ds_load_i8_d16_hi", "n=n", load, 1 | EMU_SIGNED | EMU_D16 | EMU_D16_HIGH),
    ROW("ds_load_u16_d16_hi", "n=n", load, 2 | EMU_D16 | EMU_D16_HIGH),
    ROW("ds_load_2addr_b32", "n=n", load_pair, PAIR(4, 4)),
    ROW("ds_load_2addr_b64", "n=n", load_pair, PAIR(8, 8)),
    ROW("ds_load_2addr_stride64_b32", "n=n", load_pair, PAIR(4, 4 * 64)),
    ROW("ds_load_2addr_stride64_b64", "n=n", load_pair, PAIR(8, 8 * 64)),
    ROW("ds_store_b32", "=nn", store, 4),
    ROW("ds_store_b64", "=nn", store, 8),
    ROW("ds_store_b96", "=nn", store, 12),
    ROW("ds_store_b128", "=nn", store, 16),
    ROW("ds_store_b8", "=nn", store, 1),
    ROW("ds_store_b16", "=nn", store, 2),
    ROW("ds_store_b8_d16_hi", "=nn", store, 1 | EMU_D16_HIGH),
    ROW("ds_store_b16_d16_hi", "=nn", store, 2 | EMU_D16_HIGH),
    ROW("ds_store_2addr_b32", "=nnn", store_pair, PAIR(4, 4)),
    ROW("ds_store_2addr_b64", "=nnn", store_pair, PAIR(8, 8)),
    ROW("ds_store_2addr_stride64_b32", "=nnn", store_pair, PAIR(4, 4 * 64)),
    ROW("ds_store_2addr_stride64_b64", "=nnn", store_pair, PAIR(8, 8 * 64)),
};

const struct emu_table emu_lds_table = {rows, sizeof rows / sizeof rows[0]};
