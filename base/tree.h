/* tree.h: whole directories: how large they are, and removing them. Symbolic links are never
 * followed, and other file systems mounted inside are never entered. */
#ifndef BP_BASE_TREE_H
#define BP_BASE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Bytes on disk (allocated blocks) of name in the directory at_fd (or AT_FDCWD) and, for a
 * directory, of everything below; what cannot be read, or goes away meanwhile, counts as 0. */
uint64_t bp_tree_bytes(int at_fd, const char *name);

/* Removes name and everything below it. One that is not there is no error; of several failures the
 * first is told. */
int bp_tree_remove(int at_fd, const char *name, struct bp_error *err) BP_MUST_CHECK;
/* Everything in the directory at_fd for which keep(context, name) does not hold. */
int bp_tree_remove_entries(int at_fd, bool (*keep)(void *context, const char *name), void *context,
                           struct bp_error *err) BP_MUST_CHECK;

#endif
