/* mode.h: how the emulating thread's arithmetic follows a wave's MODE register. */
#ifndef EMU_MODE_H
#define EMU_MODE_H

#include "evaluator/emulator/isa/wave.h"

/* Sets MODE and the thread's arithmetic. Ends the dispatch, as unimplemented, for a rounding other than
 * to nearest and for halves or doubles without subnormals. */
void emu_set_mode(struct emu_wave *wave, uint32_t mode);

/* Makes the thread's arithmetic the wave's, when it is the wave's turn. */
void emu_apply_mode(const struct emu_wave *wave);

#endif
