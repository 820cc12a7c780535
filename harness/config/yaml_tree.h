/* yaml_tree.h: a strict subset of YAML as a tree that knows its lines.
 *
 * One document; mappings with plain or quoted text keys, each once; sequences; scalars. Refused:
 * anchors, aliases, tags, NUL characters, more than BP_YAML_MAX_BYTES, BP_YAML_MAX_NODES or
 * BP_YAML_MAX_DEPTH. Every message starts "path:line: ". */
#ifndef BP_HARNESS_CONFIG_YAML_TREE_H
#define BP_HARNESS_CONFIG_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BP_YAML_MAX_BYTES (1u << 20)
#define BP_YAML_MAX_NODES 8192u
#define BP_YAML_MAX_DEPTH 16u

enum bp_yaml_kind { BP_YAML_SCALAR, BP_YAML_SEQUENCE, BP_YAML_MAPPING };

struct bp_yaml_node {
    enum bp_yaml_kind kind;
    uint32_t line;              /* where the value starts, from 1 */
    uint32_t key_line;          /* where the key stands; 0 when not in a mapping */
    bool plain;                 /* a scalar without quotes */
    char *key;                  /* in a mapping, else null */
    char *text;                 /* a scalar's, else null */
    struct bp_yaml_node *child; /* first item or entry, in order */
    struct bp_yaml_node *next;  /* sibling */
};

/* Parses size bytes whose first line is line first_line of path. An empty document is an empty
 * mapping. BP_ERR_USAGE. */
int bp_yaml_parse(const char *path, uint32_t first_line, const char *text, size_t size,
                  struct bp_yaml_node **root, struct bp_error *err) BP_MUST_CHECK;
void bp_yaml_free(struct bp_yaml_node *root);

/* The value of a key of a mapping, or null. */
const struct bp_yaml_node *bp_yaml_find(const struct bp_yaml_node *mapping, const char *key);

/* BP_ERR_USAGE "path:line: …"; a long path keeps its end. */
int bp_yaml_fail(const char *path, uint32_t line, struct bp_error *err, const char *fmt, ...)
    BP_PRINTF(4, 5);

/* What a node is, for "expected …, found …": "the text 'abc'", "a list", "nothing" … */
#define BP_YAML_FOUND 96
const char *bp_yaml_found(const struct bp_yaml_node *node, char text[BP_YAML_FOUND]);

/* Strict scalars, false when the node is something else. Integers: plain decimal digits, '-' for
 * negative. Reals: the same with an optional fraction. Text: quoted, or plain and not null, a
 * boolean or a number. */
bool bp_yaml_integer(const struct bp_yaml_node *node, int64_t *value);
bool bp_yaml_unsigned(const struct bp_yaml_node *node, uint64_t *value);
bool bp_yaml_real(const struct bp_yaml_node *node, double *value);
bool bp_yaml_is_text(const struct bp_yaml_node *node);

#endif
