/* decode.h: programs: the decoded instructions of a kernel, kept from one dispatch to the next. */
#ifndef EMU_DECODE_H
#define EMU_DECODE_H

#include "evaluator/emulator/isa/wave.h"

/* The program of the machine's kernel, in machine->program: as decoded before if its code is still the
 * same. Returns 0, or -1 with the reason in outcome->what. */
int emu_program_open(struct emu_machine *machine);

/* The instruction at an address, decoding what is reached from there; NULL when there is no
 * memory. The program keeps it. */
const struct emu_instruction *emu_program_at(struct emu_machine *machine, uint64_t address);

#endif
