/* A GPU behind its vendor's driver, real or emulated. Candidates' code runs on the device; in this process
 * run the library and what is below.
 *
 * Launches and copies are in the order of one stream. Nothing here blocks for a kernel: it is asked again
 * and again whether it has ended, so that a fault that the runtime reports meanwhile is seen. One that
 * never ends meets the supervisor's deadline. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/random.h"
#include "evaluator/device.h"
#include "evaluator/gpu_faults.h"
#include "evaluator/gpu_object.h"
#include "evaluator/gpu_open.h"
#include "evaluator/layout.h"

#define GUARD_BYTES 4096
#define WARM_UP_BYTES ((size_t)4 << 20)
#define IN_ORDER 0 /* a stream that waits for copies and fills, and they for it */

struct bp_device_module {
    bp_gpu_module module;
    bp_gpu_function plan, kernels[GQA_MAX_LAUNCHES]; /* null where the object has none */
    int static_lds[GQA_MAX_LAUNCHES];
    void *plan_there; /* a struct gqa_launch_plan */
};

/* A process has one device. */
static struct {
    const struct bp_gpu_api *api;
    bp_gpu_stream stream;
    struct bp_device_limits limits;
    unsigned char *guards[2]; /* before and behind the workspace, there; null without */
    unsigned char guard[GUARD_BYTES];
    char printed[4096];
} gpu;

/* A refusal is of one call. An error that whatever is asked next answers too is left behind by what ran
 * before, which may have been the library's own. */
static bool has_failed(void)
{
    int status = gpu.api->stream_query(gpu.stream);
    return status != 0 && status != BP_GPU_NOT_READY;
}

static enum bp_verdict fail(enum bp_gpu_moment moment, int status, const char *what,
                            char message[BP_TEXT_LINE])
{
    enum bp_verdict verdict = bp_gpu_faults_seen(message);
    if (verdict != BP_VERDICT_PASS)
        return verdict;
    if (has_failed())
        moment = BP_GPU_WAITING;
    snprintf(message, BP_TEXT_LINE, "%s: %s (%d)", what, bp_gpu_error_name(gpu.api, status),
             status);
    return bp_gpu_verdict(moment, status);
}

/* ---- opening ---- */

static int attribute(enum bp_gpu_attribute which, int *status)
{
    int value = 0;
    int got = bp_gpu_attribute(gpu.api, which, 0, &value);
    *status = *status ? *status : got;
    return value;
}

static int read_limits(void)
{
    int status = 0;
    gpu.limits.block_threads = (uint32_t)attribute(BP_GPU_MAX_BLOCK_THREADS, &status);
    gpu.limits.lds_bytes = (uint32_t)attribute(BP_GPU_LDS_PER_BLOCK_OPTIN, &status);
    gpu.limits.lds_grain = 1;
    gpu.limits.grid_blocks = (uint64_t)attribute(BP_GPU_MAX_GRID_X, &status);
    return status;
}

/* Small copies and large ones take different ways through a library. */
static int warm_up_copies(void *there, void *host)
{
    static const size_t sizes[] = {64, WARM_UP_BYTES};
    int status = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && status == 0; i++) {
        status = gpu.api->memory_set(there, 0x5a, sizes[i]);
        if (status == 0)
            status = gpu.api->copy_to_host(host, there, sizes[i]);
        if (status == 0)
            status = gpu.api->copy_to_device(there, host, sizes[i]);
    }
    return status;
}

static int warm_up_stream(void)
{
    bp_gpu_event event = NULL;
    int status = gpu.api->event_create(&event, BP_GPU_EVENT_DEFAULT);
    if (status == 0)
        status = gpu.api->event_record(event, gpu.stream);
    if (status == 0)
        status = gpu.api->stream_synchronize(gpu.stream);
    return status == 0 ? gpu.api->event_destroy(event) : status;
}

/* Every kind of work once: the library makes its threads, queues and kernels of its own for it now,
 * while it still may. */
static int warm_up(void)
{
    void *there = NULL;
    BP_AUTO_FREE void *host = malloc(WARM_UP_BYTES);
    if (!host)
        return BP_GPU_OUT_OF_MEMORY;
    int status = gpu.api->memory_alloc(&there, WARM_UP_BYTES);
    if (status == 0)
        status = warm_up_copies(there, host);
    if (status == 0)
        status = warm_up_stream();
    return status == 0 ? gpu.api->memory_free(there) : status;
}

