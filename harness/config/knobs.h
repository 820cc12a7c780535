/* knobs.h: the YAML forms of a space, shared by kernel heads and run configs. Every function fails
 * with BP_ERR_USAGE "path:line: …" naming what is valid. */
#ifndef BP_HARNESS_CONFIG_KNOBS_H
#define BP_HARNESS_CONFIG_KNOBS_H

#include "harness/config/yaml_tree.h"
#include "harness/search/space.h"

/* Fills knob's values from a list of distinct integers; the name stays. */
int bp_knobs_values(const char *path, const struct bp_yaml_node *list, struct bp_knob *knob,
                    struct bp_error *err) BP_MUST_CHECK;

/* Declares every entry of a mapping name → list. */
int bp_knobs_declare(const char *path, const struct bp_yaml_node *mapping, struct bp_space *space,
                     struct bp_error *err) BP_MUST_CHECK;

/* Replaces the lists of declared knobs. Points made before no longer mean anything. */
int bp_knobs_override(const char *path, const struct bp_yaml_node *mapping, struct bp_space *space,
                      struct bp_error *err) BP_MUST_CHECK;

/* Appends a list of expressions over the declared knobs. */
int bp_knobs_constrain(const char *path, const struct bp_yaml_node *list, struct bp_space *space,
                       struct bp_error *err) BP_MUST_CHECK;

/* Sets the knobs that a mapping knob → value names in point, and marks them in given
 * ([knob_count]). */
int bp_knobs_assign(const char *path, const struct bp_yaml_node *mapping,
                    const struct bp_space *space, struct bp_point *point, bool *given,
                    struct bp_error *err) BP_MUST_CHECK;

/* Fails unless every knob was given and the point satisfies every constraint; line is blamed. */
int bp_knobs_check_point(const char *path, uint32_t line, const struct bp_space *space,
                         const struct bp_point *point, const bool *given, struct bp_error *err)
    BP_MUST_CHECK;

/* Whether any point satisfies the constraints. */
int bp_knobs_check_space(const char *path, uint32_t line, const struct bp_space *space,
                         struct bp_error *err) BP_MUST_CHECK;

#endif
