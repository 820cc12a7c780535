/* ladder.h: scores against the baseline, on a machine whose speed drifts. Pure.
 *
 * A score is the geometric mean over the suite of baseline time / candidate time. The baseline is
 * timed once at the start; each match then says how fast the incumbent is now, and by the chain of
 * matches from baseline to incumbent how fast the baseline would be. A candidate that played is
 * scored by its match alone. The chain is a product of noisy steps: it guides the search; what a run
 * claims at its end comes from fresh rounds against the baseline itself. */
#ifndef BP_HARNESS_EVOLVE_LADDER_H
#define BP_HARNESS_EVOLVE_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/supervise/match.h"

struct bp_ladder {
    double level;       /* the incumbent's speed over the baseline */
    double baseline_ms; /* geometric mean time of a call, as it would be now */
};

void bp_ladder_start(struct bp_ladder *ladder, double baseline_ms);

/* Score of a candidate by a measurement of its own. */
double bp_ladder_score(const struct bp_ladder *ladder, double candidate_ms);

/* Whether such a score is worth a match with the incumbent. */
bool bp_ladder_is_contender(const struct bp_ladder *ladder, double score);

/* Whether the challenger (side A) of a match that both sides ended with PASS is surely faster. */
bool bp_ladder_is_won(const struct bp_match_result *result);

/* Books a match of a challenger (side A) with the incumbent (side B) that both sides ended with PASS;
 * returns the challenger's score. *promoted: it has won, and is the incumbent from now on. */
double bp_ladder_match(struct bp_ladder *ladder, const struct bp_match_result *result,
                       uint32_t shapes, bool *promoted);

/* The incumbent is demoted: the one before it had `score` when it was promoted. */
void bp_ladder_step_down(struct bp_ladder *ladder, double score);

#endif
