#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "evaluator/compile_cpu.h"
#include "evaluator/crash.h"
#include "evaluator/device.h"
#include "evaluator/gate.h"
#include "evaluator/object.h"
#include "evaluator/simt.h"

#define PAGE 4096

struct bp_device_module {
    struct bp_object object;
    void (*plan)(struct gqa_shape, struct gqa_launch_plan *);
    void (*kernels[GQA_MAX_LAUNCHES])(struct gqa_shape, const void *, const void *, const void *,
                                      void *, void *); /* null where the object has none */
};

static const struct bp_device_limits limits = {
    .block_threads = BP_SIMT_BLOCK_THREADS,
    .lds_bytes = BP_SIMT_LDS_BYTES,
    .lds_grain = 64, /* a cache line */
    .grid_blocks = UINT32_MAX,
};

/* The object must not change between vetting and mapping: only a sealed memfd cannot. */
static bool is_sealed(int fd, size_t bytes)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);
    int needed = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    return seals >= 0 && (seals & needed) == needed && fstat(fd, &info) == 0 && bytes > 0 &&
           (uint64_t)info.st_size == bytes;
}

static enum bp_verdict require(const struct bp_device_module *module, const char *name,
                               char message[BP_TEXT_LINE])
{
    uint64_t address;
    if (bp_object_find(&module->object, name, &address))
        return BP_VERDICT_PASS;
    snprintf(message, BP_TEXT_LINE, "object does not define %s", name);
    return BP_VERDICT_LAUNCH_ERROR;
}

static uintptr_t function_of(const struct bp_device_module *module, const char *name)
{
    uint64_t address;
    if (!bp_object_find(&module->object, name, &address))
        return 0;
    return (uintptr_t)bp_object_at(&module->object, address);
}

static void find_functions(struct bp_device_module *module)
{
    module->plan =
        (void (*)(struct gqa_shape, struct gqa_launch_plan *))function_of(module, "gqa_plan");
    for (uint32_t i = 0; i < GQA_MAX_LAUNCHES; i++) {
        char name[16];
        snprintf(name, sizeof name, "gqa_kernel%" PRIu32, i);
        module->kernels[i] = (void (*)(struct gqa_shape, const void *, const void *, const void *,
                                       void *, void *))function_of(module, name);
    }
}

static int cpu_open(const char *name, uint32_t threads, struct bp_error *err)
{
    (void)name;
    return bp_simt_open(threads, err);
}

static int cpu_describe(struct bp_msg_device_result *result, struct bp_error *err)
{
    (void)err;
    *result = (struct bp_msg_device_result){.title = "the processors", .arch = "native"};
    return 0;
}

/* ---- memory: kernels use the stage's own ---- */

static int cpu_mirror(void *host, size_t bytes, void **there, struct bp_error *err)
{
    (void)bytes, (void)err;
    *there = host;
    return 0;
}

/* The guard is a mapping of its own under the whole, as mprotect may be forbidden by now. */
static enum bp_verdict cpu_workspace(size_t bytes, unsigned char **end, char message[BP_TEXT_LINE])
{
    size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    unsigned char *base = mmap(NULL, room + PAGE, PROT_NONE, flags, -1, 0);
    if (base == MAP_FAILED ||
        mmap(base, room, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0) == MAP_FAILED) {
        snprintf(message, BP_TEXT_LINE, "no memory for %zu bytes of workspace", room);
        return BP_VERDICT_OOM_HOST;
    }
    *end = base + room;
    return BP_VERDICT_PASS;
}

static enum bp_verdict cpu_fill(void *there, int byte, size_t bytes, char message[BP_TEXT_LINE])
{
    (void)message;
    memset(there, byte, bytes);
    return BP_VERDICT_PASS;
}

static enum bp_verdict cpu_copy(void *to, const void *from, size_t bytes,
                                char message[BP_TEXT_LINE])
{
    (void)to, (void)from, (void)bytes, (void)message;
    return BP_VERDICT_PASS;
}

/* A launch has ended when it returns, and the workspace ends at a page that cannot be touched. */
static enum bp_verdict cpu_wait(char message[BP_TEXT_LINE])
{
    (void)message;
    return BP_VERDICT_PASS;
}

/* ---- objects ---- */

