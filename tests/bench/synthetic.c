#include "tests/bench/synthetic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/store/sample.h"

#define SEED 5
#define KNOBS 8
#define VALUES 8

static void prepare(struct synthetic *run)
{
    *run = (struct synthetic){.space = {.knob_count = KNOBS}};
    for (uint32_t i = 0; i < KNOBS; i++) {
        struct bp_knob *knob = &run->space.knobs[i];
        snprintf(knob->name, sizeof knob->name, "KNOB_%c", 'A' + (int)i);
        knob->value_count = VALUES;
        for (uint32_t v = 0; v < VALUES; v++)
            knob->values[v] = 1 << v;
    }
    bp_key_from_seed(SEED, &run->key);
    bp_ledger_init(&run->ledger, &run->space);
}

int synthetic_create(struct synthetic *run, const char *dir, struct bp_error *err)
{
    prepare(run);
    return bp_store_create(dir, SEED, &run->store, err);
}

static int load_one(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    struct synthetic *run = context;
    struct bp_point point = {{0}};
    for (uint32_t i = 0; i < recorded->knob_count; i++)
        if (bp_space_choose(&run->space, recorded->knobs[i].name,
                            strtoll(recorded->knobs[i].value, NULL, 10), &point, err) < 0)
            return -1;
    return bp_ledger_add(&run->ledger, recorded, &point, err);
}

int synthetic_resume(struct synthetic *run, const char *dir, struct bp_error *err)
{
    prepare(run);
    if (bp_store_open(dir, &run->store, err) < 0)
        return -1;
    return bp_store_load_evaluations(run->store, load_one, run, err);
}

int synthetic_close(struct synthetic *run, struct bp_error *err)
{
    bp_ledger_free(&run->ledger);
    bp_space_free(&run->space);
    return bp_store_close(run->store, err);
}

static void set_identity(const struct synthetic *run, const struct bp_point *point,
                         struct bp_evaluation *e)
{
    char text[1024];
    size_t used = 0;
    e->knob_count = KNOBS;
    for (uint32_t i = 0; i < KNOBS; i++) {
        struct bp_define *knob = &e->knobs[i];
        snprintf(knob->name, sizeof knob->name, "%s", run->space.knobs[i].name);
        snprintf(knob->value, sizeof knob->value, "%" PRId64,
                 bp_space_value(&run->space, point, i));
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s=%s\n", knob->name, knob->value);
    }
    bp_hash_text(text, used, e->source_hash);
    bp_hash_text(e->source_hash, 60, e->object_hash);
}

/* A tenth fails; the rest lies anywhere below the champion or, ever more seldom, above it. */
static void set_result(const struct synthetic *run, struct bp_evaluation *e)
{
    struct bp_key key;
    struct bp_random random;
    bp_key_derive(&run->key, "result", e->number, &key);
    bp_random_start(&random, &key);
    e->score = 0;
    if (bp_random_below(&random, 10) == 0) {
        e->verdict = BP_VERDICT_WRONG_RESULT;
        e->stage = BP_STAGE_judge;
        return;
    }
    e->score = bp_random_unit(&random) * 2;
    e->promoted = e->score > run->ledger.champion_score;
}

static int record(struct synthetic *run, struct bp_evaluation *e, struct synthetic_cost *cost,
                  struct bp_error *err)
{
    uint64_t start_ns = bp_clock_ns();
    if (bp_store_evaluation(run->store, e, err) < 0)
        return -1;
    cost->queue_ms = bp_ns_to_ms(bp_clock_ns() - start_ns);
    int result = bp_store_flush(run->store, err);
    cost->commit_ms = bp_ns_to_ms(bp_clock_ns() - start_ns);
    return result;
}

int synthetic_step(struct synthetic *run, struct synthetic_cost *cost, struct bp_error *err)
{
    struct bp_proposal proposal;
    struct bp_recorded recorded;
    uint32_t number = run->ledger.count + 1;
    struct bp_evaluation *e = sample_evaluation(number, BP_VERDICT_PASS);
    uint64_t start_ns = bp_clock_ns();
    int got = bp_strategy_local.propose(&run->ledger.history, &run->key, number, &proposal, err);
    double propose_ms = bp_ns_to_ms(bp_clock_ns() - start_ns);
    if (got <= 0)
        return got < 0 ? -1 : bp_fail(err, BP_ERR_LIMIT, "the space is used up");
    e->parent = proposal.parent;
    set_identity(run, &proposal.point, e);
    set_result(run, e);
    start_ns = bp_clock_ns();
    bool known = bp_ledger_find_source(&run->ledger, e->source_hash) != NULL ||
                 bp_ledger_find_object(&run->ledger, e->object_hash) != NULL;
    bp_evaluation_short(e, &recorded);
    int result = known ? bp_fail(err, BP_ERR_STATE, "proposed twice: evaluation %u", number)
                       : bp_ledger_add(&run->ledger, &recorded, &proposal.point, err);
    cost->search_ms = propose_ms + bp_ns_to_ms(bp_clock_ns() - start_ns);
    if (result == 0)
        result = record(run, e, cost, err);
    bp_evaluation_free(e);
    return result;
}
