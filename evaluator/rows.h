/* rows.h: which output rows of a case are judged. A row is (batch, q_head, token).
 *
 * All rows when there are at most max_rows; otherwise one secret random row per
 * (batch, q_head, tile of 64 tokens) first — certain to hit a wrong tile — thinned evenly to
 * max_rows when even that is more. A pure function of (shape, key, max_rows), so that prepare
 * (references), judge and supervisor (samples of timed outputs) name the same rows. */
#ifndef BP_EVALUATOR_ROWS_H
#define BP_EVALUATOR_ROWS_H

#include "base/random.h"
#include "evaluator/problem.h"

struct bp_row {
    uint32_t batch, head, token;
};

uint64_t bp_rows_count(const struct bp_shape *shape, uint64_t max_rows);
/* Row `index` of the list, index < bp_rows_count(). */
struct bp_row bp_rows_at(const struct bp_shape *shape, const struct bp_key *key, uint64_t max_rows,
                         uint64_t index);

#endif
