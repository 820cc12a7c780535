#include "harness/evolve/ledger.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

void bp_ledger_init(struct bp_ledger *ledger, const struct bp_space *space)
{
    *ledger = (struct bp_ledger){0};
    bp_history_init(&ledger->history, space);
}

void bp_ledger_free(struct bp_ledger *ledger)
{
    const struct bp_space *space = ledger->history.space;
    free(ledger->rows);
    free(ledger->sources.slots);
    free(ledger->objects.slots);
    bp_history_free(&ledger->history);
    bp_ledger_init(ledger, space);
}

/* ---- identities ---- */

/* Zeros for anything that is no SHA-256: such a row is nobody's duplicate. */
static bool parse_hash(const char *text, uint8_t hash[BP_LEDGER_HASH])
{
    size_t bytes = 0;
    memset(hash, 0, BP_LEDGER_HASH);
    return sodium_hex2bin(hash, BP_LEDGER_HASH, text, strlen(text), NULL, &bytes, NULL) == 0 &&
           bytes == BP_LEDGER_HASH;
}

/* The two hashes of a row by where they lie in it. */
static const uint8_t *hash_of(const struct bp_ledger_row *row, size_t offset)
{
    return (const uint8_t *)row + offset;
}

/* The slot that holds the hash, or the free one where it belongs. */
static uint32_t find_slot(const struct bp_ledger *ledger, const struct bp_ledger_index *index,
                          size_t offset, const uint8_t *hash)
{
    uint32_t slot;
    memcpy(&slot, hash, sizeof slot); /* any four bytes of a SHA-256 are as good as others */
    slot &= index->slot_count - 1;
    while (index->slots[slot] && memcmp(hash_of(&ledger->rows[index->slots[slot] - 1], offset),
                                        hash, BP_LEDGER_HASH) != 0)
        slot = (slot + 1) & (index->slot_count - 1);
    return slot;
}

static void index_row(struct bp_ledger *ledger, struct bp_ledger_index *index, size_t offset,
                      uint32_t row)
{
    static const uint8_t none[BP_LEDGER_HASH];
    const uint8_t *hash = hash_of(&ledger->rows[row], offset);
    if (!ledger->rows[row].lasting || memcmp(hash, none, sizeof none) == 0)
        return;
    uint32_t slot = find_slot(ledger, index, offset, hash);
    if (!index->slots[slot])
        index->slots[slot] = row + 1;
}

/* Twice as many slots as rows at least, so that a search for a free one is short. */
static int resize_index(struct bp_ledger *ledger, struct bp_ledger_index *index, size_t offset,
                        struct bp_error *err)
{
    uint32_t slot_count = 2 * ledger->capacity;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the ledger");
    free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
    for (uint32_t i = 0; i < ledger->count; i++)
        index_row(ledger, index, offset, i);
    return 0;
}

static int reserve_row(struct bp_ledger *ledger, struct bp_error *err)
{
    if (ledger->count < ledger->capacity)
        return 0;
    uint32_t capacity = ledger->capacity ? 2 * ledger->capacity : FIRST_CAPACITY;
    struct bp_ledger_row *rows = realloc(ledger->rows, capacity * sizeof *rows);
    if (!rows)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the ledger");
    ledger->rows = rows;
    ledger->capacity = capacity;
    if (resize_index(ledger, &ledger->sources, offsetof(struct bp_ledger_row, source), err) < 0)
        return -1;
    return resize_index(ledger, &ledger->objects, offsetof(struct bp_ledger_row, object), err);
}

static const struct bp_ledger_row *find(const struct bp_ledger *ledger,
                                        const struct bp_ledger_index *index, size_t offset,
                                        const char *text)
{
    uint8_t hash[BP_LEDGER_HASH];
    if (ledger->count == 0 || !parse_hash(text, hash))
        return NULL;
    uint32_t slot = find_slot(ledger, index, offset, hash);
    return index->slots[slot] ? &ledger->rows[index->slots[slot] - 1] : NULL;
}

const struct bp_ledger_row *bp_ledger_find_source(const struct bp_ledger *ledger, const char *hash)
{
    return find(ledger, &ledger->sources, offsetof(struct bp_ledger_row, source), hash);
}