static int gpu_open(const char *text, uint32_t threads, struct bp_error *err)
{
    struct bp_device_name name;
    (void)threads;
    if (bp_device_name_parse(text, &name, err) < 0)
        return -1;
    gpu.api = bp_gpu_open(&name, err);
    if (!gpu.api)
        return -1;
    /* What kernels print the library prints; without a buffer stdio would ask what the descriptor is. */
    setvbuf(stdout, gpu.printed, _IOLBF, sizeof gpu.printed);
    bp_gpu_faults_watch();
    int status = read_limits();
    if (status == 0)
        status = gpu.api->stream_create(&gpu.stream, IN_ORDER);
    if (status == 0)
        status = warm_up();
    if (status == 0)
        return 0;
    return bp_fail(err, BP_ERR_UNAVAILABLE, "device %s does not work: %s (%d)", text,
                   bp_gpu_error_name(gpu.api, status), status);
}

static int gpu_describe(struct bp_msg_device_result *result, struct bp_error *err)
{
    size_t free_bytes = 0, bytes = 0;
    int version = 0;
    *result = (struct bp_msg_device_result){0};
    int status = gpu.api->device_name(result->title, sizeof result->title, 0);
    if (status == 0)
        status = bp_gpu_device_arch(gpu.api, 0, result->arch);
    if (status == 0)
        status = gpu.api->memory_info(&free_bytes, &bytes);
    if (status == 0)
        status = gpu.api->driver_version(&version);
    if (status != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the device does not tell what it is: %s (%d)",
                       bp_gpu_error_name(gpu.api, status), status);
    snprintf(result->driver, sizeof result->driver, "%.40s %d", gpu.api->driver_library, version);
    result->memory_bytes = bytes;
    result->free_bytes = free_bytes;
    return 0;
}

/* ---- memory ---- */

static int gpu_mirror(void *host, size_t bytes, void **there, struct bp_error *err)
{
    (void)host;
    int status = gpu.api->memory_alloc(there, bytes);
    if (status == 0)
        return 0;
    return bp_fail(err, BP_ERR_LIMIT,
                   "the device has no %zu bytes for the suite's tensors: %s (%d)", bytes,
                   bp_gpu_error_name(gpu.api, status), status);
}

static enum bp_verdict gpu_copy_in(void *there, const void *host, size_t bytes,
                                   char message[BP_TEXT_LINE])
{
    int status = gpu.api->copy_to_device(there, host, bytes);
    return status == 0 ? BP_VERDICT_PASS : fail(BP_GPU_WAITING, status, "copying inputs", message);
}

static enum bp_verdict gpu_copy_out(void *host, const void *there, size_t bytes,
                                    char message[BP_TEXT_LINE])
{
    int status = gpu.api->copy_to_host(host, there, bytes);
    return status == 0 ? BP_VERDICT_PASS : fail(BP_GPU_WAITING, status, "copying outputs", message);
}

static enum bp_verdict gpu_fill(void *there, int byte, size_t bytes, char message[BP_TEXT_LINE])
{
    int status = gpu.api->memory_set(there, (unsigned char)byte, bytes);
    return status == 0 ? BP_VERDICT_PASS
                       : fail(BP_GPU_WAITING, status, "filling the workspace", message);
}

/* What nobody can guess stands on both sides. */
static enum bp_verdict gpu_workspace(size_t bytes, unsigned char **end, char message[BP_TEXT_LINE])
{
    void *there = NULL;
    char what[64];
    size_t room = (bytes + BP_TENSOR_ALIGN - 1) / BP_TENSOR_ALIGN * BP_TENSOR_ALIGN;
    int status = gpu.api->memory_alloc(&there, room + 2 * sizeof gpu.guard);
    if (status != 0) {
        snprintf(what, sizeof what, "%zu bytes of workspace", bytes);
        return fail(BP_GPU_ALLOCATING, status, what, message);
    }
    struct bp_key key;
    for (size_t i = 0; i < sizeof gpu.guard; i += sizeof key) {
        bp_key_random(&key);
        memcpy(gpu.guard + i, &key, sizeof key);
    }
    gpu.guards[0] = there;
    gpu.guards[1] = gpu.guards[0] + sizeof gpu.guard + room;
    *end = gpu.guards[1];
    enum bp_verdict verdict = BP_VERDICT_PASS;
    for (int i = 0; i < 2 && verdict == BP_VERDICT_PASS; i++)
        verdict = gpu_copy_in(gpu.guards[i], gpu.guard, sizeof gpu.guard, message);
    return verdict;
}

