/* smem.c: scalar loads. */
#include "evaluator/emulator/isa/memory.h"
#include "evaluator/emulator/isa/scalar.h"
#include "evaluator/emulator/isa/tables.h"
#include <string.h>

static uint64_t register_pair(const struct emu_wave *wave, unsigned index)
{
    return (uint64_t)wave->sgpr[index + 1] << 32 | wave->sgpr[index];
}

/* An immediate offset is signed, one in a register is not. */
static int64_t offset_of(const struct emu_wave *wave, const struct emu_instruction *op)
{
    const struct emu_operand *offset = &op->src[1];
    const int64_t base = offset->kind == EMU_CONSTANT ? (int32_t)offset->value
                         : offset->kind == EMU_SGPR   ? (int64_t)wave->sgpr[offset->index]
                                                      : 0;
    return base + op->offset;
}

static void load_from(struct emu_wave *wave, const struct emu_instruction *op, uint64_t address)
{
    const uint32_t detail = op->row->detail, bytes = detail & EMU_BYTES;
    if (bytes >= 4)
        address &= ~UINT64_C(3);
    const void *from = emu_global_at(wave, address, bytes, false);
    uint32_t data[16] = {0};
    memcpy(data, from, bytes);
    if (detail & EMU_SIGNED)
        data[0] = (uint32_t)(bytes == 1 ? (int8_t)data[0] : (int16_t)data[0]);
    memcpy(&wave->sgpr[op->dst[0].index], data, bytes < 4 ? 4 : bytes);
}

static void load(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint64_t base = register_pair(wave, op->src[0].index);
    load_from(wave, op, base + (uint64_t)offset_of(wave, op));
}

/* What is outside of the buffer reads as 0. */
static void buffer_load(struct emu_wave *wave, const struct emu_instruction *op)
{
    const uint32_t *word = &wave->sgpr[op->src[0].index];
    const uint64_t base = register_pair(wave, op->src[0].index) & 0xffffffffffff;
    const uint32_t stride = word[1] >> 16 & 0x3fff, bytes = op->row->detail & EMU_BYTES;
    const uint64_t limit = stride ? (uint64_t)stride * word[2] : word[2];
    const uint64_t offset = (uint64_t)offset_of(wave, op);
    if (offset <= limit && bytes <= limit - offset)
        load_from(wave, op, base + offset);
    else
        memset(&wave->sgpr[op->dst[0].index], 0, bytes < 4 ? 4 : bytes);
}

#define ROW(name, handler, detail)                                                                 \
    {                                                                                              \
        name, "n=nn", EMU_SMEM, handler, {NULL}, detail                                            \
    }
#define LOADS(prefix, handler)                                                                     \
    ROW(prefix "b32", handler, 4), ROW(prefix "b64", handler, 8), ROW(prefix "b96", handler, 12),  \
        ROW(prefix "b128", handler, 16), ROW(prefix "b256", handler, 32),                          \
        ROW(prefix "b512", handler, 64), ROW(prefix "u8", handler, 1),                             \
        ROW(prefix "i8", handler, 1 | EMU_SIGNED), ROW(prefix "u16", handler, 2),                  \
        ROW(prefix "i16", handler, 2 | EMU_SIGNED)

static const struct emu_row rows[] = {
    LOADS("s_load_", load),
    LOADS("s_buffer_load_", buffer_load),
};

const struct emu_table emu_smem_table = {rows, sizeof rows / sizeof rows[0]};
