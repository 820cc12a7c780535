/* acts.h: what the fake worker can be told to try. */
#ifndef BP_TESTS_SANDBOX_ACTS_H
#define BP_TESTS_SANDBOX_ACTS_H

#include <stddef.h>

struct act {
    const char *name;
    /* Returns 0 when the thing was done, else the errno value; text is what there is to add. */
    int (*run)(char *text, size_t size);
};

#define ACT(name)                                                                                  \
    static int act_##name(char *text __attribute__((unused)), size_t size __attribute__((unused)))
#define RESULT(expression) return (expression) < 0 ? errno : 0
/* Of a table of acts. */
#define ROW(name)                                                                                  \
    {                                                                                              \
#name, act_##name                                                                          \
    }

/* Ended by a null name: what only a sandbox stops, what is tried on files, what a process does to itself. */
extern const struct act acts[], file_acts[], own_acts[];

#endif
