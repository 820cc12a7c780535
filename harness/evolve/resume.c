#include "harness/evolve/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/evolve/standings.h"
#include "harness/store/demotion.h"

struct walk {
    struct bp_run *run;
    struct bp_resumed *resumed;
    char *batch;          /* owned: the last event batch */
    char *latest;         /* owned: the last event that says the seconds so far */
    struct bp_duel final; /* the last one; challenger 0: none was played */
};

static int fail_damaged(const struct bp_run *run, const char *what, struct bp_error *err)
{
    return bp_fail(err, BP_ERR_UNAVAILABLE, "the record in %s is damaged: %s", run->dir, what);
}

/* ---- evaluations ---- */

static int find_point(const struct bp_recorded *recorded, const struct bp_space *space,
                      struct bp_point *point, struct bp_error *err)
{
    *point = (struct bp_point){0};
    for (uint32_t i = 0; i < recorded->knob_count; i++)
        if (bp_space_choose(space, recorded->knobs[i].name,
                            strtoll(recorded->knobs[i].value, NULL, 10), point, err) < 0)
            return -1;
    return 0;
}

static int add_evaluation(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    const struct walk *walk = context;
    struct bp_run *run = walk->run;
    struct bp_point point;
    bool in_space = recorded->origin != BP_ORIGIN_EAGER;
    if (recorded->number != run->ledger.count + 1)
        return fail_damaged(run, "its evaluations are not consecutive", err);
    if (in_space && find_point(recorded, &run->config->head.space, &point, err) < 0)
        return -1;
    if (run->replayed)
        bp_replayed_skip_evaluation(run->replayed, recorded->source_hash);
    return bp_ledger_add(&run->ledger, recorded, in_space ? &point : NULL, err);
}

/* ---- events ---- */

/* Empty for an evaluation that is not there: of no recorded match. */
static void hash_of(const struct bp_run *run, uint32_t number, char hash[BP_HASH_TEXT])
{
    hash[0] = '\0';
    if (number > 0 && number <= run->ledger.count)
        bp_ledger_source_hash(&run->ledger.rows[number - 1], hash);
}

static void skip_match(struct bp_run *run, enum bp_meeting meeting, const struct bp_duel *duel)
{
    char challenger[BP_HASH_TEXT], incumbent[BP_HASH_TEXT];
    hash_of(run, duel->challenger, challenger);
    hash_of(run, duel->incumbent, incumbent);
    bp_replayed_skip_match(run->replayed, meeting, challenger, incumbent);
}

static int read_duel(struct walk *walk, const struct bp_stored_event *event,
                     enum bp_meeting meeting, struct bp_duel *duel, struct bp_error *err)
{
    struct bp_run *run = walk->run;
    if (bp_duel_parse(event->json, duel, err) < 0)
        return -1;
    if (run->replayed)
        skip_match(run, meeting, duel);
    return 0;
}

static int keep_text(char **kept, const char *text, struct bp_error *err)
{
    free(*kept);
    *kept = strdup(text);
    return *kept ? 0 : bp_fail(err, BP_ERR_MEMORY, "no memory for an event");
}

static int take_batch(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err)
{
    return keep_text(&walk->batch, event->json, err);
}

static int take_match(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err)
{
    struct bp_duel duel;
    if (read_duel(walk, event, BP_MEETING_MATCH, &duel, err) < 0)
        return -1;
    if (duel.result.outcome.verdict == BP_VERDICT_PASS)
        walk->run->ladder = duel.ladder;
    return 0;
}

static int take_demoted(struct walk *walk, const struct bp_stored_event *event,
                        struct bp_error *err)
{
    struct bp_run *run = walk->run;
    struct bp_demotion demotion;
    if (bp_demotion_parse(event->json, &demotion, err) < 0)
        return -1;
    if (demotion.evaluation == 0 || demotion.evaluation > run->ledger.count ||
        !run->ledger.rows[demotion.evaluation - 1].promoted || demotion.evaluation <= 2)
        return fail_damaged(run, "what was demoted had not been promoted", err);
    bp_ledger_demote(&run->ledger, demotion.evaluation, demotion.verdict);
    bp_ladder_step_down(&run->ladder, demotion.score);
    return 0;
}

static int take_final(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err)
{
    return read_duel(walk, event, BP_MEETING_FINAL, &walk->final, err);
}

