/* suite.h: the named shapes, and the named suites of (shape, family) cases to judge and shapes to
 * time, by device class. */
#ifndef BP_EVALUATOR_SUITE_H
#define BP_EVALUATOR_SUITE_H

#include "evaluator/problem.h"

#define BP_FAMILY_LIST(X)                                                                          \
    X(gauss)                                                                                       \
    X(shift)                                                                                       \
    X(heavy) X(x8) X(x30) X(onehot) X(needle) X(constv) X(small) X(tilt) X(ramp) X(code) X(exact)
enum bp_family {
#define BP_FAMILY_ENUM(name) BP_FAMILY_##name,
    BP_FAMILY_LIST(BP_FAMILY_ENUM)
#undef BP_FAMILY_ENUM
        BP_FAMILY_COUNT
};
const char *bp_family_name(enum bp_family family);
bool bp_family_parse(const char *name, enum bp_family *family);

enum bp_device_class { BP_DEVICE_CLASS_CPU, BP_DEVICE_CLASS_GPU, BP_DEVICE_CLASS_EMULATED };

/* One case to judge: a shape with one family of inputs; at most max_rows rows are compared. */
struct bp_case {
    struct bp_shape shape;
    enum bp_family family;
    uint64_t max_rows;
};

#define BP_SUITE_MAX_CASES 160
#define BP_SUITE_MAX_TIMED 32

struct bp_suite {
    char name[BP_SHAPE_NAME];
    uint32_t case_count;
    struct bp_case cases[BP_SUITE_MAX_CASES];
    uint32_t timed_count; /* each timed shape also has a gauss case, whose reference samples use */
    struct bp_shape timed[BP_SUITE_MAX_TIMED];
};

/* Fills suite (a large struct: allocate it) for "quick", "full", "tiny" or one shape's name.
 * BP_ERR_USAGE lists the valid names. Which shapes a suite holds depends on the device class. */
int bp_suite_find(const char *name, enum bp_device_class device_class, struct bp_suite *suite,
                  struct bp_error *err) BP_MUST_CHECK;

/* A shape by its name, static; null when there is none. */
const struct bp_shape *bp_suite_shape(const char *name);

/* The names of all shapes, for help and error texts; null-terminated, static. */
const char *const *bp_suite_shape_names(void);

#endif
