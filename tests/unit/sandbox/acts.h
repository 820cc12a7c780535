/* acts.h: what the fake worker can be told to try. */
#ifndef BP_TESTS_SANDBOX_ACTS_H
#define BP_TESTS_SANDBOX_ACTS_H

#include <stddef.h>

struct act {
    const char *name;
    /* Returns 0 when the thing was done, else the errno value; text is what there is to add. */
    int (*run)(char *text, size_t size);
};

/* Ended by a null name. */
extern const struct act acts[], file_acts[];

#endif
