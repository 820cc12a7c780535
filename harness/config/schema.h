/* schema.h: the table of every config key, from which parsing, defaults, messages and the reference
 * page are made. A new setting is a field of struct bp_config and a row of the table. */
#ifndef BP_HARNESS_CONFIG_SCHEMA_H
#define BP_HARNESS_CONFIG_SCHEMA_H

#include "harness/config/setting.h"

struct bp_section {
    const char *name;
    const char *doc;
};

/* Ends with a null key; rows of a section stand together. */
extern const struct bp_setting bp_settings[];
/* Ends with a null name; in the order of the reference; the first is "", the top level. */
extern const struct bp_section bp_sections[];

/* Checks every key of a config and stores every scalar it sets. */
int bp_schema_read(const char *path, const struct bp_yaml_node *root, struct bp_config *config,
                   struct bp_error *err) BP_MUST_CHECK;

#endif
