/* run_dir.h: the directory of a run. */
#ifndef BP_HARNESS_EVOLVE_RUN_DIR_H
#define BP_HARNESS_EVOLVE_RUN_DIR_H

#include <stddef.h>

#include "base/error.h"

/* Creates `wanted` (and its parents), or, when wanted is null, parent/NAME-YYYYmmdd-HHMMSS. A
 * directory that exists already must be empty and writable (BP_ERR_USAGE). path gets the result. */
int bp_run_dir_create(const char *wanted, const char *parent, const char *name, char *path,
                      size_t size, struct bp_error *err) BP_MUST_CHECK;

#endif
