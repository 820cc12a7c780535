/* ledger.h: what the search remembers of a run: observations for the strategy, identities for
 * duplicates, the history for reports. One row an evaluation, of fixed size. */
#ifndef BP_HARNESS_EVOLVE_LEDGER_H
#define BP_HARNESS_EVOLVE_LEDGER_H

#include "harness/search/strategy.h"
#include "harness/report/artifacts.h"
#include "harness/store/evaluation.h"

struct bp_ledger_row {
    uint32_t number;
    enum bp_verdict verdict;
    enum bp_stage stage;
    double score;
    bool lasting; /* verdict and score hold for the same candidate again */
    char source_hash[BP_HASH_TEXT];
    char object_hash[BP_HASH_TEXT];
};

struct bp_ledger {
    const struct bp_space *space;     /* borrowed */
    struct bp_ledger_row *rows;       /* owned, [count] */
    struct bp_history_entry *history; /* owned, [count] */
    uint32_t count, capacity;
    struct bp_observation *observations; /* owned: rows that lie in the space */
    uint32_t observation_count, observation_capacity;
    uint32_t champion; /* observation, UINT32_MAX before there is one */
    uint32_t champion_number;
    double champion_score;
    uint32_t verdicts[BP_VERDICT_COUNT];
    uint32_t duplicates;
    struct bp_safety safety; /* sums; safety_score is the mean */
};

void bp_ledger_init(struct bp_ledger *ledger, const struct bp_space *space);
void bp_ledger_free(struct bp_ledger *ledger);

/* Books an evaluation; point may be null (eager). promoted: it is the champion from now on. */
int bp_ledger_add(struct bp_ledger *ledger, const struct bp_evaluation *evaluation,
                  const struct bp_point *point, bool promoted, struct bp_error *err) BP_MUST_CHECK;

/* A provisional observation of a proposal in flight, so that the next one differs; forgotten by
 * bp_ledger_settle. */
int bp_ledger_expect(struct bp_ledger *ledger, const struct bp_point *point, struct bp_error *err)
    BP_MUST_CHECK;
void bp_ledger_settle(struct bp_ledger *ledger, uint32_t observation_count);

/* The first lasting evaluation with this source or object hash, or null. The eager kernel, which has
 * no score, and failures of ours are none. */
const struct bp_ledger_row *bp_ledger_find_source(const struct bp_ledger *ledger, const char *hash);
const struct bp_ledger_row *bp_ledger_find_object(const struct bp_ledger *ledger, const char *hash);

void bp_ledger_view(const struct bp_ledger *ledger, struct bp_history *history);

#endif
