/* unseen.h: before a candidate becomes the best it must be right on shapes it has never seen: drawn from a
 * secret for this one check, and never again. Part of a session. */
#ifndef BP_HARNESS_EVOLVE_UNSEEN_H
#define BP_HARNESS_EVOLVE_UNSEEN_H

#include "harness/evolve/session.h"

/* What the secrets of a check are derived for, beside the evaluation's number. */
#define BP_UNSEEN_CHALLENGE "unseen"
#define BP_UNSEEN_FINAL "unseen final"

/* Runs and judges a candidate that has an object on each shape, until one is failed. `unseen` gets a note
 * a shape. None is one that the kernel's declaration excludes, so a plan that refuses one (UNSUPPORTED)
 * fails as one that is wrong there. What goes wrong is tried again as in evaluations. When it fails, that is in the candidate's evidence. */
int bp_unseen_try(struct bp_session *session, const struct bp_candidate *candidate,
                  const char *purpose, struct bp_unseen *unseen, struct bp_error *err)
    BP_MUST_CHECK;

/* The failure of a check, if it has one, is the evaluation's verdict from now on. */
void bp_unseen_judge(struct bp_evaluation *evaluation);

#endif
