/* acts.h: what the fake worker can be told to try. */
#ifndef BP_TESTS_SANDBOX_ACTS_H
#define BP_TESTS_SANDBOX_ACTS_H

#include <stddef.h>

struct act {
    const char *name;
    /* Returns 0 when the thing was done, else the errno value; text is what else there is to say. */
    int (*run)(char *text, size_t size);
};

extern const struct act acts[]; /* ended by a null name */

#endif
