#include "harness/inject/places.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"

struct list {
    struct bp_fault_place *places;
    uint32_t count, capacity;
};

static int add(struct list *list, const struct bp_fault_place *place, struct bp_error *err)
{
    struct bp_fault_place *places =
        bp_array_grow(list->places, list->count, &list->capacity, sizeof *places);
    if (!places)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for places of faults");
    list->places = places;
    list->places[list->count++] = *place;
    return 0;
}

static uint32_t met(const struct bp_places_options *options, uint32_t scope, uint32_t phase)
{
    return options->census->counted[options->point][scope][phase];
}

static uint64_t met_in_phase(const struct bp_places_options *options, uint32_t phase)
{
    uint64_t total = 0;
    for (uint32_t scope = 0; scope < BP_FAULT_SCOPES; scope++)
        total += met(options, scope, phase);
    return total;
}

/* ---- all of them ---- */

static int add_every(const struct bp_places_options *options, struct list *list,
                     struct bp_error *err)
{
    for (uint32_t phase = options->from; phase < BP_FAULT_PHASES; phase++)
        for (uint32_t scope = 0; scope < BP_FAULT_SCOPES; scope++)
            for (uint64_t nth = 1; nth <= met(options, scope, phase); nth++) {
                struct bp_fault_place place = {.phase = phase, .nth = nth};
                memcpy(place.scope, options->census->scopes[scope], sizeof place.scope);
                if (add(list, &place, err) < 0)
                    return -1;
            }
    return 0;
}

static int add_every_lasting(const struct bp_places_options *options, struct list *list,
                             struct bp_error *err)
{
    for (uint32_t phase = options->from; phase < BP_FAULT_PHASES; phase++)
        for (uint64_t nth = 1; nth <= met_in_phase(options, phase); nth++)
            if (add(list, &(struct bp_fault_place){.phase = phase, .nth = nth}, err) < 0)
                return -1;
    return 0;
}

/* ---- some ---- */

static void start_random(const struct bp_places_options *options, const char *what, uint64_t number,
                         struct bp_random *random)
{
    struct bp_key seed_key, point_key, key;
    bp_key_from_seed(options->seed, &seed_key);
    bp_key_derive(&seed_key, bp_fault_name(options->point), options->mode, &point_key);
    bp_key_derive(&point_key, what, number, &key);
    bp_random_start(random, &key);
}

static uint64_t draw(const struct bp_places_options *options, const char *what, uint32_t phase)
{
    struct bp_random random;
    start_random(options, what, phase, &random);
    return bp_random_below(&random, UINT64_MAX);
}

/* A stage, and of its children the first: whether later ones are started may depend on how fast a
 * candidate seems. Each stage draws a number of its own, so that no other changes what is chosen. */
static void draw_scope(const struct bp_places_options *options, struct bp_fault_place *place)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t scope = 0; scope < BP_FAULT_SCOPES; scope++) {
        const char *name = options->census->scopes[scope];
        char stage[BP_FAULT_SCOPE_TEXT];
        if (met(options, scope, place->phase) == 0)
            continue;
        snprintf(stage, sizeof stage, "%.*s", (int)strcspn(name, "."), name);
        uint64_t drawn = draw(options, stage, place->phase);
        if (drawn < least) { /* not the second of the same stage */
            least = drawn;
            memcpy(place->scope, name, sizeof place->scope);
        }
    }
}

/* One of each of the `wanted` equal parts of the phases in which the point was met. Which call is a
 * later one of a scope may depend on how long things take; the first is the same in every run. */
static int add_some(const struct bp_places_options *options, struct list *list,
                    struct bp_error *err)
{
    uint32_t phases[BP_FAULT_PHASES], total = 0, wanted;
    struct bp_random random;
    for (uint32_t phase = options->from; phase < BP_FAULT_PHASES; phase++)
        if (met_in_phase(options, phase) > 0)
            phases[total++] = phase;
    wanted = options->wanted < total ? options->wanted : total;
    start_random(options, "phases", 0, &random);
    for (uint32_t part = 0; part < wanted; part++) {
        uint32_t begin = part * total / wanted, end = (part + 1) * total / wanted;
        struct bp_fault_place place = {
            .phase = phases[begin + bp_random_below(&random, end - begin)], .nth = 1};
        if (options->mode == BP_FAULT_ONCE)
            draw_scope(options, &place);
        if (add(list, &place, err) < 0)
            return -1;
    }
    return 0;
}

int bp_places_choose(const struct bp_places_options *options, struct bp_fault_place **places,
                     uint32_t *count, struct bp_error *err)
{
    struct list list = {0};
    int result;
    if (!options->every)
        result = add_some(options, &list, err);
    else if (options->mode == BP_FAULT_ONCE)
        result = add_every(options, &list, err);
    else
        result = add_every_lasting(options, &list, err);
    *places = list.places;
    *count = list.count;
    return result;
}
