/* search_loop.h: the search: batches of proposals, each in the record as a whole before anything of it
 * is evaluated, then evaluated and recorded in the order of their numbers. */
#ifndef BP_HARNESS_EVOLVE_SEARCH_LOOP_H
#define BP_HARNESS_EVOLVE_SEARCH_LOOP_H

#include "harness/evolve/run.h"

/* What the session asks and tells of candidates; context is the run. */
bool bp_search_known_object(void *run, struct bp_candidate *candidate);
int bp_search_evaluated(void *run, struct bp_candidate *candidate, struct bp_error *err);

/* Lets children, or the record that is replayed, evaluate candidates in order. */
int bp_search_evaluate(struct bp_run *run, struct bp_candidate *candidates, uint32_t count,
                       struct bp_error *err) BP_MUST_CHECK;

/* Proposes and evaluates until the budget or the space is used up; `pending`, which may be null, is
 * finished first: a recorded batch of which not all has been evaluated. */
int bp_search_run(struct bp_run *run, struct bp_batch *pending, struct bp_error *err) BP_MUST_CHECK;

#endif
