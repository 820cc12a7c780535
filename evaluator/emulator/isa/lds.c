/* lds.c: loads and stores of LDS. */
#include "evaluator/emulator/isa/memory.h"
#include "evaluator/emulator/isa/tables.h"

/* Upper bits of a row's detail: the offsets of a pair count in such units of bytes. */
enum { STRIDE_SHIFT = 16 };

/* Offsets into LDS: the register's, and `fixed` bytes more. Copied, as the destination of a load may be
 * the same register. */
static void offsets_of(const struct emu_wave *wave, const struct emu_instruction *op,
                       uint64_t fixed, uint64_t offsets[EMU_LANES])
{
    const uint32_t *address = wave->vgpr[op->src[0].index];
    for (int lane = 0; lane < EMU_LANES; lane++)
        offsets[lane] = address[lane] + fixed;
}

/* Ends the dispatch at the first lane that is out of bounds. */
static void check(struct emu_wave *wave, const uint64_t offsets[EMU_LANES], uint32_t bytes)
{
    if (emu_lds_lanes(wave, offsets, bytes))
        return;
    for (int lane = 0; lane < EMU_LANES; lane++)
        if (emu_active(emu_exec(wave), lane))
            emu_lds_at(wave, offsets[lane], bytes);
}

static void load(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t detail = op->row->detail;
    uint64_t offsets[EMU_LANES];
    offsets_of(wave, op, (uint32_t)op->offset, offsets);
    check(wave, offsets, detail & EMU_BYTES);
    emu_load_lanes(wave, op->dst[0].index, (uintptr_t)wave->machine->lds, offsets, detail);
}

static void store(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t detail = op->row->detail;
    uint64_t offsets[EMU_LANES];
    offsets_of(wave, op, (uint32_t)op->offset, offsets);
    check(wave, offsets, detail & EMU_BYTES);
    emu_store_lanes(wave, op->src[1].index, (uintptr_t)wave->machine->lds, offsets, detail);
}

/* Both offsets of a pair, checked before anything is moved. */
static void pair_offsets(struct emu_wave *wave, const struct emu_instruction *op,
                         uint64_t offsets[2][EMU_LANES])
{
    const uint32_t unit = op->row->detail >> STRIDE_SHIFT, bytes = op->row->detail & EMU_BYTES;
    offsets_of(wave, op, (uint64_t)(uint32_t)op->offset * unit, offsets[0]);
    offsets_of(wave, op, (uint64_t)(uint32_t)op->offset1 * unit, offsets[1]);
    check(wave, offsets[0], bytes);
    check(wave, offsets[1], bytes);
}

static void load_pair(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t bytes = op->row->detail & EMU_BYTES;
    uint64_t offsets[2][EMU_LANES];
    pair_offsets(wave, op, offsets);
    for (unsigned i = 0; i < 2; i++)
        emu_load_lanes(wave, op->dst[0].index + i * bytes / 4, (uintptr_t)wave->machine->lds,
                       offsets[i], bytes);
}

static void store_pair(struct emu_wave *wave, const struct emu_instruction *op)
{
    uint64_t offsets[2][EMU_LANES];
    pair_offsets(wave, op, offsets);
    for (unsigned i = 0; i < 2; i++)
        emu_store_lanes(wave, op->src[1 + i].index, (uintptr_t)wave->machine->lds, offsets[i],
                        op->row->detail & EMU_BYTES);
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
