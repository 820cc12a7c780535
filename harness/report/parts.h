/* parts.h: what the files of harness/report share. */
#ifndef BP_HARNESS_REPORT_PARTS_H
#define BP_HARNESS_REPORT_PARTS_H

#include <jansson.h>

#include "base/buffer.h"
#include "harness/store/evaluation.h"

#define BP_REPORT_PATH 4096

/* New references; null when there is no memory. */
json_t *bp_safety_json(const struct bp_safety *safety);
json_t *bp_history_json(const struct bp_evaluation *evaluation); /* a line of history.jsonl */
/* One object of all members of the parts, whose references it takes; null if one of them is. */
json_t *bp_json_joined(json_t *parts[], size_t count);

/* The text of a knobs.yaml: one "NAME: value" a line. */
#define BP_KNOBS_YAML_MAX ((size_t)1 << 20)
int bp_knobs_yaml(const struct bp_evaluation *evaluation, struct bp_buffer *text,
                  struct bp_error *err) BP_MUST_CHECK;

/* Writes dir/name, atomically; takes the reference. */
int bp_report_write_json(const char *dir, const char *name, json_t *value, struct bp_error *err)
    BP_MUST_CHECK;
int bp_report_write(const char *dir, const char *name, const void *data, size_t size,
                    struct bp_error *err) BP_MUST_CHECK;

#endif