static enum bp_verdict vet_and_map(struct bp_device_module *module, const void *bytes, size_t size,
                                   const struct bp_object_rules *rules, int fd,
                                   char message[BP_TEXT_LINE])
{
    enum bp_verdict verdict = bp_object_vet(bytes, size, rules, &module->object, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = require(module, "gqa_plan", message);
    if (verdict == BP_VERDICT_PASS)
        verdict = require(module, "gqa_kernel0", message);
    if (verdict == BP_VERDICT_PASS)
        verdict = bp_object_map(&module->object, fd, message);
    if (verdict == BP_VERDICT_PASS)
        find_functions(module);
    return verdict;
}

static enum bp_verdict load(int object_fd, size_t object_bytes, const struct bp_object_rules *rules,
                            struct bp_device_module **module, char message[BP_TEXT_LINE])
{
    if (!is_sealed(object_fd, object_bytes)) {
        snprintf(message, BP_TEXT_LINE, "the object is not a sealed memfd of %zu bytes",
                 object_bytes);
        return BP_VERDICT_INFRA;
    }
    void *bytes = mmap(NULL, object_bytes, PROT_READ, MAP_PRIVATE, object_fd, 0);
    struct bp_device_module *loaded = calloc(1, sizeof *loaded);
    enum bp_verdict verdict = BP_VERDICT_OOM_HOST;
    snprintf(message, BP_TEXT_LINE, "no memory to read the object");
    if (loaded && bytes != MAP_FAILED)
        verdict = vet_and_map(loaded, bytes, object_bytes, rules, object_fd, message);
    if (verdict != BP_VERDICT_PASS) {
        if (bytes != MAP_FAILED)
            munmap(bytes, object_bytes);
        free(loaded);
        return verdict;
    }
    /* The bytes stay: a crash is told by the names in them. */
    bp_crash_watch(&loaded->object);
    *module = loaded;
    return BP_VERDICT_PASS;
}

static enum bp_verdict cpu_load(int object_fd, size_t object_bytes,
                                struct bp_device_module **module, char message[BP_TEXT_LINE])
{
    static const struct bp_object_rules rules = {.lds_max_bytes = BP_SIMT_LDS_BYTES,
                                                 .import = bp_import_find};
    return load(object_fd, object_bytes, &rules, module, message);
}

static enum bp_verdict gate_load(int object_fd, size_t object_bytes,
                                 struct bp_device_module **module, char message[BP_TEXT_LINE])
{
    static const struct bp_object_rules rules = {
        .lds_max_bytes = BP_SIMT_LDS_BYTES, .import = bp_gate_import, .constructors = true};
    enum bp_verdict verdict = load(object_fd, object_bytes, &rules, module, message);
    if (verdict == BP_VERDICT_PASS)
        bp_gate_set_object(&(*module)->object);
    return verdict;
}

static void cpu_unload(struct bp_device_module *module)
{
    if (module) {
        bp_crash_forget();
        munmap((void *)(uintptr_t)module->object.bytes, module->object.size);
        bp_object_unmap(&module->object);
    }
    free(module);
}

/* What only the module knows: which kernels there are, and the static share of the LDS. */
static enum bp_verdict check_kernels(const struct bp_device_module *module,
                                     const struct gqa_launch_plan *plan, char message[BP_TEXT_LINE])
{
    struct bp_plan_kernel kernels[GQA_MAX_LAUNCHES];
    for (uint32_t i = 0; i < GQA_MAX_LAUNCHES; i++)
        kernels[i] =
            (struct bp_plan_kernel){module->kernels[i] != NULL, module->object.static_lds_bytes};
    return bp_plan_check_kernels(plan, &limits, kernels, message);
}

static enum bp_verdict cpu_plan(struct bp_device_module *module, const struct gqa_shape *shape,
                                struct gqa_launch_plan *plan, char message[BP_TEXT_LINE])
{
    *plan = (struct gqa_launch_plan){0};
    bp_simt_run_plan(module->plan, shape, plan);
    if (plan->unsupported != GQA_SUPPORTED)
        return BP_VERDICT_PASS;
    return check_kernels(module, plan, message);
}

static enum bp_verdict run_launch(const struct bp_device_module *module,
                                  const struct bp_simt_arguments *arguments,
                                  const struct gqa_launch *geometry, uint32_t number,
                                  char message[BP_TEXT_LINE])
{
    struct bp_simt_launch launch = {
        .kernel = module->kernels[number],
        .arguments = arguments,
        .geometry = geometry,
        .synchronizes = module->object.synchronizes,
    };
    return bp_simt_run(&launch, message);
}

static enum bp_verdict cpu_launch(struct bp_device_module *module,
                                  const struct gqa_launch_plan *plan, const struct gqa_shape *shape,
                                  const void *q, const void *k, const void *v, void *o,
                                  void *workspace, char message[BP_TEXT_LINE])
{
    struct bp_simt_arguments arguments = {*shape, q, k, v, o, workspace};
    enum bp_verdict verdict = BP_VERDICT_PASS;
    for (uint32_t i = 0; i < plan->launches && verdict == BP_VERDICT_PASS; i++)
        verdict = run_launch(module, &arguments, &plan->launch[i], i, message);
    return verdict;
}

static enum bp_verdict gate_launch(struct bp_device_module *module,
                                   const struct gqa_launch_plan *plan,
                                   const struct gqa_shape *shape, const void *q, const void *k,
                                   const void *v, void *o, void *workspace,
                                   char message[BP_TEXT_LINE])
{
    struct bp_simt_arguments arguments = {*shape, q, k, v, o, workspace};
    enum bp_verdict verdict = BP_VERDICT_PASS;
    struct bp_error err;
    for (uint32_t i = 0; i < plan->launches && verdict == BP_VERDICT_PASS; i++) {
        if (bp_gate_begin_launch(&plan->launch[i], module->object.static_lds_bytes,
                                 (uintptr_t)__builtin_frame_address(0), &err) < 0) {
            snprintf(message, BP_TEXT_LINE, "%s", err.msg);
            return BP_VERDICT_OOM_HOST;
        }
        verdict = run_launch(module, &arguments, &plan->launch[i], i, message);
        bp_gate_end_launch();
    }
    return verdict;
}

const struct bp_device bp_device_cpu = {
    .limits = &limits,
    .compile = bp_compile_cpu,
    .open = cpu_open,
    .describe = cpu_describe,
    .mirror = cpu_mirror,
    .load = cpu_load,
    .plan = cpu_plan,
    .workspace = cpu_workspace,
    .fill = cpu_fill,
    .copy_in = cpu_copy,
    .copy_out = cpu_copy,
    .launch = cpu_launch,
    .wait = cpu_wait,
    .unload = cpu_unload,
};

const struct bp_device bp_device_cpu_gates = {
    .limits = &limits,
    .compile = bp_compile_cpu,
    .open = cpu_open,
    .load = gate_load,
    .plan = cpu_plan,
    .launch = gate_launch,
    .unload = cpu_unload,
};
