#include "evaluator/look.h"

#include <stdio.h>
#include <string.h>

#include "evaluator/gpu_api.h"

static void look_at_compiler(enum bp_gpu_kind kind)
{
    struct bp_gpu_api api;
    struct bp_error err;
    int major = 0, minor = 0;
    if (bp_gpu_api_open(kind, BP_GPU_COMPILER, &api, &err) < 0) {
        printf("no_compiler %s\n", err.msg);
        return;
    }
    api.compiler_version(&major, &minor);
    printf("compiler %s %d.%d, %s\n", kind == BP_GPU_AMD ? "hipRTC" : "NVRTC", major, minor,
           api.compiler_library);
}

static void look_at_gpu(const struct bp_gpu_api *api, int ordinal)
{
    char name[128] = "", arch[BP_GPU_ARCH_TEXT] = "?";
    size_t bytes = 0;
    int device;
    if (api->device_get(&device, ordinal) != 0)
        return;
    api->device_name(name, sizeof name, device);
    api->device_memory(&bytes, device);
    bp_gpu_device_arch(api, device, arch);
    printf("gpu %s %zu %s\n", arch, bytes >> 20, name);
}

static void look_at_driver(enum bp_gpu_kind kind)
{
    struct bp_gpu_api api;
    struct bp_error err;
    int version = 0, count = 0;
    if (bp_gpu_api_open(kind, BP_GPU_DRIVER, &api, &err) < 0) {
        printf("no_library %s\n", err.msg);
        return;
    }
    printf("library %s\n", api.driver_library);
    fflush(stdout); /* what follows may never come back */
    int status = api.init(0);
    printf("init %d %s\n", status, bp_gpu_error_name(&api, status));
    fflush(stdout);
    status = api.device_count(&count);
    printf("count %d %d %s\n", status == 0 ? count : 0, status, bp_gpu_error_name(&api, status));
    if (api.driver_version(&version) == 0 && version > 0)
        printf("driver %d\n", version);
    for (int i = 0; status == 0 && i < count; i++)
        look_at_gpu(&api, i);
}

int bp_look(const char *vendor)
{
    for (int kind = 0; kind < BP_GPU_KIND_COUNT; kind++) {
        if (strcmp(vendor, bp_gpu_kind_name((enum bp_gpu_kind)kind)) != 0)
            continue;
        look_at_compiler((enum bp_gpu_kind)kind);
        look_at_driver((enum bp_gpu_kind)kind);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    fprintf(stderr, "bulletproof-worker: no vendor '%s'\n", vendor);
    return 2;
}
