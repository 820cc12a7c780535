#include "harness/evolve/replayed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "harness/evolve/run_facts.h"
#include "harness/store/store.h"

struct entry {
    char source_hash[BP_HASH_TEXT];
    uint32_t number;
    bool used;
};

struct match {
    enum bp_meeting meeting;
    struct bp_duel duel;
    char challenger[BP_HASH_TEXT], incumbent[BP_HASH_TEXT];
    bool used;
};

struct bp_replayed {
    struct bp_store *store; /* owned, read-only */
    char dir[4096];
    uint32_t parallel;
    struct entry *entries; /* owned, [count]; by hash and number once all are there */
    uint32_t count, capacity;
    struct match *matches; /* owned, [match_count], in order */
    uint32_t match_count, match_capacity;
};

/* ---- reading the record ---- */

static int add_entry(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    struct bp_replayed *replayed = context;
    struct entry *entries =
        bp_array_grow(replayed->entries, replayed->count, &replayed->capacity, sizeof *entries);
    if (!entries)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for recorded results");
    replayed->entries = entries;
    struct entry *entry = &replayed->entries[replayed->count++];
    *entry = (struct entry){.number = recorded->number};
    snprintf(entry->source_hash, sizeof entry->source_hash, "%s", recorded->source_hash);
    return 0;
}

/* By number, as the entries stand before they are sorted. */
static const char *hash_of(const struct bp_replayed *replayed, uint32_t number)
{
    bool known =
        number > 0 && number <= replayed->count && replayed->entries[number - 1].number == number;
    return known ? replayed->entries[number - 1].source_hash : "";
}

static int add_match(struct bp_replayed *replayed, enum bp_meeting meeting, const char *json,
                     struct bp_error *err)
{
    struct match *matches = bp_array_grow(replayed->matches, replayed->match_count,
                                          &replayed->match_capacity, sizeof *matches);
    if (!matches)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for recorded matches");
    replayed->matches = matches;
    struct match *match = &replayed->matches[replayed->match_count];
    *match = (struct match){.meeting = meeting};
    if (bp_duel_parse(json, &match->duel, err) < 0)
        return -1;
    snprintf(match->challenger, sizeof match->challenger, "%s",
             hash_of(replayed, match->duel.challenger));
    snprintf(match->incumbent, sizeof match->incumbent, "%s",
             hash_of(replayed, match->duel.incumbent));
    replayed->match_count++;
    return 0;
}

static int add_event(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    if (strcmp(event->kind, "match") == 0)
        return add_match(context, BP_MEETING_MATCH, event->json, err);
    if (strcmp(event->kind, "final") == 0)
        return add_match(context, BP_MEETING_FINAL, event->json, err);
    return 0;
}

static int order_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int order = strcmp(left->source_hash, right->source_hash);
    return order ? order : (left->number > right->number) - (left->number < right->number);
}

static int read_record(struct bp_replayed *replayed, struct bp_error *err)
{
    if (bp_store_read(replayed->dir, &replayed->store, err) < 0 ||
        bp_run_facts_parallel(replayed->store, replayed->dir, &replayed->parallel, err) < 0 ||
        bp_store_load_evaluations(replayed->store, add_entry, replayed, err) < 0 ||
        bp_store_load_events(replayed->store, NULL, 0, add_event, replayed, err) < 0)
        return -1;
    if (replayed->count > 0)
        qsort(replayed->entries, replayed->count, sizeof *replayed->entries, order_entries);
    return 0;
}

int bp_replayed_open(const char *dir, struct bp_replayed **replayed, struct bp_error *err)
{
    struct bp_replayed *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for recorded results");
    snprintf(fresh->dir, sizeof fresh->dir, "%s", dir);
    if (read_record(fresh, err) < 0) {
        bp_replayed_close(&fresh);
        return -1;
    }
    *replayed = fresh;
    return 0;
}

void bp_replayed_close(struct bp_replayed **replayed)
{
    struct bp_error err;
    if (!*replayed)
        return;
    if ((*replayed)->store)
        bp_store_close((*replayed)->store, &err); /* nothing was written that could fail */
    free((*replayed)->entries);
    free((*replayed)->matches);
    free(*replayed);
    *replayed = NULL;
}

uint32_t bp_replayed_parallel(const struct bp_replayed *replayed)
{
    return replayed->parallel;
}

/* ---- giving out ---- */

static struct entry *take_entry(struct bp_replayed *replayed, const char *source_hash)
{
    uint32_t low = 0, high = replayed->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(replayed->entries[middle].source_hash, source_hash) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < replayed->count; low++) {
        struct entry *entry = &replayed->entries[low];
        if (strcmp(entry->source_hash, source_hash) != 0)
            break;
        if (!entry->used) {
            entry->used = true;
            return entry;
        }
    }
    return NULL;
}

