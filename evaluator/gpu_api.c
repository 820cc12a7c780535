#include "evaluator/gpu_api.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 6
#define NOT_FOUND 500 /* hipErrorNotFound, CUDA_ERROR_NOT_FOUND */

/* Newest first. Up to ROCm 5.2 the compiler is inside the driver's library. builtins is what the
 * compiler opens by itself when it is asked to compile, by its version's numbers. */
static const struct {
    const char *name;
    const char *drivers[MAX_NAMES], *compilers[MAX_NAMES], *comgrs[MAX_NAMES], *builtins[MAX_NAMES];
    const char *no_driver, *no_compiler;
} vendors[BP_GPU_KIND_COUNT] = {
    [BP_GPU_AMD] = {"amd",
                    {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so",
                     "/opt/rocm/lib/libamdhip64.so"},
                    {"libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", "libamdhip64.so.5",
                     "libhiprtc.so", "/opt/rocm/lib/libhiprtc.so"},
                    {"libamd_comgr.so.3", "libamd_comgr.so.2"},
                    {"libhiprtc-builtins.so.7", "libhiprtc-builtins.so.6",
                     "libhiprtc-builtins.so.5"},
                    "no libamdhip64; on Debian 12: apt-get install libamdhip64-5",
                    "no hipRTC; on Debian 12: apt-get install libamdhip64-5"},
    [BP_GPU_NVIDIA] = {"nvidia",
                       {"libcuda.so.1"},
                       {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so"},
                       {NULL},
                       {NULL}, /* its name has both numbers */
                       "no libcuda.so.1; it comes with NVIDIA's driver",
                       "no NVRTC; it comes with the CUDA toolkit, 12 or 13"},
};

struct entry {
    size_t offset;
    const char *names[BP_GPU_KIND_COUNT]; /* null: the vendor has no such function */
};

#define AT(member) offsetof(struct bp_gpu_api, member)

static const struct entry driver_entries[] = {
    {AT(init), {"hipInit", "cuInit"}},
    {AT(driver_version), {"hipDriverGetVersion", "cuDriverGetVersion"}},
    {AT(device_count), {"hipGetDeviceCount", "cuDeviceGetCount"}},
    {AT(device_get), {"hipDeviceGet", "cuDeviceGet"}},
    {AT(device_name), {"hipDeviceGetName", "cuDeviceGetName"}},
    {AT(device_attribute), {"hipDeviceGetAttribute", "cuDeviceGetAttribute"}},
    {AT(device_memory), {"hipDeviceTotalMem", "cuDeviceTotalMem_v2"}},
    {AT(memory_info), {"hipMemGetInfo", "cuMemGetInfo_v2"}},
    {AT(device_synchronize), {"hipDeviceSynchronize", "cuCtxSynchronize"}},
    {AT(memory_alloc), {"hipMalloc", "cuMemAlloc_v2"}},
    {AT(memory_free), {"hipFree", "cuMemFree_v2"}},
    {AT(copy_to_device), {"hipMemcpyHtoD", "cuMemcpyHtoD_v2"}},
    {AT(copy_to_host), {"hipMemcpyDtoH", "cuMemcpyDtoH_v2"}},
    {AT(copy_on_device), {"hipMemcpyDtoD", "cuMemcpyDtoD_v2"}},
    {AT(memory_set), {"hipMemsetD8", "cuMemsetD8_v2"}},
    {AT(module_load), {"hipModuleLoadData", "cuModuleLoadData"}},
    {AT(module_unload), {"hipModuleUnload", "cuModuleUnload"}},
    {AT(module_function), {"hipModuleGetFunction", "cuModuleGetFunction"}},
    {AT(function_attribute), {"hipFuncGetAttribute", "cuFuncGetAttribute"}},
    {AT(function_set), {NULL, "cuFuncSetAttribute"}},
    {AT(launch), {"hipModuleLaunchKernel", "cuLaunchKernel"}},
    {AT(stream_create), {"hipStreamCreateWithFlags", "cuStreamCreate"}},
    {AT(stream_destroy), {"hipStreamDestroy", "cuStreamDestroy_v2"}},
    {AT(stream_query), {"hipStreamQuery", "cuStreamQuery"}},
    {AT(stream_synchronize), {"hipStreamSynchronize", "cuStreamSynchronize"}},
    {AT(event_create), {"hipEventCreateWithFlags", "cuEventCreate"}},
    {AT(event_destroy), {"hipEventDestroy", "cuEventDestroy_v2"}},
    {AT(event_record), {"hipEventRecord", "cuEventRecord"}},
    {AT(event_query), {"hipEventQuery", "cuEventQuery"}},
    {AT(event_synchronize), {"hipEventSynchronize", "cuEventSynchronize"}},
    {AT(event_elapsed), {"hipEventElapsedTime", "cuEventElapsedTime"}},
    {AT(set_device), {"hipSetDevice", NULL}},
    {AT(amd_error_name), {"hipGetErrorName", NULL}},
    {AT(amd_properties), {"hipGetDeviceProperties", NULL}},
    {AT(context_retain), {NULL, "cuDevicePrimaryCtxRetain"}},
    {AT(context_set), {NULL, "cuCtxSetCurrent"}},
    {AT(nvidia_error_name), {NULL, "cuGetErrorName"}},
};

static const struct entry compiler_entries[] = {
    {AT(compiler_version), {"hiprtcVersion", "nvrtcVersion"}},
    {AT(program_create), {"hiprtcCreateProgram", "nvrtcCreateProgram"}},
    {AT(program_compile), {"hiprtcCompileProgram", "nvrtcCompileProgram"}},
    {AT(program_log_size), {"hiprtcGetProgramLogSize", "nvrtcGetProgramLogSize"}},
    {AT(program_log), {"hiprtcGetProgramLog", "nvrtcGetProgramLog"}},
    {AT(program_code_size), {"hiprtcGetCodeSize", "nvrtcGetCUBINSize"}},
    {AT(program_code), {"hiprtcGetCode", "nvrtcGetCUBIN"}},
    {AT(program_destroy), {"hiprtcDestroyProgram", "nvrtcDestroyProgram"}},
    {AT(compiler_error), {"hiprtcGetErrorString", "nvrtcGetErrorString"}},
};

/* The numbers of HIP's enumeration are the same from ROCm 5.2 to 7; it has gaps that CUDA's has not. */
static const int attributes[BP_GPU_ATTRIBUTE_COUNT][BP_GPU_KIND_COUNT] = {
    [BP_GPU_MAX_BLOCK_THREADS] = {56, 1},
    [BP_GPU_MAX_GRID_X] = {29, 5},
    [BP_GPU_MAX_GRID_Y] = {30, 6},
    [BP_GPU_MAX_GRID_Z] = {31, 7},
    [BP_GPU_LDS_PER_BLOCK] = {74, 8},
    [BP_GPU_LDS_PER_BLOCK_OPTIN] = {74, 97},
    [BP_GPU_WAVE_SIZE] = {87, 10},
    [BP_GPU_REGISTERS_PER_BLOCK] = {71, 12},
    [BP_GPU_UNITS] = {63, 16},
    [BP_GPU_CLOCK_KHZ] = {5, 13},
    [BP_GPU_MEMORY_CLOCK_KHZ] = {60, 36},
    [BP_GPU_MEMORY_BUS_BITS] = {59, 37},
    [BP_GPU_L2_BYTES] = {19, 38},
    [BP_GPU_MAJOR] = {23, 75},
    [BP_GPU_MINOR] = {61, 76},
};

static void note_file(void *library, const char *name, char file[BP_GPU_LIBRARY_TEXT])
{
    struct link_map *map = NULL;
    char path[PATH_MAX];
    const char *real =
        dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 ? realpath(map->l_name, path) : NULL;
    const char *slash = real ? strrchr(real, '/') : NULL;
    snprintf(file, BP_GPU_LIBRARY_TEXT, "%s", slash ? slash + 1 : name);
}

static void *open_first(const char *const names[MAX_NAMES], char file[BP_GPU_LIBRARY_TEXT])
{
    for (int i = 0; i < MAX_NAMES && names[i]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) {
            note_file(library, names[i], file);
            return library;
        }
    }
    return NULL;
}

