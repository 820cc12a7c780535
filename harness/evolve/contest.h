/* contest.h: scores, and the matches that correct them and choose the champion. */
#ifndef BP_HARNESS_EVOLVE_CONTEST_H
#define BP_HARNESS_EVOLVE_CONTEST_H

#include "harness/evolve/run.h"

/* Score by the evaluation's own times; an eager kernel that passed has none. */
void bp_contest_score(const struct bp_run *run, struct bp_evaluation *evaluation);

/* Tries a candidate that passed on shapes it has never seen; attaches what came of it to its evaluation's
 * transaction. One that fails there loses its PASS. */
int bp_contest_try_unseen(struct bp_run *run, struct bp_candidate *candidate, struct bp_error *err)
    BP_MUST_CHECK;

/* Plays the candidate against the champion when its score comes near, books the match and attaches it
 * to the evaluation's transaction. The evaluation gets the match's score, and is promoted when it won and
 * is right on unseen shapes. A candidate that fails in its match or there loses its PASS; a champion that
 * fails twice in one is demoted, and the candidate plays the next one down the ladder. */
int bp_contest_challenge(struct bp_run *run, struct bp_candidate *candidate, struct bp_error *err)
    BP_MUST_CHECK;

/* The champion's claim rests on more unseen shapes, and on fresh rounds against the original baseline;
 * played once for a champion. One that fails on a shape, or in the rounds twice, is demoted, and the next
 * one plays. */
int bp_contest_final(struct bp_run *run, struct bp_error *err) BP_MUST_CHECK;

#endif