static int fail_miss(const struct bp_replayed *replayed, const struct bp_evaluation *evaluation,
                     struct bp_error *err)
{
    char knobs[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < evaluation->knob_count && used < sizeof knobs; i++)
        used += (size_t)snprintf(knobs + used, sizeof knobs - used, " %s=%s",
                                 evaluation->knobs[i].name, evaluation->knobs[i].value);
    return bp_fail(err, BP_ERR_USAGE,
                   "%s has no recorded result for evaluation %u: %s%s, source %.12s", replayed->dir,
                   evaluation->number, evaluation->kernel_name, knobs, evaluation->source_hash);
}

/* The verdict as it was before any match: a challenger that fails in one loses it later. */
static void set_verdict(struct bp_evaluation *evaluation)
{
    if (evaluation->attempt_count == 0)
        return;
    const struct bp_attempt *last = &evaluation->attempts[evaluation->attempt_count - 1];
    evaluation->verdict = last->outcome;
    evaluation->stage = last->stage;
    memcpy(evaluation->message, last->message, sizeof evaluation->message);
}

static void adopt(struct bp_evaluation *evaluation, struct bp_evaluation *recorded)
{
    memcpy(evaluation->object_hash, recorded->object_hash, sizeof evaluation->object_hash);
    memcpy(evaluation->device_name, recorded->device_name, sizeof evaluation->device_name);
    memcpy(evaluation->device_kind, recorded->device_kind, sizeof evaluation->device_kind);
    memcpy(evaluation->device_arch, recorded->device_arch, sizeof evaluation->device_arch);
    memcpy(evaluation->device_driver, recorded->device_driver, sizeof evaluation->device_driver);
    memcpy(evaluation->sandbox, recorded->sandbox, sizeof evaluation->sandbox);
    evaluation->attempt_count = recorded->attempt_count;
    memcpy(evaluation->attempts, recorded->attempts, sizeof evaluation->attempts);
    evaluation->plan_count = recorded->plan_count;
    evaluation->plans = bp_steal_pointer(&recorded->plans);
    evaluation->timing_count = recorded->timing_count;
    memcpy(evaluation->timings, recorded->timings, sizeof evaluation->timings);
    evaluation->case_count = recorded->case_count;
    evaluation->cases = bp_steal_pointer(&recorded->cases);
    evaluation->unseen = recorded->unseen;
    evaluation->diagnostics = bp_steal_pointer(&recorded->diagnostics);
    evaluation->duration = recorded->duration;
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    set_verdict(evaluation);
    bp_evaluation_safety(evaluation);
}

int bp_replayed_evaluation(struct bp_replayed *replayed, struct bp_evaluation *evaluation,
                           struct bp_error *err)
{
    const struct entry *entry = take_entry(replayed, evaluation->source_hash);
    struct bp_evaluation *recorded;
    if (!entry)
        return fail_miss(replayed, evaluation, err);
    if (bp_store_load_evaluation(replayed->store, entry->number, &recorded, err) < 0)
        return -1;
    adopt(evaluation, recorded);
    bp_evaluation_free(recorded);
    return 0;
}

static struct match *take_match(struct bp_replayed *replayed, enum bp_meeting meeting,
                                const char *challenger, const char *incumbent)
{
    for (uint32_t i = 0; i < replayed->match_count; i++) {
        struct match *match = &replayed->matches[i];
        if (match->used || match->meeting != meeting ||
            strcmp(match->challenger, challenger) != 0 || strcmp(match->incumbent, incumbent) != 0)
            continue;
        match->used = true;
        return match;
    }
    return NULL;
}

int bp_replayed_match(struct bp_replayed *replayed, enum bp_meeting meeting, const char *challenger,
                      const char *incumbent, struct bp_match_result *result, struct bp_error *err)
{
    const struct match *match = take_match(replayed, meeting, challenger, incumbent);
    if (!match)
        return bp_fail(err, BP_ERR_USAGE, "%s has no recorded %s of sources %.12s and %.12s",
                       replayed->dir, meeting == BP_MEETING_FINAL ? "final comparison" : "match",
                       challenger, incumbent);
    *result = match->duel.result;
    return 0;
}

void bp_replayed_skip_evaluation(struct bp_replayed *replayed, const char *source_hash)
{
    take_entry(replayed, source_hash);
}

void bp_replayed_skip_match(struct bp_replayed *replayed, enum bp_meeting meeting,
                            const char *challenger, const char *incumbent)
{
    take_match(replayed, meeting, challenger, incumbent);
}
