/* spaces.h: small spaces for tests. */
#ifndef BP_TESTS_EVOLVE_SPACES_H
#define BP_TESTS_EVOLVE_SPACES_H

#include <stdio.h>
#include <string.h>

#include "harness/search/space.h"

static inline int resolve_knob(const void *context, const char *name, size_t length)
{
    const struct bp_space *space = context;
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (strlen(space->knobs[i].name) == length && !memcmp(space->knobs[i].name, name, length))
            return (int)i;
    return -1;
}

/* Adds a knob with the values 1, 2, … count. */
static inline void add_knob(struct bp_space *space, const char *name, uint32_t count)
{
    struct bp_knob *knob = &space->knobs[space->knob_count++];
    snprintf(knob->name, sizeof knob->name, "%s", name);
    knob->value_count = count;
    for (uint32_t i = 0; i < count; i++)
        knob->values[i] = i + 1;
}

static inline void add_constraint(struct bp_space *space, const char *text)
{
    struct bp_error err;
    if (bp_expression_parse(text, resolve_knob, space, &space->constraints[space->constraint_count],
                            &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    space->constraint_count++;
}

static inline void start_random(struct bp_random *random, uint64_t seed)
{
    struct bp_key key;
    bp_key_from_seed(seed, &key);
    bp_random_start(random, &key);
}

#endif
