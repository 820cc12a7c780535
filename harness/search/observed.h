/* observed.h: the set of points a history holds, for asking whether one is new. */
#ifndef BP_HARNESS_SEARCH_OBSERVED_H
#define BP_HARNESS_SEARCH_OBSERVED_H

#include "harness/search/strategy.h"

struct bp_observed; /* opaque, owned by whoever made it; valid while the history is unchanged */

/* BP_ERR_MEMORY. */
int bp_observed_new(const struct bp_history *history, struct bp_observed **observed,
                    struct bp_error *err) BP_MUST_CHECK;
void bp_observed_free(struct bp_observed *observed);

/* A bp_space_skip: context is the set. */
bool bp_observed_has(const void *observed, const struct bp_point *point);

#endif
