#include "harness/evolve/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evaluator/gpu_arch.h"
#include "harness/supervise/policies.h"

static const char *const drivers[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_HIP] = "AMD's kernel driver amdgpu makes it, for the groups render and video",
    [BP_DEVICE_KIND_CUDA] = "NVIDIA's kernel driver makes it",
};

/* In the order of "auto". The emulated device is a test double: nobody gets it unasked. */
static const char *const candidates[] = {"hip:0", "cuda:0", "cpu"};

static bool is_for(const struct bp_config *config, const char *name, enum bp_device_kind kind,
                   struct bp_error *err)
{
    return !config->source || bp_kernel_head_check_target(&config->head, name, kind, err) == 0;
}

static int check_driver(const char *name, enum bp_device_kind kind, struct bp_error *err)
{
    const char *missing = drivers[kind] ? bp_policy_missing(bp_policies_of(kind)->run) : NULL;
    if (!missing)
        return 0;
    return bp_fail(err, BP_ERR_USAGE,
                   "device %s cannot be used: %s: %s (%s). There are: auto, cpu, hip:N, cuda:N, "
                   "emu:ARCH; 'bulletproof doctor' says which work here",
                   name, missing, strerror(errno), drivers[kind]);
}

static int check_emulated(const struct bp_device_name *name, struct bp_error *err)
{
    char valid[200] = "";
    const struct bp_gpu_arch *arch;
    if (name->kind != BP_DEVICE_KIND_EMULATED || bp_gpu_arch_is_emulated(name->arch))
        return 0;
    for (size_t i = 0, used = 0; (arch = bp_gpu_arch_at(i)) && used < sizeof valid; i++)
        if (bp_gpu_arch_is_emulated(arch->name))
            used += (size_t)snprintf(valid + used, sizeof valid - used, "%semu:%s",
                                     used ? ", " : "", arch->name);
    return bp_fail(err, BP_ERR_USAGE, "no GPU '%s' is emulated (valid: %s)", name->arch, valid);
}

static int choose_first(const struct bp_config *config, struct bp_session_device *device,
                        struct bp_error *err)
{
    struct bp_device_name name;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (bp_device_name_parse(candidates[i], &name, err) < 0)
            return -1;
        if (!is_for(config, candidates[i], name.kind, err) ||
            check_driver(candidates[i], name.kind, err) < 0)
            continue;
        device->parsed = name;
        snprintf(device->name, sizeof device->name, "%s", candidates[i]);
        return 0;
    }
    return -1;
}

static int take_named(const struct bp_config *config, struct bp_session_device *device,
                      struct bp_error *err)
{
    if (bp_device_name_parse(config->device, &device->parsed, err) < 0 ||
        check_emulated(&device->parsed, err) < 0 ||
        !is_for(config, config->device, device->parsed.kind, err))
        return -1;
    snprintf(device->name, sizeof device->name, "%s", config->device);
    return check_driver(device->name, device->parsed.kind, err);
}

int bp_session_device_choose(const struct bp_config *config, const struct bp_host *host,
                             struct bp_session_device *device, struct bp_error *err)
{
    *device = (struct bp_session_device){0};
    bool named = strcmp(config->device, "auto") != 0;
    if ((named ? take_named(config, device, err) : choose_first(config, device, err)) < 0)
        return -1;
    const char *arch = device->parsed.kind == BP_DEVICE_KIND_CPU ? "native" : device->parsed.arch;
    snprintf(device->arch, sizeof device->arch, "%s", arch);
    if (device->parsed.kind == BP_DEVICE_KIND_CPU) {
        memcpy(device->title, host->cpu_name, sizeof device->title);
        return bp_host_check_compiler(err);
    }
    snprintf(device->title, sizeof device->title, "%s", device->name);
    return 0;
}
