/* demotion.h: a champion that failed in its matches is none any more: the event `demoted` of a record
 * (docs/results.md), as plain data, for all who tell from a record which evaluation is the best. */
#ifndef BP_HARNESS_STORE_DEMOTION_H
#define BP_HARNESS_STORE_DEMOTION_H

#include <jansson.h>

#include "harness/store/store.h"

struct bp_demotion {
    uint32_t evaluation;     /* the champion until then, which had been promoted */
    enum bp_verdict verdict; /* what it failed with */
    uint32_t since;          /* number of the next evaluation to be recorded then */
    uint32_t champion;       /* who is it again: the last promoted one of the others */
    double score;            /* the champion's */
};

struct bp_demotions {
    struct bp_demotion *items; /* owned, [count], in order */
    uint32_t count, capacity;
};

/* A new reference; null when there is no memory. */
json_t *bp_demotion_json(const struct bp_demotion *demotion);
/* From the event's text; BP_ERR_UNAVAILABLE when it does not say what it must. */
int bp_demotion_parse(const char *text, struct bp_demotion *demotion, struct bp_error *err)
    BP_MUST_CHECK;

/* Those of a record; on failure nothing is owned. */
int bp_demotions_load(struct bp_store *store, struct bp_demotions *demotions, struct bp_error *err)
    BP_MUST_CHECK;
void bp_demotions_free(struct bp_demotions *demotions);

/* Whether the evaluation was demoted, whenever. */
bool bp_demotions_has(const struct bp_demotions *demotions, uint32_t evaluation);
/* The champion's score when evaluation `number` came, of which `score` is true without demotions. */
double bp_demotions_score(const struct bp_demotions *demotions, uint32_t number, double score);

#endif
