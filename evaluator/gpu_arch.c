#include "evaluator/gpu_arch.h"

#include <stdio.h>
#include <string.h>

#define KIB 1024u

#define GFX9(name, lds, registers, scalars, waves)                                                 \
    {                                                                                              \
        name, BP_GPU_AMD, 64, 1024, lds, lds, lds, registers, 8, registers, scalars, waves         \
    }
#define RDNA(name, registers, step)                                                                \
    {                                                                                              \
        name, BP_GPU_AMD, 32, 1024, 64 * KIB, 64 * KIB, 128 * KIB, registers, step, 256, 0, 16     \
    }
#define SM(name, per_block_kib, per_unit_kib, waves)                                               \
    {                                                                                              \
        name, BP_GPU_NVIDIA, 32, 1024, (per_block_kib)*KIB, 48 * KIB, (per_unit_kib)*KIB, 512, 8,  \
            255, 0, waves                                                                          \
    }

static const struct bp_gpu_arch table[] = {
    GFX9("gfx90a", 64 * KIB, 512, 800, 8),
    GFX9("gfx942", 64 * KIB, 512, 800, 8),
    GFX9("gfx950", 160 * KIB, 512, 800, 8),
    RDNA("gfx1030", 1024, 16),
    RDNA("gfx1031", 1024, 16),
    RDNA("gfx1032", 1024, 16),
    RDNA("gfx1100", 1536, 24),
    RDNA("gfx1101", 1536, 24),
    RDNA("gfx1102", 1024, 16),
    RDNA("gfx1200", 1536, 24),
    RDNA("gfx1201", 1536, 24),
    SM("sm_80", 163, 164, 16),
    SM("sm_86", 99, 100, 12),
    SM("sm_89", 99, 100, 12),
    SM("sm_90", 227, 228, 16),
};

#define COUNT (sizeof table / sizeof *table)

const struct bp_gpu_arch *bp_gpu_arch_find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const struct bp_gpu_arch *bp_gpu_arch_at(size_t index)
{
    return index < COUNT ? &table[index] : NULL;
}

bool bp_gpu_arch_is_emulated(const char *name)
{
    static const char *const emulated[] = {"gfx1030", "gfx1100", "gfx1200", "gfx1201"};
    for (size_t i = 0; i < sizeof emulated / sizeof *emulated; i++)
        if (strcmp(emulated[i], name) == 0)
            return true;
    return false;
}

void bp_gpu_arch_names(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < COUNT && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", table[i].name);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t bp_gpu_occupancy(const struct bp_gpu_arch *arch, const struct bp_gpu_usage *usage)
{
    uint32_t waves = arch->waves;
    uint32_t block_waves = (usage->block_threads + arch->wave_size - 1) / arch->wave_size;
    uint32_t step = arch->register_step;
    uint32_t registers = (usage->registers + step - 1) / step * step;
    if (registers > 0)
        waves = least(waves, arch->registers / registers);
    if (arch->scalar_registers > 0 && usage->scalar_registers > 0)
        waves = least(waves, arch->scalar_registers / usage->scalar_registers);
    if (block_waves == 0)
        return waves;
    /* Whole blocks only. */
    uint32_t blocks = waves * BP_GPU_SIMDS / block_waves;
    if (usage->lds_bytes > 0)
        blocks = least(blocks, arch->lds_unit_bytes / usage->lds_bytes);
    return least(waves, (blocks * block_waves + BP_GPU_SIMDS - 1) / BP_GPU_SIMDS);
}
