/* inject.h: carries out a campaign. */
#ifndef BP_HARNESS_INJECT_INJECT_H
#define BP_HARNESS_INJECT_INJECT_H

#include "harness/inject/campaign.h"
#include "harness/inject/matrix.h"

struct bp_inject_options {
    const struct bp_campaign *campaign;
    const char *classes; /* names with commas between; null for all */
    const char *dir;     /* for the files of the runs; exists, empty */
    bool every;          /* occurrence, in place of campaign->occurrences of them */
    bool keep;           /* the files of each run, in place of those of unexpected ones */
    bool show;           /* rows as they come */
};

/* Every class is a row of *matrix, also where it ends unexpectedly. BP_ERR_USAGE for a class that is
 * not in the campaign, BP_ERR_INTERRUPTED. */
int bp_inject(const struct bp_inject_options *options, struct bp_matrix *matrix,
              struct bp_error *err) BP_MUST_CHECK;

#endif
