#include "harness/config/knobs.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "harness/config/choices.h"

static int read_integer(const char *path, const struct bp_yaml_node *node, const char *knob,
                        int64_t *value, struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    if (bp_yaml_integer(node, value))
        return 0;
    return bp_yaml_fail(path, node->line, err, "knob '%s': expected a decimal integer, found %s",
                        knob, bp_yaml_found(node, found));
}

int bp_knobs_values(const char *path, const struct bp_yaml_node *list, struct bp_knob *knob,
                    struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    if (list->kind != BP_YAML_SEQUENCE)
        return bp_yaml_fail(path, list->line, err,
                            "knob '%s': expected a list of integers such as [32, 64], found %s",
                            knob->name, bp_yaml_found(list, found));
    if (!list->child)
        return bp_yaml_fail(path, list->line, err, "knob '%s' has an empty list", knob->name);
    knob->value_count = 0;
    for (const struct bp_yaml_node *item = list->child; item; item = item->next) {
        int64_t value;
        if (read_integer(path, item, knob->name, &value, err) < 0)
            return -1;
        for (uint32_t i = 0; i < knob->value_count; i++)
            if (knob->values[i] == value)
                return bp_yaml_fail(path, item->line, err, "knob '%s' lists %" PRId64 " twice",
                                    knob->name, value);
        if (knob->value_count == BP_MAX_KNOB_VALUES)
            return bp_yaml_fail(path, item->line, err, "knob '%s' has more than %d values",
                                knob->name, BP_MAX_KNOB_VALUES);
        knob->values[knob->value_count++] = value;
    }
    return 0;
}

/* A knob becomes a macro: a C identifier, and none of those the compilers or the contract's own
 * headers may define. */
static bool is_knob_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strlen(name) >= BP_KNOB_NAME)
        return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    return strncasecmp(name, "gqa_", 4) != 0;
}

static int expect_mapping(const char *path, const struct bp_yaml_node *node, const char *example,
                          struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    if (node->kind == BP_YAML_MAPPING)
        return 0;
    return bp_yaml_fail(path, node->line, err, "%s: expected a mapping such as %s, found %s",
                        node->key, example, bp_yaml_found(node, found));
}

int bp_knobs_declare(const char *path, const struct bp_yaml_node *mapping, struct bp_space *space,
                     struct bp_error *err)
{
    if (expect_mapping(path, mapping, "{BM: [32, 64]}", err) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = mapping->child; entry; entry = entry->next) {
        if (!is_knob_name(entry->key))
            return bp_yaml_fail(path, entry->key_line, err,
                                "'%.64s' cannot be a knob: letters, digits and '_', a letter "
                                "first, at most %d characters, not GQA_…",
                                entry->key, BP_KNOB_NAME - 1);
        if (space->knob_count == BP_MAX_KNOBS)
            return bp_yaml_fail(path, entry->key_line, err, "more than %d knobs", BP_MAX_KNOBS);
        struct bp_knob *knob = &space->knobs[space->knob_count];
        snprintf(knob->name, sizeof knob->name, "%s", entry->key);
        if (bp_knobs_values(path, entry, knob, err) < 0)
            return -1;
        space->knob_count++;
    }
    return 0;
}

static int find_knob(const char *path, const struct bp_yaml_node *entry,
                     const struct bp_space *space, uint32_t *knob, struct bp_error *err)
{
    const char *names[BP_MAX_KNOBS + 1] = {NULL};
    *knob = bp_space_knob(space, entry->key);
    if (*knob < space->knob_count)
        return 0;
    for (uint32_t i = 0; i < space->knob_count; i++)
        names[i] = space->knobs[i].name;
    return bp_choices_fail(path, entry->key_line, "knob", entry->key, "", names, err);
}

int bp_knobs_override(const char *path, const struct bp_yaml_node *mapping, struct bp_space *space,
                      struct bp_error *err)
{
    if (expect_mapping(path, mapping, "{BM: [32, 64]}", err) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = mapping->child; entry; entry = entry->next) {
        uint32_t knob;
        if (find_knob(path, entry, space, &knob, err) < 0 ||
            bp_knobs_values(path, entry, &space->knobs[knob], err) < 0)
            return -1;
    }
    return 0;
}

