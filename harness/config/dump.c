#include "harness/config/dump.h"

#include <inttypes.h>
#include <string.h>

#include "harness/config/schema.h"

static int add_text(struct bp_buffer *json, const char *text, struct bp_error *err)
{
    int result = bp_buffer_add(json, "\"", 1, err);
    for (; *text && result == 0; text++) {
        if (*text == '"' || *text == '\\')
            result = bp_buffer_add(json, "\\", 1, err);
        if (result == 0)
            result = bp_buffer_add(json, text, 1, err);
    }
    return result < 0 ? -1 : bp_buffer_add(json, "\"", 1, err);
}

/* Bit i of a set of words is choice i. */
static int add_words(const struct bp_setting *setting, uint32_t set, struct bp_buffer *json,
                     struct bp_error *err)
{
    const char *names[BP_SETTING_CHOICES];
    const char *comma = "";
    setting->choices(names);
    int result = bp_buffer_add(json, "[", 1, err);
    for (int i = 0; i < 32 && names[i] && result == 0; i++) {
        if (!(set & 1u << i))
            continue;
        result = bp_buffer_printf(json, err, "%s\"%s\"", comma, names[i]);
        comma = ", ";
    }
    return result < 0 ? -1 : bp_buffer_add(json, "]", 1, err);
}

static int add_value(const struct bp_setting *setting, const struct bp_config *config,
                     struct bp_buffer *json, struct bp_error *err)
{
    const void *field = (const char *)config + setting->offset;
    switch (setting->type) {
    case BP_SETTING_U32:
        return bp_buffer_printf(json, err, "%" PRIu32, *(const uint32_t *)field);
    case BP_SETTING_U64:
        return bp_buffer_printf(json, err, "%" PRIu64, *(const uint64_t *)field);
    case BP_SETTING_REAL:
        return bp_buffer_printf(json, err, "%.17g", *(const double *)field);
    case BP_SETTING_WORDS:
        return add_words(setting, *(const uint32_t *)field, json, err);
    default:
        return add_text(json, strcmp(setting->key, "kernel") == 0 ? "kernel.hip" : field, err);
    }
}

static bool is_dumped(const struct bp_setting *setting, const char *section)
{
    return strcmp(setting->section, section) == 0 && bp_setting_has_field(setting) &&
           setting->type != BP_SETTING_TEXTS && strcmp(setting->key, "output") != 0;
}

static int add_settings(const struct bp_config *config, const char *section, struct bp_buffer *json,
                        struct bp_error *err)
{
    const char *comma = "";
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++) {
        if (!is_dumped(setting, section))
            continue;
        if (bp_buffer_printf(json, err, "%s\"%s\": ", comma, setting->key) < 0 ||
            add_value(setting, config, json, err) < 0)
            return -1;
        comma = ", ";
    }
    return 0;
}

static int add_knob(const struct bp_knob *knob, struct bp_buffer *json, struct bp_error *err)
{
    int result = bp_buffer_printf(json, err, "\"%s\": [", knob->name);
    for (uint32_t i = 0; i < knob->value_count && result == 0; i++)
        result = bp_buffer_printf(json, err, "%s%" PRId64, i ? ", " : "", knob->values[i]);
    return result < 0 ? -1 : bp_buffer_add(json, "]", 1, err);
}

static int add_space(const struct bp_config *config, struct bp_buffer *json, struct bp_error *err)
{
    const struct bp_kernel_head *head = &config->head;
    const struct bp_space *space = &head->space;
    int result = bp_buffer_printf(json, err, ", \"space\": {\"knobs\": {");
    for (uint32_t k = 0; k < space->knob_count && result == 0; k++) {
        result = bp_buffer_printf(json, err, "%s", k ? ", " : "");
        result = result < 0 ? -1 : add_knob(&space->knobs[k], json, err);
    }
    if (result == 0)
        result = bp_buffer_printf(json, err, "}, \"constraints\": [");
    for (uint32_t i = 0; i < space->constraint_count && result == 0; i++) {
        result = bp_buffer_printf(json, err, "%s", i ? ", " : "");
        if (result == 0)
            result = add_text(json, bp_expression_text(space->constraints[i]), err);
    }
    if (result == 0)
        result = bp_buffer_printf(json, err, "]}, \"baseline\": {");
    for (uint32_t k = 0; k < space->knob_count && result == 0; k++)
        result =
            bp_buffer_printf(json, err, "%s\"%s\": %" PRId64, k ? ", " : "", space->knobs[k].name,
                             bp_space_value(space, &head->default_point, k));
    return result < 0 ? -1 : bp_buffer_add(json, "}", 1, err);
}

int bp_config_dump(const struct bp_config *config, enum bp_config_dump what, struct bp_buffer *json,
                   struct bp_error *err)
{
    if (bp_buffer_add(json, "{", 1, err) < 0 || add_settings(config, "", json, err) < 0)
        return -1;
    for (const struct bp_section *section = bp_sections + 1; section->name; section++) {
        if (strcmp(section->name, "space") == 0)
            continue;
        if (bp_buffer_printf(json, err, ", \"%s\": {", section->name) < 0 ||
            add_settings(config, section->name, json, err) < 0 ||
            bp_buffer_add(json, "}", 1, err) < 0)
            return -1;
    }
    if (what == BP_CONFIG_DUMP_WITH_SPACE && add_space(config, json, err) < 0)
        return -1;
    return bp_buffer_add(json, "}", 1, err);
}