static int take_run(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err)
{
    json_error_t error;
    json_int_t evaluations;
    json_t *json = json_loads(event->json, 0, NULL);
    int got = json_unpack_ex(json, &error, 0, "{s:I, s:F}", "evaluations", &evaluations, "seconds",
                             &walk->resumed->seconds);
    json_decref(json);
    if (got < 0)
        return fail_damaged(walk->run, error.text, err);
    walk->resumed->evaluations = (uint32_t)evaluations;
    walk->resumed->finished = false;
    return 0;
}

static int take_end(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err)
{
    json_error_t error;
    const char *status;
    int exhausted;
    json_t *json = json_loads(event->json, 0, NULL);
    int got =
        json_unpack_ex(json, &error, 0, "{s:s, s:b}", "status", &status, "exhausted", &exhausted);
    if (got == 0) {
        walk->resumed->finished = strcmp(status, "finished") == 0;
        walk->run->exhausted = exhausted;
    }
    json_decref(json);
    return got < 0 ? fail_damaged(walk->run, error.text, err) : 0;
}

static const struct {
    const char *kind;
    int (*take)(struct walk *walk, const struct bp_stored_event *event, struct bp_error *err);
} kinds[] = {
    {"batch", take_batch}, {"match", take_match}, {"demoted", take_demoted},
    {"final", take_final}, {"run", take_run},     {"end", take_end},
};

static int take_event(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    struct walk *walk = context;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(event->kind, kinds[i].kind) == 0)
            return keep_text(&walk->latest, event->json, err) < 0 ? -1
                                                                  : kinds[i].take(walk, event, err);
    return 0;
}

/* ---- what follows from them ---- */

static int load_candidate(struct bp_run *run, uint32_t number, struct bp_candidate *candidate,
                          struct bp_error *err)
{
    return bp_store_load_evaluation(run->recorder.store, number, &candidate->evaluation, err);
}

static int load_firsts(struct bp_run *run, struct bp_error *err)
{
    if (run->ledger.count >= 1 && load_candidate(run, 1, &run->eager, err) < 0)
        return -1;
    return run->ledger.count >= 2 ? load_candidate(run, 2, &run->baseline, err) : 0;
}

static int load_champion(struct bp_run *run, struct bp_error *err)
{
    uint32_t champion = run->ledger.champion_number;
    return champion > 0 ? load_candidate(run, champion, &run->champion, err) : 0;
}

static int restore_decisions(struct walk *walk, struct bp_error *err)
{
    struct bp_run *run = walk->run;
    struct bp_batch *batch = &walk->resumed->pending;
    if (!walk->batch)
        return 0;
    if (bp_batch_parse(walk->batch, &run->config->head.space, batch, err) < 0)
        return -1;
    const struct bp_proposed *last = &batch->members[batch->count - 1];
    if (batch->members[0].number > run->ledger.count + 1 || last->number < run->ledger.count)
        return fail_damaged(run, "its evaluations are not those of its batches", err);
    run->decision = last->decision + 1;
    walk->resumed->has_pending = last->number > run->ledger.count;
    return 0;
}

static void restore_elapsed(struct walk *walk)
{
    json_t *json = walk->latest ? json_loads(walk->latest, 0, NULL) : NULL;
    walk->resumed->elapsed_s = json_number_value(json_object_get(json, "elapsed_s"));
    json_decref(json);
}

static void restore_final(struct walk *walk)
{
    struct bp_run *run = walk->run;
    if (walk->final.challenger == 0 || walk->final.challenger != run->ledger.champion_number ||
        walk->final.result.outcome.verdict != BP_VERDICT_PASS)
        return;
    run->final = walk->final.result;
    run->compared = true;
}

static int rebuild(struct walk *walk, struct bp_error *err)
{
    struct bp_run *run = walk->run;
    struct bp_store *store = run->recorder.store;
    if (bp_store_load_evaluations(store, add_evaluation, walk, err) < 0 ||
        load_firsts(run, err) < 0)
        return -1;
    if (run->ledger.champion_number > 0)
        bp_ladder_start(&run->ladder, bp_standings_geomean_ms(run->baseline.evaluation));
    if (bp_store_load_events(store, NULL, 0, take_event, walk, err) < 0 ||
        load_champion(run, err) < 0 || restore_decisions(walk, err) < 0)
        return -1;
    restore_elapsed(walk);
    restore_final(walk);
    return 0;
}

int bp_resume(struct bp_run *run, struct bp_resumed *resumed, struct bp_error *err)
{
    struct walk walk = {.run = run, .resumed = resumed};
    *resumed = (struct bp_resumed){.evaluations = run->config->budget.evaluations,
                                   .seconds = run->config->budget.seconds};
    int result = rebuild(&walk, err);
    free(walk.batch);
    free(walk.latest);
    return result;
}
