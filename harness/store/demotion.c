#include "harness/store/demotion.h"

#include <stdlib.h>

#include "base/array.h"

json_t *bp_demotion_json(const struct bp_demotion *demotion)
{
    return json_pack("{s:I, s:s, s:I, s:I, s:f}", "evaluation", (json_int_t)demotion->evaluation,
                     "verdict", bp_verdict_name(demotion->verdict), "since",
                     (json_int_t)demotion->since, "champion", (json_int_t)demotion->champion,
                     "score", demotion->score);
}

static int read_demotion(json_t *json, struct bp_demotion *demotion, struct bp_error *err)
{
    json_error_t error;
    json_int_t evaluation, since, champion;
    const char *verdict;
    if (json_unpack_ex(json, &error, 0, "{s:I, s:s, s:I, s:I, s:F}", "evaluation", &evaluation,
                       "verdict", &verdict, "since", &since, "champion", &champion, "score",
                       &demotion->score) < 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "an event demoted cannot be read: %s", error.text);
    demotion->evaluation = (uint32_t)evaluation;
    demotion->since = (uint32_t)since;
    demotion->champion = (uint32_t)champion;
    if (!bp_verdict_parse(verdict, &demotion->verdict))
        return bp_fail(err, BP_ERR_UNAVAILABLE, "an event demoted has the unknown verdict '%s'",
                       verdict);
    return 0;
}

int bp_demotion_parse(const char *text, struct bp_demotion *demotion, struct bp_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    int result = read_demotion(json, demotion, err);
    json_decref(json);
    return result;
}

static int add(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    struct bp_demotions *demotions = context;
    struct bp_demotion *items =
        bp_array_grow(demotions->items, demotions->count, &demotions->capacity, sizeof *items);
    if (!items)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the record's demotions");
    demotions->items = items;
    return bp_demotion_parse(event->json, &items[demotions->count++], err);
}

int bp_demotions_load(struct bp_store *store, struct bp_demotions *demotions, struct bp_error *err)
{
    *demotions = (struct bp_demotions){0};
    if (bp_store_load_events(store, "demoted", 0, add, demotions, err) == 0)
        return 0;
    bp_demotions_free(demotions);
    return -1;
}

void bp_demotions_free(struct bp_demotions *demotions)
{
    free(demotions->items);
    *demotions = (struct bp_demotions){0};
}

bool bp_demotions_has(const struct bp_demotions *demotions, uint32_t evaluation)
{
    for (uint32_t i = 0; i < demotions->count; i++)
        if (demotions->items[i].evaluation == evaluation)
            return true;
    return false;
}

double bp_demotions_score(const struct bp_demotions *demotions, uint32_t number, double score)
{
    for (uint32_t i = 0; i < demotions->count; i++)
        if (demotions->items[i].since == number)
            score = demotions->items[i].score;
    return score;
}
