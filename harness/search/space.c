#include "harness/search/space.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REJECTION_TRIES 2000
#define SEARCH_STEPS 4000000 /* well under a second */

void bp_space_free(struct bp_space *space)
{
    for (uint32_t i = 0; i < space->constraint_count; i++)
        bp_expression_free(space->constraints[i]);
    space->constraint_count = 0;
    space->knob_count = 0;
}

uint32_t bp_space_knob(const struct bp_space *space, const char *name)
{
    uint32_t knob = 0;
    while (knob < space->knob_count && strcmp(space->knobs[knob].name, name) != 0)
        knob++;
    return knob;
}

int64_t bp_space_value(const struct bp_space *space, const struct bp_point *point, uint32_t knob)
{
    return space->knobs[knob].values[point->choice[knob]];
}

static void values_of(const struct bp_space *space, const struct bp_point *point, int64_t *values)
{
    for (uint32_t i = 0; i < space->knob_count; i++)
        values[i] = bp_space_value(space, point, i);
}

/* The first constraint that fails, or constraint_count. */
static uint32_t first_broken(const struct bp_space *space, const struct bp_point *point)
{
    int64_t values[BP_MAX_KNOBS];
    values_of(space, point, values);
    uint32_t i = 0;
    while (i < space->constraint_count && bp_expression_evaluate(space->constraints[i], values))
        i++;
    return i;
}

bool bp_space_allows(const struct bp_space *space, const struct bp_point *point)
{
    return first_broken(space, point) == space->constraint_count;
}

bool bp_space_same(const struct bp_space *space, const struct bp_point *a, const struct bp_point *b)
{
    return memcmp(a->choice, b->choice, space->knob_count * sizeof a->choice[0]) == 0;
}

static void list_knobs(const struct bp_space *space, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < space->knob_count && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", space->knobs[i].name);
}

static void list_values(const struct bp_knob *knob, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < knob->value_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "",
                                 knob->values[i]);
}

int bp_space_choose(const struct bp_space *space, const char *name, int64_t value,
                    struct bp_point *point, struct bp_error *err)
{
    char list[320];
    uint32_t knob = bp_space_knob(space, name);
    if (knob == space->knob_count) {
        list_knobs(space, list, sizeof list);
        return bp_fail(err, BP_ERR_USAGE, "unknown knob '%.63s' (knobs: %s)", name,
                       list[0] ? list : "none");
    }
    const struct bp_knob *declared = &space->knobs[knob];
    for (uint32_t i = 0; i < declared->value_count; i++)
        if (declared->values[i] == value) {
            point->choice[knob] = (uint16_t)i;
            return 0;
        }
    list_values(declared, list, sizeof list);
    return bp_fail(err, BP_ERR_USAGE, "%s=%" PRId64 " is not one of its values (%s)", name, value,
                   list);
}

int bp_space_point(const struct bp_space *space, uint32_t count, const char *const *names,
                   const int64_t *values, struct bp_point *point, struct bp_error *err)
{
    struct bp_point chosen = {{0}};
    bool given[BP_MAX_KNOBS] = {false};
    char text[320];
    for (uint32_t i = 0; i < count; i++) {
        if (bp_space_choose(space, names[i], values[i], &chosen, err) < 0)
            return -1;
        uint32_t knob = bp_space_knob(space, names[i]);
        if (given[knob])
            return bp_fail(err, BP_ERR_USAGE, "knob '%s' is given twice", names[i]);
        given[knob] = true;
    }
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (!given[i]) {
            list_values(&space->knobs[i], text, sizeof text);
            return bp_fail(err, BP_ERR_USAGE, "knob '%s' is missing (values: %s)",
                           space->knobs[i].name, text);
        }
    uint32_t broken = first_broken(space, &chosen);
    if (broken < space->constraint_count) {
        bp_space_describe(space, &chosen, text, 200);
        return bp_fail(err, BP_ERR_USAGE, "%s breaks the constraint '%.200s'", text,
                       bp_expression_text(space->constraints[broken]));
    }
    *point = chosen;
    return 0;
}

uint64_t bp_space_product(const struct bp_space *space)
{
    uint64_t product = 1;
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (__builtin_mul_overflow(product, space->knobs[i].value_count, &product))
            return UINT64_MAX;
    return product;
}

