/* disassembler.h: amd_comgr's disassembler, loaded when it is first needed. */
#ifndef EMU_DISASSEMBLER_H
#define EMU_DISASSEMBLER_H

#include <stddef.h>
#include <stdint.h>

struct emu_disassembler;

/* One for an isa ("gfx1030"), kept for the life of the process; NULL, and a reason, when the library is
 * missing or does not know the isa. */
struct emu_disassembler *emu_disassembler_get(const char *isa, char *reason, size_t reason_size);

/* Disassembles one instruction of `size` bytes of code into *text. Returns the bytes it has, 0 when
 * there is none. */
uint32_t emu_disassemble(struct emu_disassembler *disassembler, const void *code, size_t size,
                         char *text, size_t text_size);

#endif