const struct bp_ledger_row *bp_ledger_find_object(const struct bp_ledger *ledger, const char *hash)
{
    return find(ledger, &ledger->objects, offsetof(struct bp_ledger_row, object), hash);
}

void bp_ledger_source_hash(const struct bp_ledger_row *row, char text[BP_HASH_TEXT])
{
    sodium_bin2hex(text, BP_HASH_TEXT, row->source, sizeof row->source);
}

/* ---- booking ---- */

static int add_row(struct bp_ledger *ledger, const struct bp_recorded *recorded,
                   struct bp_error *err)
{
    if (reserve_row(ledger, err) < 0)
        return -1;
    struct bp_ledger_row *row = &ledger->rows[ledger->count];
    *row = (struct bp_ledger_row){.number = recorded->number,
                                  .verdict = recorded->verdict,
                                  .stage = recorded->stage,
                                  .score = recorded->score,
                                  .promoted = recorded->promoted,
                                  .lasting =
                                      recorded->has_score && recorded->verdict != BP_VERDICT_INFRA};
    parse_hash(recorded->source_hash, row->source);
    parse_hash(recorded->object_hash, row->object);
    index_row(ledger, &ledger->sources, offsetof(struct bp_ledger_row, source), ledger->count);
    index_row(ledger, &ledger->objects, offsetof(struct bp_ledger_row, object), ledger->count);
    ledger->count++;
    return 0;
}

int bp_ledger_add(struct bp_ledger *ledger, const struct bp_recorded *recorded,
                  const struct bp_point *point, struct bp_error *err)
{
    if (point) {
        struct bp_observation observation = {*point, recorded->number, recorded->verdict,
                                             recorded->score};
        if (bp_history_add(&ledger->history, &observation, err) < 0)
            return -1;
    }
    if (add_row(ledger, recorded, err) < 0)
        return -1;
    if (recorded->promoted) {
        ledger->history.champion = ledger->history.count - 1;
        ledger->champion_number = recorded->number;
        ledger->champion_score = recorded->score;
    }
    ledger->verdicts[recorded->verdict]++;
    ledger->duplicates += recorded->duplicate;
    bp_safety_add(&ledger->safety, &recorded->safety, ledger->count - 1);
    return 0;
}

/* ---- demotion ---- */

static bool same_hash(const uint8_t *a, const uint8_t *b)
{
    return !sodium_is_zero(a, BP_LEDGER_HASH) && memcmp(a, b, BP_LEDGER_HASH) == 0;
}

/* Numbers are consecutive from 1. */
static struct bp_ledger_row *row_of(struct bp_ledger *ledger, uint32_t number)
{
    return &ledger->rows[number - 1];
}

static void crown_the_last(struct bp_ledger *ledger)
{
    struct bp_history *history = &ledger->history;
    uint32_t last = history->count - 1;
    while (last > 0 && !row_of(ledger, history->observations[last].evaluation)->promoted)
        last--; /* down to the baseline, which is never demoted */
    const struct bp_ledger_row *row = row_of(ledger, history->observations[last].evaluation);
    history->champion = last;
    ledger->champion_number = row->number;
    ledger->champion_score = row->score;
}

void bp_ledger_demote(struct bp_ledger *ledger, uint32_t number, enum bp_verdict verdict)
{
    const struct bp_ledger_row fallen = *row_of(ledger, number);
    struct bp_history *history = &ledger->history;
    row_of(ledger, number)->promoted = false;
    for (uint32_t i = 0; i < history->count; i++) {
        struct bp_ledger_row *row = row_of(ledger, history->observations[i].evaluation);
        if (row->verdict != BP_VERDICT_PASS ||
            (!same_hash(row->source, fallen.source) && !same_hash(row->object, fallen.object)))
            continue;
        row->verdict = verdict;
        row->score = 0;
        bp_history_correct(history, i, verdict);
    }
    crown_the_last(ledger);
}

/* ---- proposals in flight ---- */

int bp_ledger_expect(struct bp_ledger *ledger, const struct bp_point *point, struct bp_error *err)
{
    struct bp_observation observation = {*point, 0, BP_VERDICT_INFRA, 0};
    return bp_history_add(&ledger->history, &observation, err);
}

void bp_ledger_settle(struct bp_ledger *ledger, uint32_t observation_count)
{
    bp_history_forget(&ledger->history, observation_count);
}
