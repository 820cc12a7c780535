#include <stdio.h>
#include <string.h>

#include "harness/config/schema.h"
#include "harness/search/strategy.h"

static const char *type_name(enum bp_setting_type type)
{
    switch (type) {
    case BP_SETTING_U32:
    case BP_SETTING_U64:
        return "integer";
    case BP_SETTING_REAL:
        return "number";
    case BP_SETTING_TEXT:
        return "text";
    case BP_SETTING_TEXTS:
        return "list of texts";
    case BP_SETTING_WORDS:
        return "list of words";
    case BP_SETTING_KNOBS:
        return "knob: list";
    case BP_SETTING_VALUES:
        return "knob: value";
    default:
        return "list of expressions";
    }
}

static void print_setting(const struct bp_setting *setting, FILE *out)
{
    char range[BP_SETTING_RANGE];
    bp_setting_range(setting, range);
    if (setting->fallback)
        fprintf(out, "| `%s` | %s | %s | `%s` | %s |\n", setting->key, type_name(setting->type),
                range, setting->fallback, setting->doc);
    else
        fprintf(out, "| `%s` | %s | %s | required | %s |\n", setting->key, type_name(setting->type),
                range, setting->doc);
}

static void print_strategies(FILE *out)
{
    fprintf(out, "\n");
    for (const struct bp_strategy *const *strategy = bp_strategies(); *strategy; strategy++)
        fprintf(out, "* `%s`: %s\n", (*strategy)->name, (*strategy)->doc);
}

static void print_section(const struct bp_section *section, FILE *out)
{
    if (section->name[0])
        fprintf(out, "\n## `%s`\n\n%s\n", section->name, section->doc);
    fprintf(out, "\n| key | type | valid | default | meaning |\n|---|---|---|---|---|\n");
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++)
        if (strcmp(setting->section, section->name) == 0)
            print_setting(setting, out);
    if (strcmp(section->name, "strategy") == 0)
        print_strategies(out);
}

void bp_config_print_reference(FILE *out)
{
    fprintf(out,
            "<!-- Made from the table in harness/config/schema.c by\n"
            "     tests/unit/config/print_reference; a test compares the two. -->\n"
            "# The run config\n\n"
            "A YAML file. Unknown keys, doubled keys, wrong types and values out of range are\n"
            "errors with file, line and what is valid. Integers and numbers are plain decimal\n"
            "digits (no `1e3`, no `0x10`); anchors, aliases and tags are refused. What is not\n"
            "given has the default below.\n");
    for (const struct bp_section *section = bp_sections; section->name; section++)
        print_section(section, out);
    fprintf(out,
            "\nConstraints are C integer expressions: `+ - * / %% == != < <= > >= && || !`,\n"
            "parentheses, `?:`, decimal integers and knob names, in 64 bits. One that divides\n"
            "by zero or overflows does not hold. `kernels/CONTRACT.md` says how a kernel\n"
            "declares its knobs.\n");
}
