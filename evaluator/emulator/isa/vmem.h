/* vmem.h: addresses of vector memory instructions, for loads, stores and atomics. */
#ifndef EMU_VMEM_H
#define EMU_VMEM_H

#include "evaluator/emulator/isa/memory.h"

/* In a row's detail: where the address leads. */
enum {
    EMU_SPACE_SHIFT = 12,
    EMU_GLOBAL = 0 << EMU_SPACE_SHIFT,
    EMU_FLAT = 1 << EMU_SPACE_SHIFT,
    EMU_SCRATCH = 2 << EMU_SPACE_SHIFT,
    EMU_BUFFER = 3 << EMU_SPACE_SHIFT,
    EMU_SPACE = 3 << EMU_SPACE_SHIFT,
};

/* Addresses of all lanes from the operands that begin with `first`: the vector address and, but for
 * flat, the scalar one; for buffers the vector offset, the descriptor and the scalar offset. */
void emu_vmem_addresses(struct emu_wave *wave, const struct emu_instruction *op,
                        const struct emu_operand *first, uint64_t addresses[EMU_LANES]);

/* The bytes at a lane's address; NULL: outside of a buffer, where loads give 0 and stores nothing. */
void *emu_vmem_at(struct emu_wave *wave, const struct emu_instruction *op, int lane,
                  uint64_t address, uint32_t bytes, bool write);

#endif
