/* device.h: what a stage needs of a device; one file a device (device_cpu.c, device_gpu.c).
 *
 * compile is called in the compile child only, everything else in the run child only. A failure
 * that is the candidate's is a verdict, not an error: these functions return enum bp_verdict, PASS
 * meaning success, and put one line into message.
 *
 * A stage keeps its tensors in host memory, which others map as well. Kernels get addresses *there*:
 * on the CPU device the same, on a GPU those of a copy that the stage brings up to date. */
#ifndef BP_EVALUATOR_DEVICE_H
#define BP_EVALUATOR_DEVICE_H

#include "evaluator/messages.h"
#include "kernels/include/gqa_abi.h"

struct bp_device_limits {
    uint32_t block_threads; /* per block */
    uint32_t lds_bytes;     /* static + dynamic, per block */
    uint32_t lds_grain;     /* what dynamic LDS is rounded up to where it is placed; not 0 */
    uint64_t grid_blocks;   /* per launch */
};

struct bp_device_module; /* a loaded object, opaque */

struct bp_device {
    const struct bp_device_limits *limits; /* known after open */

    /* Compiles request's source text (NUL-terminated, source_bytes long) in the current private
     * directory; writes the object to object_fd; fills result. Returns 0, or -1 when the harness,
     * not the candidate, failed (no compiler). Null for GPUs: their code is compiled by the name of
     * an architecture, without a device. */
    int (*compile)(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err);

    /* Before anything of the candidate: opens the device of that name, and starts every thread that
     * there will be (of the CPU device: `threads` of them). */
    int (*open)(const char *name, uint32_t threads, struct bp_error *err);

    /* Of the opened device. */
    int (*describe)(struct bp_msg_device_result *result, struct bp_error *err);

    /* What kernels find at *there stands at host, bytes long; once a range, before load. */
    int (*mirror)(void *host, size_t bytes, void **there, struct bp_error *err);

    /* Vets and maps the object. No instruction of the candidate runs. */
    enum bp_verdict (*load)(int object_fd, size_t object_bytes, struct bp_device_module **module,
                            char message[BP_TEXT_LINE]);

    /* Runs gqa_plan for shape as one thread. The caller checks the plan (bp_plan_check). */
    enum bp_verdict (*plan)(struct bp_device_module *module, const struct gqa_shape *shape,
                            struct gqa_launch_plan *plan, char message[BP_TEXT_LINE]);

    /* Memory for kernels alone, once; a guard stands where it ends, at *end. */
    enum bp_verdict (*workspace)(size_t bytes, unsigned char **end, char message[BP_TEXT_LINE]);
    enum bp_verdict (*fill)(void *there, int byte, size_t bytes, char message[BP_TEXT_LINE]);

    /* Between host memory and what mirrors it, of ranges within one. */
    enum bp_verdict (*copy_in)(void *there, const void *host, size_t bytes,
                               char message[BP_TEXT_LINE]);
    enum bp_verdict (*copy_out)(void *host, const void *there, size_t bytes,
                                char message[BP_TEXT_LINE]);

    /* Starts every launch of the plan in order, behind those before it; all addresses are there. */
    enum bp_verdict (*launch)(struct bp_device_module *module, const struct gqa_launch_plan *plan,
                              const struct gqa_shape *shape, const void *q, const void *k,
                              const void *v, void *o, void *workspace, char message[BP_TEXT_LINE]);
    /* Until all that was started has ended: what went wrong in it, and beyond the workspace. */
    enum bp_verdict (*wait)(char message[BP_TEXT_LINE]);

    /* What kernels have executed since the device was opened. Null: this device does not count. */
    void (*count)(struct bp_counters *now);

    /* Unmaps the object; null is allowed. */
    void (*unload)(struct bp_device_module *module);
};

extern const struct bp_device bp_device_cpu;
/* The same for objects compiled with request.gates, watched by gate.h; found under no name. */
extern const struct bp_device bp_device_cpu_gates;
/* AMD's, NVIDIA's and the emulated ones, behind gpu_api.h. One device a process. */
extern const struct bp_device bp_device_gpu;

/* By name (device_name.h), null when there is no such device. */
const struct bp_device *bp_device_find(const char *name);

/* Before open: the emulated GPU of this process is to commit these faults, a list as docs/emulator.md has
 * it; empty for none. BP_ERR_PROTOCOL in a build without fault injection. */
int bp_device_inject(const char *faults, struct bp_error *err) BP_MUST_CHECK;

/* PASS, UNSUPPORTED (with the reason in message), RESOURCE_LIMIT (naming limit and value), or
 * LAUNCH_ERROR for a plan without launches or with an empty grid or block. */
enum bp_verdict bp_plan_check(const struct gqa_launch_plan *plan,
                              const struct bp_device_limits *limits, uint64_t workspace_max_bytes,
                              char message[BP_TEXT_LINE]);

/* One kernel of a loaded object, for a launch of the same number. */
struct bp_plan_kernel {
    bool present;
    uint64_t static_lds; /* bytes */
};

/* Whether the object has what the plan launches: PASS, LAUNCH_ERROR when a kernel is missing, or
 * RESOURCE_LIMIT when static and dynamic LDS together are over the limit. */
enum bp_verdict bp_plan_check_kernels(const struct gqa_launch_plan *plan,
                                      const struct bp_device_limits *limits,
                                      const struct bp_plan_kernel kernels[GQA_MAX_LAUNCHES],
                                      char message[BP_TEXT_LINE]);

#endif
