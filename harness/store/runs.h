/* runs.h: run directories as others find them: which directory is one, who uses it, what it takes. */
#ifndef BP_HARNESS_STORE_RUNS_H
#define BP_HARNESS_STORE_RUNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct bp_found_run {
    char path[4096];
    bool named;         /* by the caller, not found below a directory */
    pid_t pid;          /* that uses it now, 0: nobody does */
    int64_t changed_ms; /* when its record was last written, wall clock */
    uint64_t bytes;     /* on disk, with everything in it */
};

struct bp_found_runs {
    struct bp_found_run *runs; /* owned, [count], the last changed first */
    uint32_t count, capacity;
};

/* Whether the directory holds a run's record: a plain file run.db that says of itself that it is one
 * (SQLite's application_id). Its name alone says nothing. */
bool bp_run_recognise(int dir_fd);

/* The process that holds run.lock, 0 when nobody does. Takes nothing, and changes nothing. */
pid_t bp_run_holder(int dir_fd);

/* Adds the run that `path` is or, when it is none, the runs that lie in it. Symbolic links are not
 * followed. BP_ERR_USAGE: no such directory, or a link. Start from zeros. */
int bp_runs_find(struct bp_found_runs *found, const char *path, struct bp_error *err) BP_MUST_CHECK;
void bp_runs_free(struct bp_found_runs *found);

#endif
