/* ledger.h: what the search remembers of a run: observations for the strategy, identities for
 * duplicates, counts for reports. One row an evaluation, of fixed size, and no question costs more
 * the more rows there are. */
#ifndef BP_HARNESS_EVOLVE_LEDGER_H
#define BP_HARNESS_EVOLVE_LEDGER_H

#include "harness/search/strategy.h"
#include "harness/store/evaluation.h"

#define BP_LEDGER_HASH 32

struct bp_ledger_row {
    uint32_t number;
    enum bp_verdict verdict;
    enum bp_stage stage;
    double score;
    bool promoted;                  /* and not demoted since */
    bool lasting;                   /* verdict and score hold for the same candidate again */
    uint8_t source[BP_LEDGER_HASH]; /* the hashes in binary, zeros for none */
    uint8_t object[BP_LEDGER_HASH];
};

/* Open addressing by hash: index of a row + 1, 0 = free. */
struct bp_ledger_index {
    uint32_t *slots; /* owned */
    uint32_t slot_count;
};

struct bp_ledger {
    struct bp_ledger_row *rows; /* owned, [count] */
    uint32_t count, capacity;
    struct bp_ledger_index sources, objects; /* of lasting rows; the first of each hash */
    struct bp_history history;               /* the rows that lie in the space */
    uint32_t champion_number;                /* 0 before there is one */
    double champion_score;
    uint32_t verdicts[BP_VERDICT_COUNT];
    uint32_t duplicates;
    struct bp_safety safety; /* sums; safety_score is the mean */
};

void bp_ledger_init(struct bp_ledger *ledger, const struct bp_space *space);
void bp_ledger_free(struct bp_ledger *ledger);

/* Books an evaluation; point may be null (eager). */
int bp_ledger_add(struct bp_ledger *ledger, const struct bp_recorded *recorded,
                  const struct bp_point *point, struct bp_error *err) BP_MUST_CHECK;

/* The champion failed after all: it and its duplicates have this verdict from now on, and the one that
 * was promoted before it is the champion. There must be one. Takes time with the number of rows. */
void bp_ledger_demote(struct bp_ledger *ledger, uint32_t number, enum bp_verdict verdict);

/* A provisional observation of a proposal in flight, so that the next one differs; forgotten by
 * bp_ledger_settle. */
int bp_ledger_expect(struct bp_ledger *ledger, const struct bp_point *point, struct bp_error *err)
    BP_MUST_CHECK;
void bp_ledger_settle(struct bp_ledger *ledger, uint32_t observation_count);

/* The first lasting evaluation with this source or object hash (SHA-256 in hex), or null; valid until
 * the next one is booked. The eager kernel, which has no score, and failures of ours are none. */
const struct bp_ledger_row *bp_ledger_find_source(const struct bp_ledger *ledger, const char *hash);
const struct bp_ledger_row *bp_ledger_find_object(const struct bp_ledger *ledger, const char *hash);

/* The row's source hash in hex; zeros when it has none. */
void bp_ledger_source_hash(const struct bp_ledger_row *row, char text[BP_HASH_TEXT]);

#endif
