#include "harness/config/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/config/choices.h"

static const char *unit_space(const struct bp_setting *setting)
{
    return setting->unit && setting->unit[0] ? " " : "";
}

void bp_setting_range(const struct bp_setting *setting, char text[BP_SETTING_RANGE])
{
    text[0] = '\0';
    const char *names[BP_SETTING_CHOICES];
    if (setting->forms)
        snprintf(text, BP_SETTING_RANGE, "%s", setting->forms);
    else if (setting->choices) {
        setting->choices(names);
        bp_choices_join(names, text, BP_SETTING_RANGE);
    } else if (setting->type == BP_SETTING_U64)
        snprintf(text, BP_SETTING_RANGE, "0 to %llu", (unsigned long long)UINT64_MAX);
    else if (setting->type == BP_SETTING_U32 || setting->type == BP_SETTING_REAL)
        snprintf(text, BP_SETTING_RANGE, "%.15g to %.15g%s%s", setting->min, setting->max,
                 unit_space(setting), setting->unit);
}

bool bp_setting_has_field(const struct bp_setting *setting)
{
    return setting->size > 0;
}

static int fail_expected(const struct bp_setting *setting, const char *path,
                         const struct bp_yaml_node *node, const char *expected,
                         struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    char range[BP_SETTING_RANGE];
    bp_setting_range(setting, range);
    return bp_yaml_fail(path, node->line, err, "'%s': expected %s%s%s%s, found %s", setting->key,
                        expected, range[0] ? " (" : "", range, range[0] ? ")" : "",
                        bp_yaml_found(node, found));
}

static int fail_range(const struct bp_setting *setting, const char *path,
                      const struct bp_yaml_node *node, struct bp_error *err)
{
    char range[BP_SETTING_RANGE];
    bp_setting_range(setting, range);
    return bp_yaml_fail(path, node->line, err, "'%s' is out of range: %.60s (valid: %s)",
                        setting->key, node->text, range);
}

static bool in_range(const struct bp_setting *setting, double value)
{
    return value >= setting->min && value <= setting->max;
}

static void *field(const struct bp_setting *setting, struct bp_config *config)
{
    return (char *)config + setting->offset;
}

static int store_integer(const struct bp_setting *setting, const char *path,
                         const struct bp_yaml_node *node, struct bp_config *config,
                         struct bp_error *err)
{
    uint64_t value;
    double rough;
    if (!bp_yaml_unsigned(node, &value)) {
        bool whole = bp_yaml_real(node, &rough) && !strchr(node->text, '.');
        return whole ? fail_range(setting, path, node, err)
                     : fail_expected(setting, path, node, "a decimal integer", err);
    }
    if (setting->type == BP_SETTING_U64) {
        *(uint64_t *)field(setting, config) = value;
        return 0;
    }
    if (!in_range(setting, (double)value))
        return fail_range(setting, path, node, err);
    *(uint32_t *)field(setting, config) = (uint32_t)value;
    return 0;
}

static int store_real(const struct bp_setting *setting, const char *path,
                      const struct bp_yaml_node *node, struct bp_config *config,
                      struct bp_error *err)
{
    double value;
    if (!bp_yaml_real(node, &value))
        return fail_expected(setting, path, node, "a decimal number such as 150 or 0.5", err);
    if (!in_range(setting, value))
        return fail_range(setting, path, node, err);
    *(double *)field(setting, config) = value;
    return 0;
}

static int check_text(const struct bp_setting *setting, const char *path,
                      const struct bp_yaml_node *node, struct bp_error *err)
{
    const char *names[BP_SETTING_CHOICES] = {NULL};
    char range[BP_SETTING_RANGE];
    if (setting->choices)
        setting->choices(names);
    if (!setting->choices && !setting->valid)
        return 0;
    if (setting->valid ? setting->valid(node->text) : bp_choices_find(names, node->text) >= 0)
        return 0;
    const char *nearest = bp_choices_nearest(names, node->text);
    bp_setting_range(setting, range);
    return bp_yaml_fail(path, node->line, err, "unknown %s '%.60s'%s%s%s (valid: %s)", setting->key,
                        node->text, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "", range);
}

