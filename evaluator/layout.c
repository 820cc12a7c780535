#include "evaluator/layout.h"

#include <string.h>

#include "base/weaken.h"

#define SLOT_ALIGN 4096

/* Decodes as 65504 in f16, 2.7e36 in bf16 and f32: wrong, finite, and unlike any true output. */
#define POISON_LARGE 0x7bff
/* A NaN in all three. */
#define POISON_NAN 0x7fff

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Places a tensor behind at least one guard that follows `used` bytes. */
static struct bp_extent place(size_t *used, size_t bytes)
{
    struct bp_extent extent = {round_up(*used + BP_GUARD_BYTES, BP_TENSOR_ALIGN), bytes};
    *used = extent.offset + bytes;
    return extent;
}

void bp_layout_inputs(const struct bp_shape *shape, enum bp_dtype dtype,
                      struct bp_input_layout *layout)
{
    size_t used = 0;
    size_t element = bp_dtype_size(dtype);
    layout->q = place(&used, bp_shape_q_elements(shape) * element);
    layout->k = place(&used, bp_shape_kv_elements(shape) * element);
    layout->v = place(&used, bp_shape_kv_elements(shape) * element);
    layout->kv_lens = place(&used, shape->batch * sizeof(gqa_i32));
    layout->bytes = round_up(used + BP_GUARD_BYTES, SLOT_ALIGN);
}

void bp_layout_outputs(const struct bp_shape *shape, enum bp_dtype dtype,
                       struct bp_output_layout *layout)
{
    size_t used = 0;
    layout->o = place(&used, bp_shape_q_elements(shape) * bp_dtype_size(dtype));
    layout->bytes = round_up(used + BP_GUARD_BYTES, SLOT_ALIGN);
}

/* Byte i is byte i % 8 of the splitmix64 hash of (canary, i / 8). */
static uint8_t canary_byte(uint64_t canary, size_t i)
{
    uint64_t x = canary + (i / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return (uint8_t)(x >> (i % 8 * 8));
}

static void guard_range(size_t begin, size_t end, uint64_t canary, uint8_t *slot)
{
    for (size_t i = begin; i < end; i++)
        slot[i] = canary_byte(canary, i);
}

static size_t check_range(size_t begin, size_t end, uint64_t canary, const uint8_t *slot)
{
    for (size_t i = begin; i < end; i++) {
        if (slot[i] != canary_byte(canary, i))
            return i;
    }
    return SIZE_MAX;
}

/* Everything between the extents (in order of offset) and up to the slot's end is guard. */
static void guard_around(const struct bp_extent *extents, size_t count, size_t slot_bytes,
                         uint64_t canary, void *slot)
{
    size_t begin = 0;
    for (size_t i = 0; i < count; i++) {
        guard_range(begin, extents[i].offset, canary, slot);
        begin = extents[i].offset + extents[i].bytes;
    }
    guard_range(begin, slot_bytes, canary, slot);
}

static size_t check_around(const struct bp_extent *extents, size_t count, size_t slot_bytes,
                           uint64_t canary, const void *slot)
{
    size_t begin = 0;
    if (bp_weakened(BP_DEFENCE_guards))
        return SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t changed = check_range(begin, extents[i].offset, canary, slot);
        if (changed != SIZE_MAX)
            return changed;
        begin = extents[i].offset + extents[i].bytes;
    }
    return check_range(begin, slot_bytes, canary, slot);
}

void bp_layout_guard_inputs(const struct bp_input_layout *layout, uint64_t canary, void *slot)
{
    const struct bp_extent extents[] = {layout->q, layout->k, layout->v, layout->kv_lens};
    guard_around(extents, 4, layout->bytes, canary, slot);
}

void bp_layout_guard_outputs(const struct bp_output_layout *layout, uint64_t canary, void *slot)
{
    guard_around(&layout->o, 1, layout->bytes, canary, slot);
}

size_t bp_layout_check_inputs(const struct bp_input_layout *layout, uint64_t canary,
                              const void *slot)
{
    const struct bp_extent extents[] = {layout->q, layout->k, layout->v, layout->kv_lens};
    return check_around(extents, 4, layout->bytes, canary, slot);
}

size_t bp_layout_check_outputs(const struct bp_output_layout *layout, uint64_t canary,
                               const void *slot)
{
    return check_around(&layout->o, 1, layout->bytes, canary, slot);
}

void bp_layout_poison_output(const struct bp_output_layout *layout, enum bp_poison poison,
                             void *slot)
{
    uint16_t *at = (uint16_t *)((uint8_t *)slot + layout->o.offset);
    uint16_t word = poison == BP_POISON_LARGE ? POISON_LARGE : POISON_NAN;
    if (bp_weakened(BP_DEFENCE_output_poison))
        return;
    for (size_t i = 0; i < layout->o.bytes / sizeof *at; i++)
        at[i] = word;
}
