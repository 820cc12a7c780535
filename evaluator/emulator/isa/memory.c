/* memory.c: what the kernel may touch. */
#include "evaluator/emulator/isa/memory.h"
#include <inttypes.h>
#include <string.h>

enum { PAGE_SHIFT = 12, PAGE_BYTES = 1 << PAGE_SHIFT };

static bool ask(const struct emu_dispatch *dispatch, uint64_t address, uint64_t bytes, bool write)
{
    return dispatch->may_access(dispatch->ctx, address, bytes, write);
}

/* May-access is asked once a page, not once a lane: its answers hold for the dispatch. */
static bool allowed(struct emu_machine *machine, uint64_t address, uint64_t bytes, bool write)
{
    const uint64_t page = address >> PAGE_SHIFT;
    struct emu_page *slot = &machine->pages[page % EMU_PAGES];
    uint64_t *known = write ? &slot->writable : &slot->readable;
    const bool within = (address & (PAGE_BYTES - 1)) + bytes <= PAGE_BYTES;
    if (within && *known == page + 1)
        return true;
    if (within && ask(machine->dispatch, page << PAGE_SHIFT, PAGE_BYTES, write)) {
        *known = page + 1;
        return true;
    }
    return ask(machine->dispatch, address, bytes, write);
}

bool emu_readable(struct emu_machine *machine, uint64_t address, uint64_t bytes)
{
    machine->touched = address;
    machine->touched_bytes = bytes;
    return !machine->dispatch->may_access || allowed(machine, address, bytes, false);
}

void *emu_global_at(struct emu_wave *wave, uint64_t address, uint32_t bytes, bool write)
{
    struct emu_machine *machine = wave->machine;
    machine->touched = address;
    machine->touched_bytes = bytes;
    if (machine->dispatch->may_access && !allowed(machine, address, bytes, write))
        emu_raise(wave, EMU_MEMORY_FAULT, address, "%s of %u bytes at 0x%" PRIx64,
                  write ? "write" : "read", bytes, address);
    return (void *)(uintptr_t)address;
}

void *emu_lds_at(struct emu_wave *wave, uint64_t offset, uint32_t bytes)
{
    const struct emu_machine *machine = wave->machine;
    if (offset > machine->lds_bytes || bytes > machine->lds_bytes - offset)
        emu_raise(wave, EMU_LDS_FAULT, offset, "%u bytes at LDS offset %" PRIu64 ", of %u", bytes,
                  offset, machine->lds_bytes);
    return machine->lds + offset;
}

void *emu_scratch_at(struct emu_wave *wave, int lane, uint64_t offset, uint32_t bytes)
{
    const uint32_t limit = wave->machine->private_bytes;
    if (offset > limit || bytes > limit - offset)
        emu_raise(wave, EMU_MEMORY_FAULT, offset, "%u bytes at scratch offset %" PRIu64 ", of %u",
                  bytes, offset, limit);
    return wave->scratch + (size_t)lane * limit + offset;
}

void *emu_flat_at(struct emu_wave *wave, int lane, uint64_t address, uint32_t bytes, bool write)
{
    const uint32_t aperture = (uint32_t)(address >> 32);
    if (aperture == EMU_SHARED_APERTURE_HI)
        return emu_lds_at(wave, (uint32_t)address, bytes);
    if (aperture == EMU_PRIVATE_APERTURE_HI)
        return emu_scratch_at(wave, lane, (uint32_t)address, bytes);
    return emu_global_at(wave, address, bytes, write);
}

static void load_small(struct emu_wave *wave, unsigned index, int lane, const uint8_t *from,
                       uint32_t detail)
{
    uint32_t value = from[0], *to = &wave->vgpr[index][lane];
    if ((detail & EMU_BYTES) == 2)
        value |= (uint32_t)from[1] << 8;
    if (detail & EMU_SIGNED)
        value = (uint32_t)((detail & EMU_BYTES) == 2 ? (int16_t)value : (int8_t)value);
    if (!(detail & EMU_D16))
        *to = value;
    else if (detail & EMU_D16_HIGH)
        *to = (*to & 0xffff) | value << 16;
    else
        *to = (*to & 0xffff0000) | (value & 0xffff);
}

void emu_load_lane(struct emu_wave *wave, unsigned index, int lane, const void *from,
                   uint32_t detail)
{
    const unsigned dwords = (detail & EMU_BYTES) / 4;
    uint32_t data[16];
    if (dwords == 0) {
        load_small(wave, index, lane, from, detail);
        return;
    }
    memcpy(data, from, dwords * sizeof data[0]);
    for (unsigned i = 0; i < dwords; i++)
        wave->vgpr[index + i][lane] = data[i];
}

