/* setting.h: one config key: what it may be, its range in words, and how its value gets into its field. */
#ifndef BP_HARNESS_CONFIG_SETTING_H
#define BP_HARNESS_CONFIG_SETTING_H

#include "harness/config/config.h"
#include "harness/config/yaml_tree.h"

#define BP_SETTING_CHOICES 128

enum bp_setting_type {
    BP_SETTING_U32,
    BP_SETTING_U64,
    BP_SETTING_REAL, /* double */
    BP_SETTING_TEXT, /* char array */
    BP_SETTING_TEXTS, /* list of texts; char array, joined by commas. Another way to write the setting of
                         type TEXT with the same field, which alone is dumped */
    BP_SETTING_WORDS, /* list of words; uint32_t, a set: bit i is choice i */
    BP_SETTING_KNOBS, /* mapping knob → list of integers; no field: applied to the kernel's head */
    BP_SETTING_VALUES,      /* mapping knob → integer; likewise */
    BP_SETTING_EXPRESSIONS, /* list of constraints; likewise */
};

struct bp_setting {
    const char *section; /* "" at the top level */
    const char *key;
    enum bp_setting_type type;
    size_t offset; /* in struct bp_config */
    size_t size;   /* of the field, bytes */
    const char *unit;
    double min, max;      /* numbers only, inclusive */
    const char *fallback; /* as it would be written in YAML; null: required */
    /* Texts: choices fills in the valid ones, null-terminated; where they follow a pattern, valid
     * decides instead. Neither: any text but the empty one. forms, when set, is what messages and
     * the reference say instead of every choice. */
    void (*choices)(const char *names[BP_SETTING_CHOICES]);
    bool (*valid)(const char *text);
    const char *forms;
    /* Lists of words: what one is called, and the set it stands for; false: no such word. */
    const char *noun;
    bool (*word)(const char *word, size_t length, uint32_t *set);
    const char *doc;
};

/* The range as "1 to 1000000 ms", or the valid texts; empty when anything goes. */
#define BP_SETTING_RANGE 400
void bp_setting_range(const struct bp_setting *setting, char text[BP_SETTING_RANGE]);

/* Stores a scalar of a setting that has a field. BP_ERR_USAGE "path:line: …". */
int bp_setting_store(const struct bp_setting *setting, const char *path,
                     const struct bp_yaml_node *node, struct bp_config *config,
                     struct bp_error *err) BP_MUST_CHECK;
void bp_setting_store_default(const struct bp_setting *setting, struct bp_config *config);
bool bp_setting_has_field(const struct bp_setting *setting);

#endif