/* Beside the library, where the loader's own paths do not lead to it. */
static void open_beside(void *library, const char *name)
{
    char folder[PATH_MAX], path[2 * PATH_MAX];
    if (dlopen(name, RTLD_NOW | RTLD_LOCAL) || dlinfo(library, RTLD_DI_ORIGIN, folder) < 0)
        return;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static int find_all(struct bp_gpu_api *api, void *library, const struct entry *entries,
                    size_t count, const char *opened, struct bp_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i].names[api->kind];
        void *function = name ? dlsym(library, name) : NULL;
        if (name && !function)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "%s has no %s", opened, name);
        memcpy((char *)api + entries[i].offset, &function, sizeof function);
    }
    return 0;
}

static int open_driver(struct bp_gpu_api *api, struct bp_error *err)
{
    api->driver = open_first(vendors[api->kind].drivers, api->driver_library);
    if (!api->driver)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s", vendors[api->kind].no_driver);
    return find_all(api, api->driver, driver_entries,
                    sizeof driver_entries / sizeof *driver_entries, api->driver_library, err);
}

/* What is missing shows when it is needed: not every version needs it. */
static void open_companions(struct bp_gpu_api *api)
{
    char file[BP_GPU_LIBRARY_TEXT];
    int major = 0, minor = 0;
    api->comgr = open_first(vendors[api->kind].comgrs, file);
    open_first(vendors[api->kind].builtins, file);
    if (api->kind == BP_GPU_NVIDIA && api->compiler_version(&major, &minor) == 0) {
        snprintf(file, sizeof file, "libnvrtc-builtins.so.%d.%d", major, minor);
        open_beside(api->compiler, file);
    }
}

