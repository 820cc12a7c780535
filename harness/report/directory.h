/* directory.h: a directory of plain files that takes its name all at once. */
#ifndef BP_HARNESS_REPORT_DIRECTORY_H
#define BP_HARNESS_REPORT_DIRECTORY_H

#include "base/error.h"

/* Removes a directory of plain files; one that is not there is no error. */
int bp_directory_remove(const char *path, struct bp_error *err) BP_MUST_CHECK;

/* `fresh` becomes `path` in one step, so that a reader finds the old files or the new ones; what was
 * there before is removed. Syncs the directory that holds both. */
int bp_directory_replace(const char *fresh, const char *path, struct bp_error *err) BP_MUST_CHECK;

#endif
