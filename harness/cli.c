#include "harness/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_help(const struct bp_cli_verb *verb)
{
    printf("usage: bulletproof %s%s%s\n\n%s\n\noptions:\n", verb->name, verb->usage[0] ? " " : "",
           verb->usage, verb->summary);
    for (uint32_t i = 0; i < verb->option_count; i++) {
        const struct bp_cli_option *option = &verb->options[i];
        char left[64];
        char letter[8] = "";
        if (option->letter)
            snprintf(letter, sizeof letter, ", -%c", option->letter);
        snprintf(left, sizeof left, "--%s%s%s%s", option->name, letter, option->argument ? " " : "",
                 option->argument ? option->argument : "");
        printf("  %-24s %s\n", left, option->doc);
    }
    printf("  %-24s %s\n", "--help", "this text");
    if (verb->details)
        printf("\n%s", verb->details);
}

static const struct bp_cli_option *find(const struct bp_cli_verb *verb, const char *name,
                                        size_t length)
{
    for (uint32_t i = 0; i < verb->option_count; i++)
        if (strlen(verb->options[i].name) == length &&
            strncmp(verb->options[i].name, name, length) == 0)
            return &verb->options[i];
    return NULL;
}

static const struct bp_cli_option *find_letter(const struct bp_cli_verb *verb, char letter)
{
    for (uint32_t i = 0; i < verb->option_count; i++)
        if (verb->options[i].letter == letter)
            return &verb->options[i];
    return NULL;
}

static int unknown(const struct bp_cli_verb *verb, const char *text, struct bp_error *err)
{
    char valid[300] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < verb->option_count && used < sizeof valid; i++)
        used +=
            (size_t)snprintf(valid + used, sizeof valid - used, "--%s, ", verb->options[i].name);
    return bp_fail(err, BP_ERR_USAGE, "%s: unknown option '%s' (valid: %s--help)", verb->name, text,
                   valid);
}

static int set_number(const struct bp_cli_verb *verb, const struct bp_cli_option *option,
                      const char *value, struct bp_error *err)
{
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (end == value || *end || errno || !(number >= option->min && number <= option->max))
        return bp_fail(err, BP_ERR_USAGE, "%s: --%s needs a number from %.10g to %.10g, not '%s'",
                       verb->name, option->name, option->min, option->max, value);
    *(double *)option->target = number;
    return 0;
}

static int set_count(const struct bp_cli_verb *verb, const struct bp_cli_option *option,
                     const char *value, struct bp_error *err)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || (double)number < option->min ||
        (double)number > option->max)
        return bp_fail(err, BP_ERR_USAGE,
                       "%s: --%s needs a whole number from %.0f to %.0f, not '%s'", verb->name,
                       option->name, option->min, option->max, value);
    *(uint64_t *)option->target = number;
    return 0;
}

static int set(const struct bp_cli_verb *verb, const struct bp_cli_option *option,
               const char *value, struct bp_error *err)
{
    struct bp_cli_list *list;
    switch (option->kind) {
    case BP_CLI_FLAG:
        *(bool *)option->target = true;
        return 0;
    case BP_CLI_TEXT:
        *(const char **)option->target = value;
        return 0;
    case BP_CLI_NUMBER:
        return set_number(verb, option, value, err);
    case BP_CLI_COUNT:
        return set_count(verb, option, value, err);
    case BP_CLI_LIST:
        list = option->target;
        if (list->count == BP_CLI_MAX_LIST)
            return bp_fail(err, BP_ERR_USAGE, "%s: --%s given more than %d times", verb->name,
                           option->name, BP_CLI_MAX_LIST);
        list->items[list->count++] = value;
        return 0;
    }
    return -1;
}

/* One "--name[=value]" or "-l" at argv[*index]; takes the next word as value where one is due. */
static int take_option(const struct bp_cli_verb *verb, int argc, char **argv, int *index,
                       struct bp_error *err)
{
    const char *text = argv[*index] + 2;
    bool is_long = argv[*index][1] == '-';
    const char *equals = is_long ? strchr(text, '=') : NULL;
    const struct bp_cli_option *option =
        is_long ? find(verb, text, equals ? (size_t)(equals - text) : strlen(text))
        : *text ? NULL
                : find_letter(verb, argv[*index][1]);
    if (!option)
        return unknown(verb, argv[*index], err);
    if (option->kind == BP_CLI_FLAG && equals)
        return bp_fail(err, BP_ERR_USAGE, "%s: --%s takes no value", verb->name, option->name);
    const char *value = equals ? equals + 1 : NULL;
    if (option->kind != BP_CLI_FLAG && !value) {
        if (*index + 1 >= argc)
            return bp_fail(err, BP_ERR_USAGE, "%s: --%s needs %s", verb->name, option->name,
                           option->argument);
        value = argv[++*index];
    }
    return set(verb, option, value, err);
}

int bp_cli_parse(const struct bp_cli_verb *verb, int argc, char **argv, const char **positionals,
                 struct bp_error *err)
{
    uint32_t count = 0;
    bool only_positionals = false;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];
        if (!only_positionals && strcmp(text, "--") == 0) {
            only_positionals = true;
        } else if (!only_positionals && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            print_help(verb);
            return -2;
        } else if (!only_positionals && text[0] == '-' && text[1]) {
            if (take_option(verb, argc, argv, &i, err) < 0)
                return -1;
        } else if (count == verb->max_positionals) {
            return bp_fail(err, BP_ERR_USAGE,
                           "%s: unexpected argument '%s' (usage: bulletproof %s %s)", verb->name,
                           text, verb->name, verb->usage);
        } else {
            positionals[count++] = text;
        }
    }
    if (count < verb->min_positionals)
        return bp_fail(err, BP_ERR_USAGE, "%s: an argument is missing (usage: bulletproof %s %s)",
                       verb->name, verb->name, verb->usage);
    return (int)count;
}
