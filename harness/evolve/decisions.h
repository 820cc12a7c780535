/* decisions.h: what a run decided and measured beyond single evaluations, as plain data and as the
 * JSON of the events that keep it (docs/results.md). Reals survive the way there and back bit by bit.
 * Pure. */
#ifndef BP_HARNESS_EVOLVE_DECISIONS_H
#define BP_HARNESS_EVOLVE_DECISIONS_H

#include <jansson.h>

#include "harness/evolve/ladder.h"
#include "harness/search/strategy.h"
#include "harness/store/evaluation.h"

struct bp_proposed {
    uint64_t decision; /* number of the proposal: all its randomness follows from seed and this */
    uint32_t number;   /* of its evaluation */
    uint32_t parent;   /* evaluation it was derived from, 0 = none */
    struct bp_point point;
    bool answered;           /* needs no compiler: */
    enum bp_verdict verdict; /* INVALID_CONFIG, or that of duplicate_of */
    uint32_t duplicate_of;   /* 0 = none */
};

/* Proposals made together: each knows of those before it, none knows how they come out. */
struct bp_batch {
    uint32_t count;
    struct bp_proposed members[BP_MAX_LANES]; /* numbers are consecutive */
};

/* A match that was played, and where it left the ladder. */
struct bp_duel {
    uint32_t challenger, incumbent; /* evaluations */
    bool promoted;
    struct bp_match_result result;
    struct bp_ladder ladder; /* after it */
};

/* New references; null when there is no memory. `shapes`: how many of the medians are set. */
json_t *bp_batch_json(const struct bp_batch *batch, const struct bp_space *space);
json_t *bp_unseen_event_json(const struct bp_evaluation *evaluation);
json_t *bp_duel_json(const struct bp_duel *duel, uint32_t shapes);

/* From an event's text. BP_ERR_USAGE when it does not say what it must, or, of a batch, does not fit
 * the space. */
int bp_batch_parse(const char *text, const struct bp_space *space, struct bp_batch *batch,
                   struct bp_error *err) BP_MUST_CHECK;
int bp_duel_parse(const char *text, struct bp_duel *duel, struct bp_error *err) BP_MUST_CHECK;

#endif
