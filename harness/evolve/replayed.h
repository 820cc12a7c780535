/* replayed.h: results from the record of another run in place of children's, found by identity. Each
 * recorded result is given out once, the earliest first, so that a candidate or a pair that was
 * measured twice gets its results in order. */
#ifndef BP_HARNESS_EVOLVE_REPLAYED_H
#define BP_HARNESS_EVOLVE_REPLAYED_H

#include "harness/evolve/decisions.h"
#include "harness/store/evaluation.h"

struct bp_replayed;

/* Reads the record in dir; it may be of a run under way. */
int bp_replayed_open(const char *dir, struct bp_replayed **replayed, struct bp_error *err)
    BP_MUST_CHECK;
void bp_replayed_close(struct bp_replayed **replayed);

/* Lanes of the recorded run: only with as many are its batches proposed again. */
uint32_t bp_replayed_parallel(const struct bp_replayed *replayed);

/* Fills in what the children of the recorded run found out, from the compiler to the timing: not the
 * identity, and no score. Without attempts it was answered for its object there. BP_ERR_USAGE names
 * the candidate when there is no result of it. */
int bp_replayed_evaluation(struct bp_replayed *replayed, struct bp_evaluation *evaluation,
                           struct bp_error *err) BP_MUST_CHECK;

enum bp_meeting { BP_MEETING_MATCH, BP_MEETING_FINAL };
/* The result of a match of two sources. BP_ERR_USAGE names them when there is none. */
int bp_replayed_match(struct bp_replayed *replayed, enum bp_meeting meeting, const char *challenger,
                      const char *incumbent, struct bp_match_result *result, struct bp_error *err)
    BP_MUST_CHECK;

/* What this run has used up before it was resumed. */
void bp_replayed_skip_evaluation(struct bp_replayed *replayed, const char *source_hash);
void bp_replayed_skip_match(struct bp_replayed *replayed, enum bp_meeting meeting,
                            const char *challenger, const char *incumbent);

#endif
