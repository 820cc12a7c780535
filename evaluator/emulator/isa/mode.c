/* mode.c: MODE's treatment of subnormal floats is just what MXCSR can do. */
#include "evaluator/emulator/isa/mode.h"
#include <xmmintrin.h>

enum {
    MXCSR_DEFAULT = 0x1f80, /* to nearest, no exception raises a signal */
    MXCSR_INPUTS_ARE_ZERO = 1 << 6,
    MXCSR_FLUSH_TO_ZERO = 1 << 15,
    KEEPS_INPUTS = 1,
    KEEPS_OUTPUTS = 2,
    KEEPS_BOTH = 3,
};

void emu_apply_mode(const struct emu_wave *wave)
{
    const uint32_t single = wave->mode >> EMU_MODE_DENORM_32_SHIFT;
    _mm_setcsr(MXCSR_DEFAULT | (single & KEEPS_INPUTS ? 0 : MXCSR_INPUTS_ARE_ZERO) |
               (single & KEEPS_OUTPUTS ? 0 : MXCSR_FLUSH_TO_ZERO));
}

void emu_set_mode(struct emu_wave *wave, uint32_t mode)
{
    const uint64_t address = wave->at ? wave->at->address : 0;
    if (mode & EMU_MODE_ROUND)
        emu_raise(wave, EMU_UNIMPLEMENTED, address, "a rounding mode other than to nearest even");
    if ((mode >> EMU_MODE_DENORM_16_64_SHIFT & KEEPS_BOTH) != KEEPS_BOTH)
        emu_raise(wave, EMU_UNIMPLEMENTED, address, "halves and doubles without subnormals");
    wave->mode = mode;
    emu_apply_mode(wave);
}
