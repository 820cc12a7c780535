/* fixture.h: what the device tests share: compile a kernel's text in a private directory, load it,
 * run it on small buffers. */
#ifndef BP_TESTS_DEVICE_FIXTURE_H
#define BP_TESTS_DEVICE_FIXTURE_H

#include "evaluator/device.h"

/* Makes a fresh directory under $TMPDIR or /tmp and enters it; leaves and removes it. */
int fixture_enter_directory(void **state);
int fixture_leave_directory(void **state);

/* A request for the CPU device, dtype f32, arch native, 16 MiB of object at most. */
struct bp_msg_compile_request fixture_request(const char *source);

/* Compiles to a memfd that the caller owns; fails the test when clang is missing. */
void fixture_compile(const struct bp_msg_compile_request *request, const char *source,
                     struct bp_msg_compile_result *result, int *object_fd);

/* Compiles with the dtype, seals, loads; fails the test unless both pass. */
struct bp_device_module *fixture_load(const char *source, enum bp_dtype dtype);

/* Seals object_fd and loads it. */
enum bp_verdict fixture_try_load(int object_fd, struct bp_device_module **module,
                                 char message[BP_TEXT_LINE]);

/* One launch of gqa_kernel0 with q, o and workspace as given; k and v are q. */
enum bp_verdict fixture_launch(struct bp_device_module *module, struct gqa_launch geometry,
                               const void *q, void *o, void *workspace, char message[BP_TEXT_LINE]);

/* A plan that the tests' kernels share: what they are launched with does not come from it. */
#define FIXTURE_PLAN                                                                               \
    "#include \"gqa.h\"\n"                                                                         \
    "GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)\n"                           \
    "{ gqa_plan_launch(plan, 0, shape.batch, shape.q_heads, 1, 32, 0); }\n"
#define FIXTURE_KERNEL                                                                             \
    "GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const gqa_t *k, const gqa_t *v," \
    " gqa_t *o, void *workspace)\n"

#endif
