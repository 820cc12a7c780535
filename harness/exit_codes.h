/* exit_codes.h: what the program's exit status means to a script. */
#ifndef BP_HARNESS_EXIT_CODES_H
#define BP_HARNESS_EXIT_CODES_H

#include "base/error.h"

enum bp_exit {
    BP_EXIT_OK = 0,         /* success, PASS */
    BP_EXIT_FAILED = 1,     /* the run failed */
    BP_EXIT_USAGE = 2,      /* command line, config or input file */
    BP_EXIT_CANDIDATE = 10, /* a verdict that blames the candidate */
    BP_EXIT_DIFFERENT = 11, /* a replay gave another verdict */
    BP_EXIT_HARNESS = 20,   /* device or harness */
    BP_EXIT_INTERRUPTED = 130,
};

static inline int bp_exit_of_error(const struct bp_error *err)
{
    switch (err->code) {
    case BP_ERR_USAGE:
        return BP_EXIT_USAGE;
    case BP_ERR_INTERRUPTED:
        return BP_EXIT_INTERRUPTED;
    default:
        return BP_EXIT_HARNESS;
    }
}

#endif