void emu_store_lane(const struct emu_wave *wave, unsigned index, int lane, void *to,
                    uint32_t detail)
{
    const unsigned bytes = detail & EMU_BYTES;
    uint32_t data[16];
    data[0] = wave->vgpr[index][lane] >> (detail & EMU_D16_HIGH ? 16 : 0);
    for (unsigned i = 1; i < bytes / 4; i++)
        data[i] = wave->vgpr[index + i][lane];
    memcpy(to, data, bytes);
}

/* ---- all lanes at once ---- */

struct range {
    uint64_t low, high;
};

static struct range range_of(uint32_t exec, const uint64_t addresses[EMU_LANES])
{
    struct range range = {UINT64_MAX, 0};
    for (int lane = 0; lane < EMU_LANES; lane++) {
        const uint64_t low = emu_active(exec, lane) ? addresses[lane] : UINT64_MAX;
        const uint64_t high = emu_active(exec, lane) ? addresses[lane] : 0;
        range.low = low < range.low ? low : range.low;
        range.high = high > range.high ? high : range.high;
    }
    return range;
}

bool emu_lds_lanes(const struct emu_wave *wave, const uint64_t offsets[EMU_LANES], uint32_t bytes)
{
    const struct range range = range_of(emu_exec(wave), offsets);
    return range.low > range.high || range.high + bytes <= wave->machine->lds_bytes;
}

bool emu_global_lanes(struct emu_wave *wave, const uint64_t addresses[EMU_LANES], uint32_t bytes,
                      bool write)
{
    enum { MOST_PAGES = 16 };
    struct emu_machine *machine = wave->machine;
    const struct range range = range_of(emu_exec(wave), addresses);
    const uint64_t first = range.low >> PAGE_SHIFT, last = (range.high + bytes - 1) >> PAGE_SHIFT;
    if (range.low > range.high)
        return true; /* no lane is active */
    /* Beyond 48 bits there are apertures only. */
    if (last - first >= MOST_PAGES || range.high >> 48)
        return false;
    machine->touched = range.low;
    machine->touched_bytes = range.high + bytes - range.low;
    for (uint64_t page = first; machine->dispatch->may_access && page <= last; page++)
        if (!allowed(machine, page << PAGE_SHIFT, PAGE_BYTES, write))
            return false;
    return true;
}

enum direction { LOAD, STORE };

/* With `dwords` and the direction constants the compiler unrolls what is moved. */
static inline void move_words(struct emu_wave *wave, unsigned index, uint64_t base,
                              const uint64_t offsets[EMU_LANES], unsigned dwords,
                              enum direction direction)
{
    const uint32_t exec = emu_exec(wave);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        if (!emu_active(exec, lane))
            continue;
        uint32_t data[4];
        void *there = (void *)(uintptr_t)(base + offsets[lane]);
        if (direction == LOAD)
            memcpy(data, there, dwords * sizeof data[0]);
        for (unsigned i = 0; i < dwords; i++)
            if (direction == LOAD)
                wave->vgpr[index + i][lane] = data[i];
            else
                data[i] = wave->vgpr[index + i][lane];
        if (direction == STORE)
            memcpy(there, data, dwords * sizeof data[0]);
    }
}

/* What is no whole number of dwords, one lane after the other. */
static void move_small(struct emu_wave *wave, unsigned index, uint64_t base,
                       const uint64_t offsets[EMU_LANES], uint32_t detail, enum direction direction)
{
    const uint32_t exec = emu_exec(wave);
    for (int lane = 0; lane < EMU_LANES; lane++) {
        if (!emu_active(exec, lane))
            continue;
        void *there = (void *)(uintptr_t)(base + offsets[lane]);
        if (direction == LOAD)
            load_small(wave, index, lane, there, detail);
        else
            emu_store_lane(wave, index, lane, there, detail);
    }
}

static inline void move_lanes(struct emu_wave *wave, unsigned index, uint64_t base,
                              const uint64_t offsets[EMU_LANES], uint32_t detail,
                              enum direction direction)
{
    switch (detail & EMU_BYTES) {
    case 4:
        move_words(wave, index, base, offsets, 1, direction);
        break;
    case 8:
        move_words(wave, index, base, offsets, 2, direction);
        break;
    case 12:
        move_words(wave, index, base, offsets, 3, direction);
        break;
    case 16:
        move_words(wave, index, base, offsets, 4, direction);
        break;
    default:
        move_small(wave, index, base, offsets, detail, direction);
    }
}

void emu_load_lanes(struct emu_wave *wave, unsigned index, uint64_t base,
                    const uint64_t offsets[EMU_LANES], uint32_t detail)
{
    move_lanes(wave, index, base, offsets, detail, LOAD);
}

void emu_store_lanes(struct emu_wave *wave, unsigned index, uint64_t base,
                     const uint64_t offsets[EMU_LANES], uint32_t detail)
{
    move_lanes(wave, index, base, offsets, detail, STORE);
}
