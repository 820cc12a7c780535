/* kernel_head.h: the declaration in a kernel source's head comment (kernels/CONTRACT.md). */
#ifndef BP_HARNESS_CONFIG_KERNEL_HEAD_H
#define BP_HARNESS_CONFIG_KERNEL_HEAD_H

#include "evaluator/device_name.h"
#include "evaluator/problem.h"
#include "harness/search/space.h"

#define BP_SOURCE_MAX_BYTES (1u << 20)

enum bp_target { BP_TARGET_CPU = 1, BP_TARGET_AMD = 2, BP_TARGET_NVIDIA = 4 };

struct bp_kernel_head {
    char name[64];
    uint32_t targets; /* enum bp_target bits */
    bool dtypes[BP_DTYPE_COUNT];
    struct bp_expression *supports; /* owned; null = every shape */
    struct bp_space space;          /* no knobs: one point */
    struct bp_point default_point;
};

/* Checks the source (size, NUL bytes, paired EVOLVE-BLOCK markers) and parses its head. path is used
 * in messages only ("path:line: …"). Unknown keys, wrong types, empty lists, constraints nothing
 * satisfies, a default outside the space: BP_ERR_SOURCE with line and valid choices. */
int bp_kernel_head_parse(const char *path, const char *source, size_t size,
                         struct bp_kernel_head *head, struct bp_error *err) BP_MUST_CHECK;
void bp_kernel_head_free(struct bp_kernel_head *head);

/* Whether `supports` admits the shape. */
bool bp_kernel_head_supports(const struct bp_kernel_head *head, const struct bp_shape *shape);

/* Whether the kernel declares the target that devices of a kind need; device is for the message.
 * BP_ERR_USAGE. */
int bp_kernel_head_check_target(const struct bp_kernel_head *head, const char *device,
                                enum bp_device_kind kind, struct bp_error *err) BP_MUST_CHECK;

#endif