static int resolve_knob(const void *context, const char *name, size_t length)
{
    const struct bp_space *space = context;
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (strlen(space->knobs[i].name) == length && !memcmp(space->knobs[i].name, name, length))
            return (int)i;
    return -1;
}

static int add_constraint(const char *path, const struct bp_yaml_node *item, struct bp_space *space,
                          struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    struct bp_error inner;
    if (item->kind != BP_YAML_SCALAR || !item->text[0])
        return bp_yaml_fail(path, item->line, err,
                            "constraints: expected an expression such as \"BM %% BN == 0\", "
                            "found %s",
                            bp_yaml_found(item, found));
    if (space->constraint_count == BP_MAX_CONSTRAINTS)
        return bp_yaml_fail(path, item->line, err, "more than %d constraints", BP_MAX_CONSTRAINTS);
    if (bp_expression_parse(item->text, resolve_knob, space,
                            &space->constraints[space->constraint_count], &inner) < 0) {
        const char *names[BP_MAX_KNOBS + 1] = {NULL};
        char valid[160];
        for (uint32_t i = 0; i < space->knob_count; i++)
            names[i] = space->knobs[i].name;
        bp_choices_join(names, valid, sizeof valid);
        return bp_yaml_fail(path, item->line, err, "constraint '%.100s': %s (knobs: %s)",
                            item->text, inner.msg, valid);
    }
    space->constraint_count++;
    return 0;
}

int bp_knobs_constrain(const char *path, const struct bp_yaml_node *list, struct bp_space *space,
                       struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    if (list->kind != BP_YAML_SEQUENCE)
        return bp_yaml_fail(path, list->line, err,
                            "%s: expected a list such as [\"BM %% BN == 0\"], found %s", list->key,
                            bp_yaml_found(list, found));
    for (const struct bp_yaml_node *item = list->child; item; item = item->next)
        if (add_constraint(path, item, space, err) < 0)
            return -1;
    return 0;
}

int bp_knobs_assign(const char *path, const struct bp_yaml_node *mapping,
                    const struct bp_space *space, struct bp_point *point, bool *given,
                    struct bp_error *err)
{
    if (expect_mapping(path, mapping, "{BM: 64}", err) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = mapping->child; entry; entry = entry->next) {
        uint32_t knob;
        int64_t value;
        struct bp_error inner;
        if (find_knob(path, entry, space, &knob, err) < 0 ||
            read_integer(path, entry, entry->key, &value, err) < 0)
            return -1;
        if (bp_space_choose(space, entry->key, value, point, &inner) < 0)
            return bp_yaml_fail(path, entry->line, err, "%s", inner.msg);
        given[knob] = true;
    }
    return 0;
}

int bp_knobs_check_point(const char *path, uint32_t line, const struct bp_space *space,
                         const struct bp_point *point, const bool *given, struct bp_error *err)
{
    const char *names[BP_MAX_KNOBS];
    int64_t values[BP_MAX_KNOBS];
    struct bp_point same;
    struct bp_error inner;
    uint32_t count = 0;
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (given[i]) {
            names[count] = space->knobs[i].name;
            values[count++] = bp_space_value(space, point, i);
        }
    if (bp_space_point(space, count, names, values, &same, &inner) == 0)
        return 0;
    return bp_yaml_fail(path, line, err, "%s", inner.msg);
}

int bp_knobs_check_space(const char *path, uint32_t line, const struct bp_space *space,
                         struct bp_error *err)
{
    struct bp_key key;
    struct bp_random random;
    struct bp_point point;
    struct bp_error inner;
    bp_key_from_seed(0, &key);
    bp_random_start(&random, &key);
    if (bp_space_random(space, &random, &point, &inner) == 0)
        return 0;
    return bp_yaml_fail(path, line, err, "constraints: %s", inner.msg);
}
