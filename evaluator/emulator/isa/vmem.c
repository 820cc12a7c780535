/* vmem.c: vector loads and stores: global, flat, scratch and buffer. */
#include "evaluator/emulator/isa/vmem.h"
#include "evaluator/emulator/isa/tables.h"
#include <string.h>

/* An operand as 32 addresses: two registers, or one as an unsigned offset; 0 when it is off. */
static void vector_address(const struct emu_wave *wave, const struct emu_operand *operand,
                           uint64_t addresses[EMU_LANES])
{
    const uint32_t *low = wave->vgpr[operand->index], *high = wave->vgpr[operand->index + 1];
    if (operand->kind != EMU_VGPR)
        memset(addresses, 0, EMU_LANES * sizeof addresses[0]);
    else if (operand->count == 2)
        for (int lane = 0; lane < EMU_LANES; lane++)
            addresses[lane] = (uint64_t)high[lane] << 32 | low[lane];
    else
        for (int lane = 0; lane < EMU_LANES; lane++)
            addresses[lane] = low[lane];
}

static uint64_t scalar_address(const struct emu_wave *wave, const struct emu_operand *operand)
{
    if (operand->kind != EMU_SGPR)
        return operand->kind == EMU_CONSTANT ? (uint32_t)operand->value : 0;
    const uint64_t low = wave->sgpr[operand->index];
    return operand->count == 2 ? (uint64_t)wave->sgpr[operand->index + 1] << 32 | low : low;
}

/* A buffer descriptor's four words (RDNA2 ISA, table "Buffer Resource Descriptor"). */
struct buffer {
    uint64_t base;
    uint32_t stride;
    uint32_t records;
    bool scratch; /* adds the lane's number: the descriptor of scratch, made by dispatch.c */
};

static struct buffer buffer_of(const struct emu_wave *wave, const struct emu_operand *descriptor)
{
    const uint32_t *word = &wave->sgpr[descriptor->index];
    return (struct buffer){
        .base = word[0] | (uint64_t)(word[1] & 0xffff) << 32,
        .stride = word[1] >> 16 & 0x3fff,
        .records = word[2],
        .scratch = word[3] >> 23 & 1,
    };
}

/* Addresses of buffers are offsets: emu_vmem_at() adds the base when it has checked the bounds. A
 * scalar offset into scratch counts the bytes of all lanes together. */
static void buffer_offsets(const struct emu_wave *wave, const struct emu_instruction *op,
                           const struct emu_operand *first, uint64_t addresses[EMU_LANES])
{
    const struct buffer buffer = buffer_of(wave, &first[1]);
    const uint32_t scalar = (uint32_t)scalar_address(wave, &first[2]);
    const uint32_t fixed = (uint32_t)op->offset + (buffer.scratch ? scalar / EMU_LANES : scalar);
    const uint32_t *vector = wave->vgpr[first->index];
    for (int lane = 0; lane < EMU_LANES; lane++) {
        uint32_t offset = fixed;
        if (op->idxen)
            offset += vector[lane] * buffer.stride;
        if (op->offen)
            offset += wave->vgpr[first->index + (op->idxen ? 1 : 0)][lane];
        addresses[lane] = offset;
    }
}

void emu_vmem_addresses(struct emu_wave *wave, const struct emu_instruction *op,
                        const struct emu_operand *first, uint64_t addresses[EMU_LANES])
{
    const uint32_t space = op->row->detail & EMU_SPACE;
    if (space == EMU_BUFFER) {
        buffer_offsets(wave, op, first, addresses);
        return;
    }
    vector_address(wave, first, addresses);
    uint64_t fixed = (uint64_t)(int64_t)op->offset;
    if (space != EMU_FLAT)
        fixed += scalar_address(wave, &first[1]);
    for (int lane = 0; lane < EMU_LANES; lane++)
        addresses[lane] += fixed;
}

static void *buffer_at(struct emu_wave *wave, const struct emu_instruction *op, int lane,
                       uint64_t offset, uint32_t bytes, bool write)
{
    const struct emu_operand *descriptor = &op->src[op->destinations ? 1 : 2];
    const struct buffer buffer = buffer_of(wave, descriptor);
    if (buffer.scratch)
        return emu_scratch_at(wave, lane, offset, bytes);
    const uint64_t limit =
        buffer.stride ? (uint64_t)buffer.stride * buffer.records : buffer.records;
    if (offset + bytes > limit)
        return NULL;
    return emu_global_at(wave, buffer.base + offset, bytes, write);
}

void *emu_vmem_at(struct emu_wave *wave, const struct emu_instruction *op, int lane,
                  uint64_t address, uint32_t bytes, bool write)
{
    switch (op->row->detail & EMU_SPACE) {
    case EMU_GLOBAL:
        return emu_global_at(wave, address, bytes, write);
    case EMU_FLAT:
        return emu_flat_at(wave, lane, address, bytes, write);
    case EMU_SCRATCH:
        return emu_scratch_at(wave, lane, (uint32_t)address, bytes);
    default:
        return buffer_at(wave, op, lane, address, bytes, write);
    }
}