/* A depth-first walk over the points, each knob's values in an order of its own. */
struct walk {
    const struct bp_space *space;
    struct bp_random *random;
    bp_space_skip skip;
    const void *context;
    uint16_t order[BP_MAX_KNOBS][BP_MAX_KNOB_VALUES];
    /* The knob after whose choice each constraint can be decided: its last one. */
    uint32_t decided_at[BP_MAX_CONSTRAINTS];
    bool first_only; /* stop at the first point instead of drawing one uniformly from all */
    uint64_t steps, steps_max;
    uint64_t found;
    int64_t values[BP_MAX_KNOBS];
    struct bp_point current;
    struct bp_point picked;
};

static void walk_schedule(struct walk *walk)
{
    const struct bp_space *space = walk->space;
    for (uint32_t i = 0; i < space->constraint_count; i++)
        for (uint32_t k = 0; k < space->knob_count; k++)
            if (bp_expression_uses(space->constraints[i], (int)k))
                walk->decided_at[i] = k;
    for (uint32_t k = 0; k < space->knob_count; k++)
        for (uint32_t i = 0; i < space->knobs[k].value_count; i++) {
            uint32_t j = (uint32_t)bp_random_below(walk->random, i + 1);
            walk->order[k][i] = walk->order[k][j];
            walk->order[k][j] = (uint16_t)i;
        }
}

static bool walk_holds(const struct walk *walk, uint32_t knob)
{
    for (uint32_t i = 0; i < walk->space->constraint_count; i++)
        if (walk->decided_at[i] == knob &&
            !bp_expression_evaluate(walk->space->constraints[i], walk->values))
            return false;
    return true;
}

/* Reservoir sampling: the n-th point found replaces the pick with probability 1/n. */
static void walk_found(struct walk *walk)
{
    if (walk->skip && walk->skip(walk->context, &walk->current))
        return;
    walk->found++;
    if (bp_random_below(walk->random, walk->found) == 0)
        walk->picked = walk->current;
}

static bool walk_over(const struct walk *walk)
{
    return walk->steps >= walk->steps_max || (walk->first_only && walk->found > 0);
}

static void walk_from(struct walk *walk, uint32_t knob)
{
    if (knob == walk->space->knob_count) {
        walk_found(walk);
        return;
    }
    const struct bp_knob *declared = &walk->space->knobs[knob];
    for (uint32_t i = 0; i < declared->value_count && !walk_over(walk); i++) {
        walk->steps++;
        walk->current.choice[knob] = walk->order[knob][i];
        walk->values[knob] = declared->values[walk->order[knob][i]];
        if (walk_holds(walk, knob))
            walk_from(walk, knob + 1);
    }
}

static void random_point(const struct bp_space *space, struct bp_random *random,
                         struct bp_point *point)
{
    *point = (struct bp_point){{0}};
    for (uint32_t i = 0; i < space->knob_count; i++)
        point->choice[i] = (uint16_t)bp_random_below(random, space->knobs[i].value_count);
}

int bp_space_pick(const struct bp_space *space, struct bp_random *random, bp_space_skip skip,
                  const void *context, struct bp_point *point, struct bp_error *err)
{
    struct bp_point tried;
    for (int i = 0; i < REJECTION_TRIES; i++) {
        random_point(space, random, &tried);
        if (!bp_space_allows(space, &tried) || (skip && skip(context, &tried)))
            continue;
        *point = tried;
        return 1;
    }
    if (space->knob_count == 0)
        return 0; /* its only point was tried above */
    bool large = bp_space_product(space) > BP_SPACE_WALK_MAX;
    struct walk walk = {.space = space,
                        .random = random,
                        .skip = skip,
                        .context = context,
                        .first_only = large,
                        .steps_max = large ? SEARCH_STEPS : UINT64_MAX};
    walk_schedule(&walk);
    walk_from(&walk, 0);
    if (walk.found == 0 && walk.steps >= walk.steps_max)
        return bp_fail(err, BP_ERR_LIMIT, "no point of the space found in %d steps", SEARCH_STEPS);
    if (walk.found > 0)
        *point = walk.picked;
    return walk.found > 0;
}

int bp_space_random(const struct bp_space *space, struct bp_random *random, struct bp_point *point,
                    struct bp_error *err)
{
    int found = bp_space_pick(space, random, NULL, NULL, point, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return bp_fail(err, BP_ERR_USAGE, "no choice of knobs satisfies every constraint");
    return 0;
}

void bp_space_describe(const struct bp_space *space, const struct bp_point *point, char *text,
                       size_t size)
{
    size_t used = 0;
    if (size > 0)
        text[0] = '\0';
    for (uint32_t i = 0; i < space->knob_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s=%" PRId64, i ? " " : "",
                                 space->knobs[i].name, bp_space_value(space, point, i));
}
