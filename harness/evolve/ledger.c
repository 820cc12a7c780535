#include "harness/evolve/ledger.h"

#include <stdlib.h>
#include <string.h>

void bp_ledger_init(struct bp_ledger *ledger, const struct bp_space *space)
{
    *ledger = (struct bp_ledger){.space = space, .champion = UINT32_MAX};
}

void bp_ledger_free(struct bp_ledger *ledger)
{
    free(ledger->rows);
    free(ledger->history);
    free(ledger->observations);
    bp_ledger_init(ledger, ledger->space);
}

static int reserve_rows(struct bp_ledger *ledger, struct bp_error *err)
{
    if (ledger->count < ledger->capacity)
        return 0;
    uint32_t capacity = ledger->capacity ? 2 * ledger->capacity : 64;
    struct bp_ledger_row *rows = realloc(ledger->rows, capacity * sizeof *rows);
    if (rows)
        ledger->rows = rows;
    struct bp_history_entry *history = realloc(ledger->history, capacity * sizeof *history);
    if (history)
        ledger->history = history;
    if (!rows || !history)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the ledger");
    ledger->capacity = capacity;
    return 0;
}

static int add_observation(struct bp_ledger *ledger, const struct bp_observation *observation,
                           struct bp_error *err)
{
    if (ledger->observation_count == ledger->observation_capacity) {
        uint32_t capacity = ledger->observation_capacity ? 2 * ledger->observation_capacity : 64;
        struct bp_observation *grown = realloc(ledger->observations, capacity * sizeof *grown);
        if (!grown)
            return bp_fail(err, BP_ERR_MEMORY, "no memory for observations");
        ledger->observations = grown;
        ledger->observation_capacity = capacity;
    }
    ledger->observations[ledger->observation_count++] = *observation;
    return 0;
}

int bp_ledger_add(struct bp_ledger *ledger, const struct bp_evaluation *evaluation,
                  const struct bp_point *point, bool promoted, struct bp_error *err)
{
    if (reserve_rows(ledger, err) < 0)
        return -1;
    if (point) {
        struct bp_observation observation = {*point, evaluation->number, evaluation->verdict,
                                             evaluation->score};
        if (add_observation(ledger, &observation, err) < 0)
            return -1;
    }
    struct bp_ledger_row *row = &ledger->rows[ledger->count];
    *row = (struct bp_ledger_row){.number = evaluation->number,
                                  .verdict = evaluation->verdict,
                                  .stage = evaluation->stage,
                                  .score = evaluation->score,
                                  .lasting = evaluation->has_score &&
                                             evaluation->verdict != BP_VERDICT_INFRA};
    memcpy(row->source_hash, evaluation->source_hash, sizeof row->source_hash);
    memcpy(row->object_hash, evaluation->object_hash, sizeof row->object_hash);

    double before = ledger->champion_score;
    if (promoted) {
        ledger->champion = ledger->observation_count - 1;
        ledger->champion_number = evaluation->number;
        ledger->champion_score = evaluation->score;
    }
    ledger->history[ledger->count] = (struct bp_history_entry){
        .number = evaluation->number,
        .verdict = evaluation->verdict,
        .score = evaluation->score,
        .best_so_far = ledger->champion_score,
        .improvement_vs_best = before > 0 ? evaluation->score / before : 0,
        .promoted = promoted,
        .duplicate = evaluation->duplicate,
    };
    ledger->count++;
    ledger->verdicts[evaluation->verdict]++;
    ledger->duplicates += evaluation->duplicate;
    bp_safety_add(&ledger->safety, &evaluation->safety, ledger->count - 1);
    return 0;
}

int bp_ledger_expect(struct bp_ledger *ledger, const struct bp_point *point, struct bp_error *err)
{
    struct bp_observation observation = {*point, 0, BP_VERDICT_INFRA, 0};
    return add_observation(ledger, &observation, err);
}

void bp_ledger_settle(struct bp_ledger *ledger, uint32_t observation_count)
{
    ledger->observation_count = observation_count;
}

const struct bp_ledger_row *bp_ledger_find_source(const struct bp_ledger *ledger, const char *hash)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger->rows[i].lasting && strcmp(ledger->rows[i].source_hash, hash) == 0)
            return &ledger->rows[i];
    return NULL;
}

const struct bp_ledger_row *bp_ledger_find_object(const struct bp_ledger *ledger, const char *hash)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger->rows[i].lasting && *hash && strcmp(ledger->rows[i].object_hash, hash) == 0)
            return &ledger->rows[i];
    return NULL;
}

void bp_ledger_view(const struct bp_ledger *ledger, struct bp_history *history)
{
    *history = (struct bp_history){.space = ledger->space,
                                   .observations = ledger->observations,
                                   .count = ledger->observation_count,
                                   .champion = ledger->champion};
}