static int store_text(const struct bp_setting *setting, const char *path,
                      const struct bp_yaml_node *node, struct bp_config *config,
                      struct bp_error *err)
{
    if (!bp_yaml_is_text(node) || !node->text[0])
        return fail_expected(setting, path, node, "a text", err);
    if (strlen(node->text) >= setting->size)
        return bp_yaml_fail(path, node->line, err, "'%s' is longer than %zu characters",
                            setting->key, setting->size - 1);
    if (check_text(setting, path, node, err) < 0)
        return -1;
    memcpy(field(setting, config), node->text, strlen(node->text) + 1);
    return 0;
}

static int store_texts(const struct bp_setting *setting, const char *path,
                       const struct bp_yaml_node *node, struct bp_config *config,
                       struct bp_error *err)
{
    char *to = field(setting, config);
    size_t used = 0;
    if (node->kind != BP_YAML_SEQUENCE || !node->child)
        return fail_expected(setting, path, node, "a list of texts", err);
    for (const struct bp_yaml_node *item = node->child; item; item = item->next) {
        if (!bp_yaml_is_text(item) || strchr(item->text, ','))
            return fail_expected(setting, path, item, "a text without a comma", err);
        if (check_text(setting, path, item, err) < 0)
            return -1;
        int length = snprintf(to + used, setting->size - used, "%s%s", used ? "," : "", item->text);
        used += (size_t)length;
        if (used >= setting->size)
            return bp_yaml_fail(path, item->line, err, "'%s' is longer than %zu characters",
                                setting->key, setting->size - 1);
    }
    return 0;
}

static int store_words(const struct bp_setting *setting, const char *path,
                       const struct bp_yaml_node *node, struct bp_config *config,
                       struct bp_error *err)
{
    const char *names[BP_SETTING_CHOICES];
    uint32_t all = 0, one;
    setting->choices(names);
    if (node->kind != BP_YAML_SEQUENCE)
        return fail_expected(setting, path, node, "a list of words", err);
    for (const struct bp_yaml_node *item = node->child; item; item = item->next) {
        if (!bp_yaml_is_text(item))
            return fail_expected(setting, path, item, "a word", err);
        if (!setting->word(item->text, strlen(item->text), &one))
            return bp_choices_fail(path, item->line, setting->noun, item->text, "", names, err);
        all |= one;
    }
    *(uint32_t *)field(setting, config) = all;
    return 0;
}

int bp_setting_store(const struct bp_setting *setting, const char *path,
                     const struct bp_yaml_node *node, struct bp_config *config,
                     struct bp_error *err)
{
    switch (setting->type) {
    case BP_SETTING_U32:
    case BP_SETTING_U64:
        return store_integer(setting, path, node, config, err);
    case BP_SETTING_REAL:
        return store_real(setting, path, node, config, err);
    case BP_SETTING_TEXT:
        return store_text(setting, path, node, config, err);
    case BP_SETTING_TEXTS:
        return store_texts(setting, path, node, config, err);
    case BP_SETTING_WORDS:
        return store_words(setting, path, node, config, err);
    default:
        return bp_fail(err, BP_ERR_STATE, "'%s' has no field", setting->key);
    }
}

void bp_setting_store_default(const struct bp_setting *setting, struct bp_config *config)
{
    void *to = field(setting, config);
    if (!setting->fallback)
        return;
    switch (setting->type) {
    case BP_SETTING_U32:
        *(uint32_t *)to = (uint32_t)strtoul(setting->fallback, NULL, 10);
        break;
    case BP_SETTING_U64:
        *(uint64_t *)to = strtoull(setting->fallback, NULL, 10);
        break;
    case BP_SETTING_REAL:
        *(double *)to = strtod(setting->fallback, NULL);
        break;
    case BP_SETTING_TEXT:
        memcpy(to, setting->fallback, strlen(setting->fallback) + 1);
        break;
    case BP_SETTING_WORDS:
        *(uint32_t *)to = 0;
        break;
    default:
        break;
    }
}