static bool together(struct emu_wave *wave, const struct emu_instruction *op,
                     const uint64_t addresses[EMU_LANES], bool write)
{
    const uint32_t detail = op->row->detail, space = detail & EMU_SPACE;
    return (space == EMU_GLOBAL || space == EMU_FLAT) &&
           emu_global_lanes(wave, addresses, detail & EMU_BYTES, write);
}

static void load(struct emu_wave *wave, const struct emu_instruction *op)
{
    static const uint32_t nothing[4];
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    uint64_t addresses[EMU_LANES];
    emu_vmem_addresses(wave, op, &op->src[0], addresses);
    if (together(wave, op, addresses, false)) {
        emu_load_lanes(wave, op->dst[0].index, 0, addresses, detail);
        return;
    }
    for (int lane = 0; lane < EMU_LANES; lane++) {
        if (!emu_active(exec, lane))
            continue;
        const void *from = emu_vmem_at(wave, op, lane, addresses[lane], bytes, false);
        emu_load_lane(wave, op->dst[0].index, lane, from ? from : nothing, detail);
    }
}

/* Buffers name the data before the address, the others behind it. */
static void store(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t exec = emu_exec(wave), detail = op->row->detail, bytes = detail & EMU_BYTES;
    const bool buffer = (detail & EMU_SPACE) == EMU_BUFFER;
    const struct emu_operand *data = &op->src[buffer ? 0 : 1];
    struct emu_operand address[3] = {op->src[0], op->src[2]};
    if (buffer)
        memcpy(address, &op->src[1], sizeof address);
    uint64_t addresses[EMU_LANES];
    emu_vmem_addresses(wave, op, address, addresses);
    if (together(wave, op, addresses, true)) {
        emu_store_lanes(wave, data->index, 0, addresses, detail);
        return;
    }
    for (int lane = 0; lane < EMU_LANES; lane++) {
        if (!emu_active(exec, lane))
            continue;
        void *to = emu_vmem_at(wave, op, lane, addresses[lane], bytes, true);
        if (to)
            emu_store_lane(wave, data->index, lane, to, detail);
    }
}

#define ROW(name, operands, handler, detail)                                                       \
    {                                                                                              \
        name, operands, EMU_VMEM, handler, {NULL}, detail                                          \
    }
#define LOADS(prefix, operands, space)                                                             \
    ROW(prefix "load_b32", operands, load, 4 | (space)),                                           \
        ROW(prefix "load_b64", operands, load, 8 | (space)),                                       \
        ROW(prefix "load_b96", operands, load, 12 | (space)),                                      \
        ROW(prefix "load_b128", operands, load, 16 | (space)),                                     \
        ROW(prefix "load_u8", operands, load, 1 | (space)),                                        \
        ROW(prefix "load_i8", operands, load, 1 | EMU_SIGNED | (space)),                           \
        ROW(prefix "load_u16", operands, load, 2 | (space)),                                       \
        ROW(prefix "load_i16", operands, load, 2 | EMU_SIGNED | (space)),                          \
        ROW(prefix "load_d16_u8", operands, load, 1 | EMU_D16 | (space)),                          \
        ROW(prefix "load_d16_i8", operands, load, 1 | EMU_SIGNED | EMU_D16 | (space)),             \
        ROW(prefix "load_d16_b16", operands, load, 2 | EMU_D16 | (space)),                         \
        ROW(prefix "load_d16_hi_u8", operands, load, 1 | EMU_D16 | EMU_D16_HIGH | (space)),        \
        ROW(prefix "load_d16_hi_i8", operands, load,                                               \
            1 | EMU_SIGNED | EMU_D16 | EMU_D16_HIGH | (space)),                                    \
        ROW(prefix "load_d16_hi_b16", operands, load, 2 | EMU_D16 | EMU_D16_HIGH | (space))
#define STORES(prefix, operands, space)                                                            \
    ROW(prefix "store_b32", operands, store, 4 | (space)),                                         \
        ROW(prefix "store_b64", operands, store, 8 | (space)),                                     \
        ROW(prefix "store_b96", operands, store, 12 | (space)),                                    \
        ROW(prefix "store_b128", operands, store, 16 | (space)),                                   \
        ROW(prefix "store_b8", operands, store, 1 | (space)),                                      \
        ROW(prefix "store_b16", operands, store, 2 | (space)),                                     \
        ROW(prefix "store_d16_hi_b8", operands, store, 1 | EMU_D16_HIGH | (space)),                \
        ROW(prefix "store_d16_hi_b16", operands, store, 2 | EMU_D16_HIGH | (space))

static const struct emu_row rows[] = {
    LOADS("global_", "n=nn", EMU_GLOBAL),   STORES("global_", "=nnn", EMU_GLOBAL),
    LOADS("flat_", "n=n", EMU_FLAT),        STORES("flat_", "=nn", EMU_FLAT),
    LOADS("scratch_", "n=nn", EMU_SCRATCH), STORES("scratch_", "=nnn", EMU_SCRATCH),
    LOADS("buffer_", "n=nnn", EMU_BUFFER),  STORES("buffer_", "=nnnn", EMU_BUFFER),
};

const struct emu_table emu_vmem_table = {rows, sizeof rows / sizeof rows[0]};
