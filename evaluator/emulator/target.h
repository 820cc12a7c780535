/* target.h: the emulated architectures, one row each. */
#ifndef BP_EMULATOR_TARGET_H
#define BP_EMULATOR_TARGET_H

#include <stdint.h>

struct emu_target {
    const char *isa;  /* "gfx1030" */
    const char *name; /* of the product, as the device's name */
    uint32_t chip_id, family_id,
        elf_machine; /* PCI device, driver family, EF_AMDGPU_MACH of its objects */
    uint32_t compute_units, simds_per_unit, waves_per_unit;
    uint32_t wave_size, lds_bytes, workgroup_max;
    uint32_t memory_mib;
};

/* NULL if unknown. */
const struct emu_target *emu_target_find(const char *isa);

/* The names of all rows, separated by commas. */
const char *emu_target_names(void);

#endif
