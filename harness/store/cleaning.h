/* cleaning.h: which run directories are to go, and their removal. Nothing goes that is no run, and
 * no run that a process uses. */
#ifndef BP_HARNESS_STORE_CLEANING_H
#define BP_HARNESS_STORE_CLEANING_H

#include "harness/store/runs.h"

struct bp_cleaning {
    bool by_age, by_count;  /* whether the next two are given; neither: the runs that were named */
    double older_than_days; /* since their record was last written */
    uint32_t keep;          /* newest ones that stay, those in use counted */
};

/* Sets gone[i] for what is to go: old enough, not among the newest, and used by nobody. Returns how
 * many. Pure. */
uint32_t bp_cleaning_plan(const struct bp_found_runs *found, const struct bp_cleaning *cleaning,
                          int64_t now_ms, bool *gone);

/* Removes the run directory with all in it, the record last: what was interrupted can be done again.
 * BP_ERR_USAGE: it is in use, or no run (any more). */
int bp_cleaning_remove_run(const char *path, struct bp_error *err) BP_MUST_CHECK;

/* What a dead process left unfinished in a run that nobody uses: NAME.tmp there and in failures/.
 * Adds what they take to *bytes and their number to *count; removes them when told to. */
enum bp_cleaning_mode { BP_CLEANING_LOOK, BP_CLEANING_REMOVE };
int bp_cleaning_temporary(const char *path, enum bp_cleaning_mode mode, uint32_t *count,
                          uint64_t *bytes, struct bp_error *err) BP_MUST_CHECK;

#endif
