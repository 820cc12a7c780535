/* memory.h: the checked ways to the bytes of memory, LDS and scratch.
 *
 * A pointer is good for one access, made before the next pointer is asked for. All of these end the
 * dispatch rather than return a pointer the kernel has no right to. */
#ifndef EMU_MEMORY_H
#define EMU_MEMORY_H

#include "evaluator/emulator/isa/wave.h"

void *emu_global_at(struct emu_wave *wave, uint64_t address, uint32_t bytes, bool write);
void *emu_lds_at(struct emu_wave *wave, uint64_t offset, uint32_t bytes);
/* Scratch of one lane. */
void *emu_scratch_at(struct emu_wave *wave, int lane, uint64_t offset, uint32_t bytes);
/* A generic pointer: memory, or through an aperture LDS or scratch. */
void *emu_flat_at(struct emu_wave *wave, int lane, uint64_t address, uint32_t bytes, bool write);

/* Whether the program's code may be read; never ends the dispatch. */
bool emu_readable(struct emu_machine *machine, uint64_t address, uint64_t bytes);

/* How loads and stores treat what they move; in the lower bits of a row's detail. */
enum {
    EMU_BYTES = 0xff, /* 1, 2 or a multiple of 4 */
    EMU_SIGNED = 1 << 8,
    EMU_D16 = 1 << 9,       /* a 16-bit register half; the other half stays */
    EMU_D16_HIGH = 1 << 10, /* with EMU_D16: the upper half */
};

/* Whether all active lanes' bytes lie in memory that may be accessed, so that nobody has to ask lane by
 * lane. False is no answer: they may be far apart, or behind an aperture. */
bool emu_global_lanes(struct emu_wave *wave, const uint64_t addresses[EMU_LANES], uint32_t bytes,
                      bool write);
/* The same of offsets into LDS. */
bool emu_lds_lanes(const struct emu_wave *wave, const uint64_t offsets[EMU_LANES], uint32_t bytes);

/* Moves active lanes' data between base + offset and the registers from `index` up. */
void emu_load_lanes(struct emu_wave *wave, unsigned index, uint64_t base,
                    const uint64_t offsets[EMU_LANES], uint32_t detail);
void emu_store_lanes(struct emu_wave *wave, unsigned index, uint64_t base,
                     const uint64_t offsets[EMU_LANES], uint32_t detail);

/* Moves one lane's data between memory and the registers from `index` up. */
void emu_load_lane(struct emu_wave *wave, unsigned index, int lane, const void *from,
                   uint32_t detail);
void emu_store_lane(const struct emu_wave *wave, unsigned index, int lane, void *to,
                    uint32_t detail);

#endif