static int open_compiler(struct bp_gpu_api *api, struct bp_error *err)
{
    api->compiler = open_first(vendors[api->kind].compilers, api->compiler_library);
    if (!api->compiler)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s", vendors[api->kind].no_compiler);
    if (find_all(api, api->compiler, compiler_entries,
                 sizeof compiler_entries / sizeof *compiler_entries, api->compiler_library,
                 err) < 0)
        return -1;
    open_companions(api);
    return 0;
}

int bp_gpu_api_open(enum bp_gpu_kind kind, unsigned parts, struct bp_gpu_api *api,
                    struct bp_error *err)
{
    *api = (struct bp_gpu_api){.kind = kind};
    if ((parts & BP_GPU_DRIVER) && open_driver(api, err) < 0)
        return -1;
    return parts & BP_GPU_COMPILER ? open_compiler(api, err) : 0;
}

const char *bp_gpu_kind_name(enum bp_gpu_kind kind)
{
    return vendors[kind].name;
}

const char *bp_gpu_error_name(const struct bp_gpu_api *api, int status)
{
    const char *name = NULL;
    if (api->amd_error_name)
        name = api->amd_error_name(status);
    else if (api->nvidia_error_name && api->nvidia_error_name(status, &name) != 0)
        name = NULL;
    return name ? name : "error";
}

int bp_gpu_attribute(const struct bp_gpu_api *api, enum bp_gpu_attribute attribute, int device,
                     int *value)
{
    return api->device_attribute(value, attributes[attribute][api->kind], device);
}

int bp_gpu_use(const struct bp_gpu_api *api, int ordinal, int *device)
{
    int status = api->device_get(device, ordinal);
    if (status != 0)
        return status;
    if (api->set_device)
        return api->set_device(ordinal);
    void *context = NULL;
    status = api->context_retain(&context, *device);
    return status != 0 ? status : api->context_set(context);
}

/* Where "gfx…" stands in HIP's properties differs between ROCm 5, 6 and 7, and no attribute tells it. */
static int amd_arch(const struct bp_gpu_api *api, int device, char arch[BP_GPU_ARCH_TEXT])
{
    static const char allowed[] = "0123456789abcdef";
    char properties[16384] = {0}; /* 1472 bytes in ROCm 7 */
    int status = api->amd_properties(properties, device);
    const char *last = properties + sizeof properties - BP_GPU_ARCH_TEXT;
    for (const char *at = properties; status == 0 && at < last; at++) {
        size_t length = memcmp(at, "gfx", 3) == 0 ? strspn(at + 3, allowed) : 0;
        if (length >= 3 && length < BP_GPU_ARCH_TEXT - 4) {
            snprintf(arch, BP_GPU_ARCH_TEXT, "%.*s", (int)length + 3, at);
            return 0;
        }
    }
    return status != 0 ? status : NOT_FOUND;
}

int bp_gpu_device_arch(const struct bp_gpu_api *api, int device, char arch[BP_GPU_ARCH_TEXT])
{
    if (api->kind == BP_GPU_AMD)
        return amd_arch(api, device, arch);
    int major = 0, minor = 0;
    int status = bp_gpu_attribute(api, BP_GPU_MAJOR, device, &major);
    if (status == 0)
        status = bp_gpu_attribute(api, BP_GPU_MINOR, device, &minor);
    snprintf(arch, BP_GPU_ARCH_TEXT, "sm_%d%d", major, minor);
    return status;
}
