#include "evaluator/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const mix_names[BP_MIX_COUNT] = {
#define ROW(name) [BP_MIX_##name] = #name,
    BP_MIX_LIST(ROW)
#undef ROW
};

const char *bp_mix_name(enum bp_mix mix)
{
    return mix_names[mix];
}

bool bp_profile_wants(const char *name)
{
    static const char prefix[] = "gqa_kernel";
    if (strcmp(name, "gqa_plan") == 0)
        return true;
    const char *digit = name + sizeof prefix - 1;
    return strncmp(name, prefix, sizeof prefix - 1) == 0 && *digit >= '0' &&
           *digit < '0' + GQA_MAX_LAUNCHES && digit[1] == '\0';
}

struct bp_profile_kernel *bp_profile_add(struct bp_profile *profile, const char *name)
{
    for (uint32_t i = 0; i < profile->kernel_count; i++)
        if (strcmp(profile->kernels[i].name, name) == 0)
            return &profile->kernels[i];
    if (profile->kernel_count == BP_PROFILE_KERNELS)
        return NULL;
    struct bp_profile_kernel *kernel = &profile->kernels[profile->kernel_count++];
    *kernel = (struct bp_profile_kernel){0};
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    return kernel;
}

static int by_name(const void *a, const void *b)
{
    const struct bp_profile_kernel *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void bp_profile_finish(struct bp_profile *profile, const struct bp_gpu_arch *arch)
{
    qsort(profile->kernels, profile->kernel_count, sizeof *profile->kernels, by_name);
    for (uint32_t i = 0; i < profile->kernel_count; i++) {
        struct bp_profile_kernel *kernel = &profile->kernels[i];
        struct bp_gpu_usage usage = {.registers = kernel->vgpr + kernel->agpr,
                                     .scalar_registers = kernel->sgpr,
                                     .lds_bytes = kernel->lds_bytes,
                                     .block_threads = kernel->block_threads};
        kernel->occupancy = bp_gpu_occupancy(arch, &usage);
        kernel->occupancy_max = arch->waves;
    }
}

enum bp_verdict bp_profile_check(const struct bp_profile *profile, const struct bp_gpu_arch *arch,
                                 uint32_t spills_below, char *message, size_t size)
{
    for (uint32_t i = 0; i < profile->kernel_count; i++) {
        const struct bp_profile_kernel *kernel = &profile->kernels[i];
        const struct {
            const char *what;
            uint32_t value, limit;
        } rows[] = {
            {"bytes of static LDS", kernel->lds_bytes, arch->lds_static_max},
            {"vector registers", kernel->vgpr + kernel->agpr, arch->register_max},
            {"spilled vector registers", kernel->spills,
             spills_below ? spills_below - 1 : UINT32_MAX},
        };
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            if (rows[r].value <= rows[r].limit)
                continue;
            snprintf(message, size, "%s takes %" PRIu32 " %s, limit %" PRIu32 " on %s",
                     kernel->name, rows[r].value, rows[r].what, rows[r].limit, arch->name);
            return BP_VERDICT_RESOURCE_LIMIT;
        }
    }
    return BP_VERDICT_PASS;
}
