/* abuse.h: system calls that no stage needs, one row each: made by the fake worker, which is told a
 * row's name, and expected by test_abuse.c in every policy and behind the candidate's filter. */
#ifndef BP_TESTS_SANDBOX_ABUSE_H
#define BP_TESTS_SANDBOX_ABUSE_H

#include <stdbool.h>

/* Where a call may not be tried: a filter lets it through, as some call of that name is needed there, or it
 * is one of a driver that is not there. */
enum abuse_context {
    ABUSE_PREPARE = 1 << 0,
    ABUSE_COMPILE = 1 << 1,
    ABUSE_RUN = 1 << 2,
    ABUSE_JUDGE = 1 << 3,
    ABUSE_PROBE = 1 << 4,
    ABUSE_CANDIDATE = 1 << 5,
    ABUSE_COMPILE_GPU = 1 << 6,
    ABUSE_EMULATED = 1 << 7,
    ABUSE_AMD = 1 << 8,
    ABUSE_NVIDIA = 1 << 9,
};

struct abuse {
    const char *name; /* unique */
    const char *call; /* as a denial names it */
    long number;
    unsigned long args[4];
    bool escape;     /* killed outright (SIGSYS), without a listener's help */
    unsigned spared; /* a set of enum abuse_context: not tried there */
};

extern const struct abuse abuses[]; /* ended by a null name */

#endif
