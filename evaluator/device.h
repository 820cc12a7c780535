/* device.h: what a stage needs of a device; one file a device (device_cpu.c; the GPU follows).
 *
 * compile is called in the compile child only, everything else in the run child only. A failure
 * that is the candidate's is a verdict, not an error: these functions return enum bp_verdict, PASS
 * meaning success, and put one line into message. */
#ifndef BP_EVALUATOR_DEVICE_H
#define BP_EVALUATOR_DEVICE_H

#include "evaluator/messages.h"
#include "kernels/include/gqa_abi.h"

struct bp_device_limits {
    uint32_t block_threads; /* per block */
    uint32_t lds_bytes;     /* static + dynamic, per block */
    uint64_t grid_blocks;   /* per launch */
};

struct bp_device_module; /* a loaded object, opaque */

struct bp_device {
    const char *name; /* "cpu" */
    const struct bp_device_limits *limits;

    /* Compiles request's source text (NUL-terminated, source_bytes long) in the current private
     * directory; writes the object to object_fd; fills result. Returns 0, or -1 when the harness,
     * not the candidate, failed (no compiler). */
    int (*compile)(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err);

    /* Before anything of the candidate: opens the device and makes the pool of threads. */
    int (*open)(uint32_t threads, struct bp_error *err);

    /* Vets and maps the object. No instruction of the candidate runs. */
    enum bp_verdict (*load)(int object_fd, size_t object_bytes, struct bp_device_module **module,
                            char message[BP_TEXT_LINE]);

    /* Runs gqa_plan for shape as one thread. The caller checks the plan (bp_plan_check). */
    enum bp_verdict (*plan)(struct bp_device_module *module, const struct gqa_shape *shape,
                            struct gqa_launch_plan *plan, char message[BP_TEXT_LINE]);

    /* Runs every launch of the plan in order and waits for the end. */
    enum bp_verdict (*launch)(struct bp_device_module *module, const struct gqa_launch_plan *plan,
                              const struct gqa_shape *shape, const void *q, const void *k,
                              const void *v, void *o, void *workspace, char message[BP_TEXT_LINE]);

    /* Unmaps the object; null is allowed. */
    void (*unload)(struct bp_device_module *module);
};

extern const struct bp_device bp_device_cpu;
/* The same for objects compiled with request.gates, watched by gate.h; found under no name. */
extern const struct bp_device bp_device_cpu_gates;

/* By name, null when this worker has no such device. */
const struct bp_device *bp_device_find(const char *name);

/* PASS, UNSUPPORTED (with the reason in message), RESOURCE_LIMIT (naming limit and value), or
 * LAUNCH_ERROR for a plan without launches or with an empty grid or block. */
enum bp_verdict bp_plan_check(const struct gqa_launch_plan *plan,
                              const struct bp_device_limits *limits, uint64_t workspace_max_bytes,
                              char message[BP_TEXT_LINE]);

#endif
