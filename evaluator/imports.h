/* imports.h: the closed list of what a CPU object may import from the worker. */
#ifndef BP_EVALUATOR_IMPORTS_H
#define BP_EVALUATOR_IMPORTS_H

#include <stdbool.h>
#include <stdint.h>

struct bp_import {
    const char *name;
    void (*function)(void); /* null for the thread-local bp_simt_self */
    bool synchronizes;      /* a barrier or wave operation: its kernels need fibers */
};

/* Null when name is not on the list. */
const struct bp_import *bp_import_find(const char *name);

/* Offset of bp_simt_self from the thread pointer: the same in every thread, as it lies in the
 * executable's own thread-local block. */
uint64_t bp_import_self_offset(void);

#endif
