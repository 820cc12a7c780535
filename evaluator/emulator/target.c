#include "evaluator/emulator/target.h"

#include <stdio.h>
#include <string.h>

/* Few compute units: the runtime sizes its launches by them, and one thread does all the work. */
#define WAVE32(isa, name, chip, family, machine)                                                   \
    {                                                                                              \
        isa, "Emulated " name, chip, family, machine, 4, 2, 32, 32, 64 << 10, 1024, 2048           \
    }

/* Chip and family are those of one product each, from Linux' amdgpu_drv.c and amdgpu's asic
 * families; the machine is EF_AMDGPU_MACH_AMDGCN_* of LLVM's ELF.h. */
static const struct emu_target targets[] = {
    WAVE32("gfx1030", "Radeon RX 6800 XT", 0x73bf, 0x8f, 0x36),
    WAVE32("gfx1100", "Radeon RX 7900 XTX", 0x744c, 0x91, 0x41),
    WAVE32("gfx1200", "Radeon RX 9060 XT", 0x7590, 0x98, 0x48),
    WAVE32("gfx1201", "Radeon AI PRO R9700", 0x7551, 0x98, 0x4e),
};

const struct emu_target *emu_target_find(const char *isa)
{
    for (size_t n = 0; n < sizeof(targets) / sizeof(targets[0]); n++)
        if (strcmp(targets[n].isa, isa) == 0)
            return &targets[n];
    return NULL;
}

const char *emu_target_names(void)
{
    static char names[64];
    size_t used = 0;
    for (size_t n = 0; n < sizeof(targets) / sizeof(targets[0]); n++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", n ? ", " : "",
                                 targets[n].isa);
    return names;
}
