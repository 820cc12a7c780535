/* standings.h: the rows of the result table: eager, baseline and evolved, from their timings and the
 * final comparison. Pure. */
#ifndef BP_HARNESS_EVOLVE_STANDINGS_H
#define BP_HARNESS_EVOLVE_STANDINGS_H

#include "harness/report/artifacts.h"
#include "harness/supervise/match.h"

/* Geometric mean over the timed shapes, milliseconds per call. timing_count > 0. */
double bp_standings_geomean_ms(const struct bp_evaluation *evaluation);

/* Each may be null when there is none. `final`, evolved (side A) against baseline (side B), is null
 * when it was not played; when it was, the baseline's times are from its rounds, and the evolved
 * kernel's are those divided by its ratio. */
struct bp_standings {
    const struct bp_evaluation *eager, *baseline, *evolved;
    const struct bp_match_result *final;
    const char *failure; /* why it has no result, though it was begun */
    const struct bp_suite *suite;
    double tuning_time_s;
};

/* Fills summary's rows and the interval of the improvement. */
void bp_standings_fill(const struct bp_standings *standings, struct bp_run_summary *summary);

/* "causal", "full", "window" …, of the timed shapes, joined by " and ". */
void bp_standings_mask(const struct bp_suite *suite, char *text, size_t size);

#endif
