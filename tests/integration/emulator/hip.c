#include "tests/integration/emulator/hip.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to ROCm 5 hipRTC is a part of libamdhip64. */
static const char *const runtimes[] = {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5"};
static const char *const compilers[] = {"libhiprtc.so.7", "libhiprtc.so.6", "libamdhip64.so.5"};

static const struct {
    size_t offset;
    const char *name;
} entries[] = {
#define AT(member) offsetof(struct hip, member)
    {AT(init), "hipInit"},
    {AT(device_count), "hipGetDeviceCount"},
    {AT(device_properties), "hipGetDeviceProperties"},
    {AT(memory), "hipMemGetInfo"},
    {AT(allocate), "hipMalloc"},
    {AT(free), "hipFree"},
    {AT(fill), "hipMemset"},
    {AT(copy), "hipMemcpy"},
    {AT(load), "hipModuleLoadData"},
    {AT(unload), "hipModuleUnload"},
    {AT(function), "hipModuleGetFunction"},
    {AT(launch), "hipModuleLaunchKernel"},
    {AT(synchronize), "hipDeviceSynchronize"},
    {AT(stream_query), "hipStreamQuery"},
    {AT(event_create), "hipEventCreate"},
    {AT(event_record), "hipEventRecord"},
    {AT(event_synchronize), "hipEventSynchronize"},
    {AT(event_query), "hipEventQuery"},
    {AT(event_elapsed), "hipEventElapsedTime"},
    {AT(error_name), "hipGetErrorName"},
    {AT(rtc_create), "hiprtcCreateProgram"},
    {AT(rtc_compile), "hiprtcCompileProgram"},
    {AT(rtc_log_size), "hiprtcGetProgramLogSize"},
    {AT(rtc_log), "hiprtcGetProgramLog"},
    {AT(rtc_code_size), "hiprtcGetCodeSize"},
    {AT(rtc_code), "hiprtcGetCode"},
    {AT(report), "emu_report"},
#undef AT
};

static void *open_first(const char *const *names)
{
    void *library = NULL;
    for (size_t n = 0; n < 3 && !library; n++)
        library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL);
    return library;
}

const char *hip_open(const char *emulator, struct hip *hip)
{
    hip->emulator = dlopen(emulator, RTLD_NOW | RTLD_GLOBAL);
    if (!hip->emulator)
        return dlerror();
    void *libraries[] = {open_first(runtimes), open_first(compilers), hip->emulator};
    if (!libraries[0] || !libraries[1])
        return "no libamdhip64 (on Debian 12: apt-get install libamdhip64-5)";
    for (size_t n = 0; n < sizeof(entries) / sizeof(entries[0]); n++) {
        void *function = NULL;
        for (size_t library = 0; library < 3 && !function; library++)
            function = dlsym(libraries[library], entries[n].name);
        if (!function)
            return entries[n].name;
        memcpy((char *)hip + entries[n].offset, &function, sizeof(function));
    }
    return NULL;
}

void *hip_compile(const struct hip *hip, const char *source, const char *arch)
{
    char target[64];
    const char *options[] = {target, "-O3"};
    void *program = NULL;
    size_t bytes = 0;
    snprintf(target, sizeof(target), "--offload-arch=%s", arch);
    EXPECT(hip, hip->rtc_create(&program, source, "test.hip", 0, NULL, NULL), 0);
    if (hip->rtc_compile(program, 2, options) != 0) {
        hip->rtc_log_size(program, &bytes);
        char *log = calloc(1, bytes + 1);
        hip->rtc_log(program, log);
        fprintf(stderr, "%s\n", log);
        _exit(1);
    }
    EXPECT(hip, hip->rtc_code_size(program, &bytes), 0);
    char *code = malloc(bytes);
    EXPECT(hip, hip->rtc_code(program, code), 0);
    return code;
}

void hip_expect(const struct hip *hip, int got, int expected, const char *call, int line)
{
    if (got == expected)
        return;
    fprintf(stderr, "line %d: %s returned %d (%s), not %d\n", line, call, got, hip->error_name(got),
            expected);
    _exit(1);
}

void hip_expect_either(const struct hip *hip, int got, int first, int second, int line)
{
    if (got != first)
        hip_expect(hip, got, second, "the call", line);
}

void hip_require(int holds, const char *what, int line)
{
    if (holds)
        return;
    fprintf(stderr, "line %d: not %s\n", line, what);
    _exit(1);
}
