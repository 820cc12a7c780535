#include "harness/evolve/ladder.h"

#include <math.h>

/* One measurement so far below the incumbent's level does not happen to a faster kernel. */
#define CONTENDER_SHARE 0.93

void bp_ladder_start(struct bp_ladder *ladder, double baseline_ms)
{
    *ladder = (struct bp_ladder){.level = 1, .baseline_ms = baseline_ms};
}

double bp_ladder_score(const struct bp_ladder *ladder, double candidate_ms)
{
    return ladder->baseline_ms / candidate_ms;
}

bool bp_ladder_is_contender(const struct bp_ladder *ladder, double score)
{
    return score >= CONTENDER_SHARE * ladder->level;
}

bool bp_ladder_is_won(const struct bp_match_result *result)
{
    return result->log_ratio.low > 0;
}

double bp_ladder_match(struct bp_ladder *ladder, const struct bp_match_result *result,
                       uint32_t shapes, bool *promoted)
{
    double incumbent = 0;
    for (uint32_t i = 0; i < shapes; i++)
        incumbent += log(result->median_ms[BP_RING_B][i]);
    ladder->baseline_ms = exp(incumbent / shapes) * ladder->level;
    double score = ladder->level * exp(result->log_ratio.estimate);
    *promoted = bp_ladder_is_won(result);
    if (*promoted)
        ladder->level = score;
    return score;
}

void bp_ladder_step_down(struct bp_ladder *ladder, double score)
{
    ladder->level = score;
}
