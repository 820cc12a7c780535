#include "evaluator/gpu_open.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EMULATOR "libhsa-runtime64.so.1"

/* Which devices a library shows; the others do not exist for this process. */
static const struct {
    const char *visible;
    enum bp_gpu_kind kind;
} libraries[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_HIP] = {"ROCR_VISIBLE_DEVICES", BP_GPU_AMD},
    [BP_DEVICE_KIND_CUDA] = {"CUDA_VISIBLE_DEVICES", BP_GPU_NVIDIA},
    [BP_DEVICE_KIND_EMULATED] = {"HIP_VISIBLE_DEVICES", BP_GPU_AMD},
};

static struct {
    bool opened, sees_one;
    struct bp_gpu_api api;
} driver;

/* Beside this program, built or installed. libamdhip64 asks for a library of this name, and is content
 * with one that is there. */
static int open_emulator(struct bp_error *err)
{
    static const char *const folders[] = {"evaluator/emulator/", "emulator/", ""};
    char self[PATH_MAX], path[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return bp_fail_errno(err, "readlink /proc/self/exe");
    self[length] = '\0';
    char *slash = strrchr(self, '/');
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s" EMULATOR, self, folders[i]);
        if (access(path, R_OK) < 0)
            continue;
        if (dlopen(path, RTLD_NOW | RTLD_GLOBAL))
            return 0;
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the emulated GPU: %.200s", dlerror());
    }
    return bp_fail(err, BP_ERR_UNAVAILABLE, "no emulated GPU: there is no %s" EMULATOR, self);
}

/* libamdhip64 opens it when it starts, to compile its own small kernels: without, it sees no device. It is
 * also what vets an object (gpu_object.h). */
static void open_companion(struct bp_gpu_api *api)
{
    static const char *const names[] = {"libamd_comgr.so.3", "libamd_comgr.so.2"};
    for (size_t i = 0; i < sizeof names / sizeof *names && !api->comgr; i++)
        api->comgr = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
}

int bp_gpu_preload(enum bp_policy_id policy, bool sees_one, struct bp_error *err)
{
    bool emulated = policy == BP_POLICY_RUN_EMULATED;
    enum bp_gpu_kind kind = policy == BP_POLICY_RUN_NVIDIA ? BP_GPU_NVIDIA : BP_GPU_AMD;
    if (!emulated && policy != BP_POLICY_RUN_AMD && policy != BP_POLICY_RUN_NVIDIA)
        return 0;
    if ((emulated && open_emulator(err) < 0) ||
        bp_gpu_api_open(kind, BP_GPU_DRIVER, &driver.api, err) < 0)
        return -1;
    if (kind == BP_GPU_AMD)
        open_companion(&driver.api);
    driver.opened = true;
    driver.sees_one = sees_one;
    return 0;
}

/* The libraries read their environment when they start, not when they are opened. */
static void set_environment(const struct bp_device_name *name)
{
    bool first = driver.sees_one || name->kind == BP_DEVICE_KIND_EMULATED;
    char index[16];
    snprintf(index, sizeof index, "%u", first ? 0 : (unsigned)name->index);
    setenv(libraries[name->kind].visible, index, 1);
    setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1); /* that of the device nodes */
    if (name->kind == BP_DEVICE_KIND_EMULATED)
        setenv("BULLETPROOF_EMULATE", name->arch, 1);
}

const struct bp_gpu_api *bp_gpu_open(const struct bp_device_name *name, struct bp_error *err)
{
    struct bp_gpu_api *api = &driver.api;
    int count = 0, device;
    char index[16];
    if (!driver.opened || api->kind != libraries[name->kind].kind) {
        bp_fail(err, BP_ERR_STATE, "this process was not started for a device of kind %s",
                bp_device_kind_name(name->kind));
        return NULL;
    }
    if (api->kind == BP_GPU_AMD && !api->comgr) {
        bp_fail(err, BP_ERR_UNAVAILABLE, "no libamd_comgr, which reads objects (docs/sandbox.md)");
        return NULL;
    }
    set_environment(name);
    int status = api->init(0);
    if (status == 0)
        status = api->device_count(&count);
    if (status == 0 && count > 0)
        status = bp_gpu_use(api, 0, &device);
    if (status == 0 && count > 0)
        return api;
    snprintf(index, sizeof index, "%u", (unsigned)name->index);
    bp_fail(err, BP_ERR_UNAVAILABLE, "no device %s:%s: %s shows %d (%s, %d)",
            bp_device_kind_name(name->kind), name->arch[0] ? name->arch : index,
            api->driver_library, count, bp_gpu_error_name(api, status), status);
    return NULL;
}