static enum bp_verdict check_guards(char message[BP_TEXT_LINE])
{
    static const char *const sides[] = {"before", "behind"};
    unsigned char found[sizeof gpu.guard];
    for (int i = 0; i < 2 && gpu.guards[i]; i++) {
        enum bp_verdict verdict = gpu_copy_out(found, gpu.guards[i], sizeof found, message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
        if (memcmp(found, gpu.guard, sizeof found) == 0)
            continue;
        snprintf(message, BP_TEXT_LINE, "the guard %s the workspace was written to", sides[i]);
        return BP_VERDICT_TAMPER;
    }
    return BP_VERDICT_PASS;
}

/* ---- objects ---- */

static int find_functions(struct bp_device_module *module)
{
    int status = gpu.api->module_function(&module->plan, module->module, "gqa_plan");
    for (uint32_t i = 0; status == 0 && i < GQA_MAX_LAUNCHES; i++) {
        char name[16];
        snprintf(name, sizeof name, "gqa_kernel%" PRIu32, i);
        int found = gpu.api->module_function(&module->kernels[i], module->module, name);
        if (found != 0)
            module->kernels[i] = NULL;
        else
            status = gpu.api->function_attribute(&module->static_lds[i], BP_GPU_FUNCTION_LDS_BYTES,
                                                 module->kernels[i]);
        if (i == 0 && found != 0)
            status = found;
    }
    return status;
}

static enum bp_verdict load_module(struct bp_device_module *module, const void *image,
                                   char message[BP_TEXT_LINE])
{
    int status = gpu.api->module_load(&module->module, image);
    if (status != 0)
        return fail(BP_GPU_LOADING, status, "loading the object", message);
    status = find_functions(module);
    if (status != 0)
        return fail(BP_GPU_LOADING, status,
                    module->plan ? "the object has no usable gqa_kernel0"
                                 : "the object has no usable gqa_plan",
                    message);
    status = gpu.api->memory_alloc(&module->plan_there, sizeof(struct gqa_launch_plan));
    return status == 0 ? BP_VERDICT_PASS
                       : fail(BP_GPU_ALLOCATING, status, "memory for the plan", message);
}

/* The image stays mapped: libraries may look into it again. */
static enum bp_verdict gpu_load(int object_fd, size_t object_bytes, struct bp_device_module **slot,
                                char message[BP_TEXT_LINE])
{
    struct bp_device_module *module = calloc(1, sizeof *module);
    const void *image = mmap(NULL, object_bytes, PROT_READ, MAP_PRIVATE, object_fd, 0);
    if (!module || image == MAP_FAILED) {
        free(module);
        snprintf(message, BP_TEXT_LINE, "no memory to read the object");
        return BP_VERDICT_OOM_HOST;
    }
    enum bp_verdict verdict = bp_gpu_object_check(gpu.api, image, object_bytes, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = load_module(module, image, message);
    if (verdict == BP_VERDICT_PASS)
        *slot = module;
    else
        free(module);
    return verdict;
}

static void gpu_unload(struct bp_device_module *module)
{
    if (module)
        gpu.api->module_unload(module->module);
    free(module);
}

/* ---- running ---- */

/* Short work is watched closely; the longer it takes the less a pause matters. */
static void pause_after(uint64_t waited_ns)
{
    uint64_t pause_ns = waited_ns / 256;
    if (pause_ns < 50000)
        return;
    if (pause_ns > 1000000)
        pause_ns = 1000000;
    const struct timespec pause = {.tv_nsec = (long)pause_ns};
    nanosleep(&pause, NULL);
}

static enum bp_verdict drain(char message[BP_TEXT_LINE])
{
    uint64_t began_ns = bp_clock_ns();
    int status;
    while ((status = gpu.api->stream_query(gpu.stream)) == BP_GPU_NOT_READY) {
        enum bp_verdict verdict = bp_gpu_faults_seen(message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
        pause_after(bp_clock_ns() - began_ns);
    }
    /* Of work that has ended; it takes whatever error was left behind. */
    if (status == 0)
        status = gpu.api->stream_synchronize(gpu.stream);
    return status == 0 ? bp_gpu_faults_seen(message)
                       : fail(BP_GPU_WAITING, status, "running the kernels", message);
}

static enum bp_verdict gpu_wait(char message[BP_TEXT_LINE])
{
    enum bp_verdict verdict = drain(message);
    return verdict == BP_VERDICT_PASS ? check_guards(message) : verdict;
}

static enum bp_verdict check_kernels(const struct bp_device_module *module,
                                     const struct gqa_launch_plan *plan, char message[BP_TEXT_LINE])
{
    struct bp_plan_kernel kernels[GQA_MAX_LAUNCHES];
    for (uint32_t i = 0; i < GQA_MAX_LAUNCHES; i++)
        kernels[i] =
            (struct bp_plan_kernel){module->kernels[i] != NULL, (uint64_t)module->static_lds[i]};
    return bp_plan_check_kernels(plan, &gpu.limits, kernels, message);
}

static enum bp_verdict gpu_plan(struct bp_device_module *module, const struct gqa_shape *shape,
                                struct gqa_launch_plan *plan, char message[BP_TEXT_LINE])
{
    struct gqa_shape copy = *shape;
    void *arguments[] = {&copy, &module->plan_there};
    *plan = (struct gqa_launch_plan){0};
    enum bp_verdict verdict = gpu_copy_in(module->plan_there, plan, sizeof *plan, message);
    if (verdict != BP_VERDICT_PASS)
        return verdict;
    int status = gpu.api->launch(module->plan, 1, 1, 1, 1, 1, 1, 0, gpu.stream, arguments, NULL);
    if (status != 0)
        return fail(BP_GPU_LAUNCHING, status, "launching gqa_plan", message);
    verdict = drain(message);
    if (verdict == BP_VERDICT_PASS)
        verdict = gpu_copy_out(plan, module->plan_there, sizeof *plan, message);
    if (verdict != BP_VERDICT_PASS || plan->unsupported != GQA_SUPPORTED)
        return verdict;
    return check_kernels(module, plan, message);
}

static enum bp_verdict launch_one(const struct bp_device_module *module, uint32_t number,
                                  const struct gqa_launch *geometry, void **arguments,
                                  char message[BP_TEXT_LINE])
{
    bp_gpu_function kernel = module->kernels[number];
    int status = 0;
    if (gpu.api->function_set && geometry->dynamic_lds > 0)
        status = gpu.api->function_set(kernel, BP_GPU_FUNCTION_MAX_DYNAMIC_LDS,
                                       (int)geometry->dynamic_lds);
    if (status == 0)
        status = gpu.api->launch(kernel, geometry->grid[0], geometry->grid[1], geometry->grid[2],
                                 geometry->block[0], geometry->block[1], geometry->block[2],
                                 geometry->dynamic_lds, gpu.stream, arguments, NULL);
    if (status == 0)
        return BP_VERDICT_PASS;
    char what[32];
    snprintf(what, sizeof what, "launching gqa_kernel%" PRIu32, number);
    return fail(BP_GPU_LAUNCHING, status, what, message);
}

static enum bp_verdict gpu_launch(struct bp_device_module *module,
                                  const struct gqa_launch_plan *plan, const struct gqa_shape *shape,
                                  const void *q, const void *k, const void *v, void *o,
                                  void *workspace, char message[BP_TEXT_LINE])
{
    struct gqa_shape copy = *shape;
    void *arguments[] = {&copy, &q, &k, &v, &o, &workspace};
    enum bp_verdict verdict = BP_VERDICT_PASS;
    for (uint32_t i = 0; i < plan->launches && verdict == BP_VERDICT_PASS; i++)
        verdict = launch_one(module, i, &plan->launch[i], arguments, message);
    return verdict;
}

const struct bp_device bp_device_gpu = {
    .limits = &gpu.limits,
    .open = gpu_open,
    .describe = gpu_describe,
    .mirror = gpu_mirror,
    .load = gpu_load,
    .plan = gpu_plan,
    .workspace = gpu_workspace,
    .fill = gpu_fill,
    .copy_in = gpu_copy_in,
    .copy_out = gpu_copy_out,
    .launch = gpu_launch,
    .count = bp_gpu_faults_counters,
    .wait = gpu_wait,
    .unload = gpu_unload,
};
