#include "harness/eval_candidate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "harness/config/choices.h"
#include "harness/evolve/identity.h"

static int parse_knob(const char *text, char *name, size_t size, int64_t *value,
                      struct bp_error *err)
{
    const char *equals = strchr(text, '=');
    char *end = NULL;
    errno = 0;
    if (equals)
        *value = strtoll(equals + 1, &end, 10);
    if (!equals || equals == text || (size_t)(equals - text) >= size || end == equals + 1 || *end ||
        errno)
        return bp_fail(err, BP_ERR_USAGE, "eval: --knob needs NAME=INTEGER, not '%s'", text);
    snprintf(name, size, "%.*s", (int)(equals - text), text);
    return 0;
}

static int fail_unknown_knob(const struct bp_kernel_head *head, const char *const *names,
                             const char *name, struct bp_error *err)
{
    char valid[300];
    bp_choices_join(names, valid, sizeof valid);
    return bp_fail(err, BP_ERR_USAGE, "kernel %s has no knob '%s' (it has: %s)", head->name, name,
                   valid);
}

/* 0 with *point set; 1 when the values are outside the space (err says why); -1 usage. values, by
 * knob, are set as asked for, also when they are outside. */
static int choose_point(const struct bp_kernel_head *head, const struct bp_cli_list *wanted,
                        int64_t values[BP_MAX_KNOBS], struct bp_point *point, struct bp_error *err)
{
    const struct bp_space *space = &head->space;
    const char *names[BP_MAX_KNOBS + 1] = {NULL};
    bool unknown = false;
    for (uint32_t k = 0; k < space->knob_count; k++) {
        names[k] = space->knobs[k].name;
        values[k] = bp_space_value(space, &head->default_point, k);
    }
    for (uint32_t i = 0; i < wanted->count; i++) {
        char name[BP_KNOB_NAME];
        int64_t value = 0;
        if (parse_knob(wanted->items[i], name, sizeof name, &value, err) < 0)
            return -1;
        uint32_t k = bp_space_knob(space, name);
        if (k < space->knob_count)
            values[k] = value;
        else if (!unknown)
            unknown = fail_unknown_knob(head, names, name, err) < 0;
    }
    if (unknown)
        return 1;
    return bp_space_point(space, space->knob_count, names, values, point, err) < 0 ? 1 : 0;
}

/* Knobs that the kernel does not have, as they were asked for. */
static void add_unknown(const struct bp_space *space, const struct bp_cli_list *wanted,
                        struct bp_evaluation *evaluation)
{
    for (uint32_t i = 0; i < wanted->count && evaluation->knob_count < BP_MAX_DEFINES; i++) {
        struct bp_define *define = &evaluation->knobs[evaluation->knob_count];
        int64_t value = 0;
        struct bp_error ignored;
        if (parse_knob(wanted->items[i], define->name, sizeof define->name, &value, &ignored) < 0 ||
            bp_space_knob(space, define->name) < space->knob_count)
            continue;
        snprintf(define->value, sizeof define->value, "%" PRId64, value);
        evaluation->knob_count++;
    }
}

/* The verdict on knob values outside the space. They have no identity: nothing is made of them. */
static void refuse(const struct bp_space *space, const int64_t *values,
                   const struct bp_cli_list *wanted, const struct bp_error *outside,
                   struct bp_evaluation *evaluation)
{
    evaluation->verdict = BP_VERDICT_INVALID_CONFIG;
    evaluation->stage = BP_STAGE_validate;
    evaluation->source_hash[0] = '\0';
    for (uint32_t k = 0; k < space->knob_count; k++)
        snprintf(evaluation->knobs[k].value, sizeof evaluation->knobs[k].value, "%" PRId64,
                 values[k]);
    add_unknown(space, wanted, evaluation);
    snprintf(evaluation->message, sizeof evaluation->message, "%s", outside->msg);
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    bp_evaluation_safety(evaluation);
}

int bp_eval_candidate(const struct bp_config *config, enum bp_dtype dtype,
                      const struct bp_cli_list *knobs, struct bp_evaluation *evaluation,
                      struct bp_error *err)
{
    struct bp_point point = config->head.default_point;
    struct bp_error outside;
    int64_t values[BP_MAX_KNOBS];
    int chosen = choose_point(&config->head, knobs, values, &point, &outside);
    if (chosen < 0) {
        *err = outside;
        return -1;
    }
    if (bp_identity_set(evaluation, config->source, config->source_bytes, &config->head.space,
                        &point, dtype, err) < 0)
        return -1;
    snprintf(evaluation->kernel_name, sizeof evaluation->kernel_name, "%s", config->head.name);
    if (chosen == 1)
        refuse(&config->head.space, values, knobs, &outside, evaluation);
    return chosen;
}
