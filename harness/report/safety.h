/* safety.h: the safety block of a run as one line for people. */
#ifndef BP_HARNESS_REPORT_SAFETY_H
#define BP_HARNESS_REPORT_SAFETY_H

#include "harness/store/evaluation.h"

#define BP_SAFETY_LINE 320

/* Of so many evaluations: "score 93.1 of 100; 4 errors: compilation 1 (25.0 %), resource 0,
 * command 1 (25.0 %), memory violations 2 (50.0 %); 0 fallbacks, 0 retries"; of none: "nothing evaluated yet". */
void bp_safety_line(const struct bp_safety *safety, uint32_t evaluations,
                    char line[BP_SAFETY_LINE]);

#endif
