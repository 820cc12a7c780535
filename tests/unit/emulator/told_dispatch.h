/* told_dispatch.h: an emu_dispatch_run for tests of the HSA side: it ends as it was told to. */
#ifndef BP_TESTS_TOLD_DISPATCH_H
#define BP_TESTS_TOLD_DISPATCH_H

#include "evaluator/emulator/isa/dispatch.h"

extern struct emu_outcome told_outcome;   /* what every dispatch reports */
extern volatile bool told_to_wait;        /* until *stop; then EMU_STOPPED */
extern volatile unsigned told_dispatches; /* how many there were */
extern struct emu_dispatch told_dispatch; /* the last one */

#endif
