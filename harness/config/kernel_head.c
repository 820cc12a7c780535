#include "harness/config/kernel_head.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/config/choices.h"
#include "harness/config/knobs.h"
#include "harness/config/yaml_tree.h"

#define HEAD_OPENING "/*! bulletproof"
#define MARKER_START "EVOLVE-BLOCK-START"
#define MARKER_END "EVOLVE-BLOCK-END"

static const char *const target_names[] = {"cpu", "amd", "nvidia", NULL};
static const uint32_t target_bits[] = {BP_TARGET_CPU, BP_TARGET_AMD, BP_TARGET_NVIDIA};

/* What `supports` may name: the integer fields of gqa_shape that say something of the problem, and whether
 * there are kv_lens. */
static const struct {
    const char *name;
    size_t offset;
} shape_fields[] = {
    {"batch", offsetof(struct bp_shape, batch)},
    {"q_heads", offsetof(struct bp_shape, q_heads)},
    {"kv_heads", offsetof(struct bp_shape, kv_heads)},
    {"q_len", offsetof(struct bp_shape, q_len)},
    {"kv_len", offsetof(struct bp_shape, kv_len)},
    {"head_dim", offsetof(struct bp_shape, head_dim)},
    {"causal", offsetof(struct bp_shape, causal)},
    {"window", offsetof(struct bp_shape, window)},
    {"ragged", offsetof(struct bp_shape, ragged)},
};
#define SHAPE_FIELDS (sizeof shape_fields / sizeof shape_fields[0])

static bool contains(const char *text, size_t size, const char *word)
{
    return memmem(text, size, word, strlen(word)) != NULL;
}

static int check_markers(const char *path, const char *source, size_t size, struct bp_error *err)
{
    uint32_t line = 1, open_line = 0;
    for (size_t at = 0; at < size; line++) {
        const char *newline = memchr(source + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - source) - at : size - at;
        bool start = contains(source + at, length, MARKER_START);
        bool end = contains(source + at, length, MARKER_END);
        if (start && end)
            return bp_yaml_fail(path, line, err, MARKER_START " and " MARKER_END " on one line");
        if (start && open_line)
            return bp_yaml_fail(path, line, err,
                                MARKER_START " inside the block that line %u opens", open_line);
        if (end && !open_line)
            return bp_yaml_fail(path, line, err, MARKER_END " without " MARKER_START);
        open_line = start ? line : end ? 0 : open_line;
        at += length + 1;
    }
    if (open_line)
        return bp_yaml_fail(path, open_line, err, MARKER_START " without " MARKER_END);
    return 0;
}

static uint32_t line_at(const char *source, const char *position)
{
    uint32_t line = 1;
    for (const char *c = source; c < position; c++)
        line += *c == '\n';
    return line;
}

static int check_source(const char *path, const char *source, size_t size, struct bp_error *err)
{
    if (size > BP_SOURCE_MAX_BYTES)
        return bp_fail(err, BP_ERR_USAGE, "%.300s is larger than %u bytes", path,
                       BP_SOURCE_MAX_BYTES);
    const char *nul = size ? memchr(source, '\0', size) : NULL;
    if (nul)
        return bp_yaml_fail(path, line_at(source, nul), err, "a NUL byte in the source");
    return check_markers(path, source, size, err);
}

/* The text between the opening line and the end of the first comment. */
static int find_head(const char *path, const char *source, size_t size, const char **text,
                     size_t *length, struct bp_error *err)
{
    const char *end = source + size;
    const char *comment = source;
    while (comment + 1 < end && !(comment[0] == '/' && (comment[1] == '*' || comment[1] == '/')))
        comment++;
    size_t left = (size_t)(end - comment);
    size_t opening = strlen(HEAD_OPENING);
    if (left <= opening || memcmp(comment, HEAD_OPENING, opening) != 0)
        return bp_yaml_fail(path, left > 1 ? line_at(source, comment) : 1, err,
                            "the first comment must be the declaration, '" HEAD_OPENING
                            "' (kernels/CONTRACT.md)");
    const char *rest = comment + opening;
    while (rest < end && (*rest == ' ' || *rest == '\t' || *rest == '\r'))
        rest++;
    if (rest == end || *rest != '\n')
        return bp_yaml_fail(path, line_at(source, comment), err,
                            "'" HEAD_OPENING "' must stand alone on its line");
    const char *close = memmem(rest, (size_t)(end - rest), "*/", 2);
    if (!close)
        return bp_yaml_fail(path, line_at(source, comment), err, "the comment is never closed");
    *text = rest + 1;
    *length = (size_t)(close - *text);
    return 0;
}

/* What the entries are read with. */
struct head_reader {
    const char *path;
    struct bp_kernel_head *head;
    struct bp_error *err;
};

static int fail_expected(struct head_reader *reader, const struct bp_yaml_node *node,
                         const char *expected)
{
    char found[BP_YAML_FOUND];
    return bp_yaml_fail(reader->path, node->line, reader->err, "%s: expected %s, found %s",
                        node->key, expected, bp_yaml_found(node, found));
}

static int read_name(struct head_reader *reader, const struct bp_yaml_node *node)
{
    struct bp_kernel_head *head = reader->head;
    if (node->kind != BP_YAML_SCALAR || !node->text[0])
        return fail_expected(reader, node, "a name");
    for (const char *c = node->text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return fail_expected(reader, node, "a name of letters, digits, '_' and '-'");
    if (strlen(node->text) >= sizeof head->name)
        return fail_expected(reader, node, "a name of at most 63 characters");
    snprintf(head->name, sizeof head->name, "%s", node->text);
    return 0;
}

/* A list of distinct words, each one of choices; *bits gets the choices' indices. */
static int read_words(struct head_reader *reader, const struct bp_yaml_node *node, const char *what,
                      const char *const *choices, uint32_t *bits)
{
    char valid[80];
    char expected[160];
    bp_choices_join(choices, valid, sizeof valid);
    snprintf(expected, sizeof expected, "a list of %ss (valid: %s)", what, valid);
    if (node->kind != BP_YAML_SEQUENCE || !node->child)
        return node->kind == BP_YAML_SEQUENCE
                   ? bp_yaml_fail(reader->path, node->line, reader->err,
                                  "%s: the list is empty (valid: %s)", node->key, valid)
                   : fail_expected(reader, node, expected);
    *bits = 0;
    for (const struct bp_yaml_node *item = node->child; item; item = item->next) {
        int index = item->kind == BP_YAML_SCALAR ? bp_choices_find(choices, item->text) : -1;
        if (index < 0 && item->kind == BP_YAML_SCALAR)
            return bp_choices_fail(reader->path, item->line, what, item->text, "", choices,
                                   reader->err);
        if (index < 0)
            return bp_yaml_fail(reader->path, item->line, reader->err, "%s: expected %s", node->key,
                                expected);
        if (*bits >> index & 1)
            return bp_yaml_fail(reader->path, item->line, reader->err, "%s: '%s' is listed twice",
                                node->key, item->text);
        *bits |= 1u << index;
    }
    return 0;
}

static int read_targets(struct head_reader *reader, const struct bp_yaml_node *node)
{
    uint32_t bits;
    if (read_words(reader, node, "target", target_names, &bits) < 0)
        return -1;
    for (int i = 0; target_names[i]; i++)
        if (bits >> i & 1)
            reader->head->targets |= target_bits[i];
    return 0;
}

static int read_dtypes(struct head_reader *reader, const struct bp_yaml_node *node)
{
    const char *names[BP_DTYPE_COUNT + 1] = {NULL};
    uint32_t bits;
    for (int i = 0; i < BP_DTYPE_COUNT; i++)
        names[i] = bp_dtype_name((enum bp_dtype)i);
    if (read_words(reader, node, "dtype", names, &bits) < 0)
        return -1;
    for (int i = 0; i < BP_DTYPE_COUNT; i++)
        reader->head->dtypes[i] = bits >> i & 1;
    return 0;
}

static int resolve_shape_field(const void *context, const char *name, size_t length)
{
    (void)context;
    for (size_t i = 0; i < SHAPE_FIELDS; i++)
        if (strlen(shape_fields[i].name) == length && !memcmp(shape_fields[i].name, name, length))
            return (int)i;
    return -1;
}

static int read_supports(struct head_reader *reader, const struct bp_yaml_node *node)
{
    const char *names[SHAPE_FIELDS + 1] = {NULL};
    char valid[120];
    struct bp_error inner;
    if (node->kind != BP_YAML_SCALAR || !node->text[0])
        return fail_expected(reader, node, "an expression such as head_dim == 128");
    if (bp_expression_parse(node->text, resolve_shape_field, NULL, &reader->head->supports,
                            &inner) == 0)
        return 0;
    for (size_t i = 0; i < SHAPE_FIELDS; i++)
        names[i] = shape_fields[i].name;
    bp_choices_join(names, valid, sizeof valid);
    return bp_yaml_fail(reader->path, node->line, reader->err,
                        "supports: '%.100s': %s (fields: %s)", node->text, inner.msg, valid);
}

static int read_knobs(struct head_reader *reader, const struct bp_yaml_node *node)
{
    return bp_knobs_declare(reader->path, node, &reader->head->space, reader->err);
}

static int read_constraints(struct head_reader *reader, const struct bp_yaml_node *node)
{
    struct bp_space *space = &reader->head->space;
    if (bp_knobs_constrain(reader->path, node, space, reader->err) < 0)
        return -1;
    return bp_knobs_check_space(reader->path, node->line, space, reader->err);
}

static int read_default(struct head_reader *reader, const struct bp_yaml_node *node)
{
    struct bp_kernel_head *head = reader->head;
    bool given[BP_MAX_KNOBS] = {false};
    if (bp_knobs_assign(reader->path, node, &head->space, &head->default_point, given,
                        reader->err) < 0)
        return -1;
    return bp_knobs_check_point(reader->path, node->line, &head->space, &head->default_point, given,
                                reader->err);
}

/* In the order in which they are read: what an entry refers to stands before it. */
static const struct {
    const char *key;
    bool required;
    int (*read)(struct head_reader *reader, const struct bp_yaml_node *node);
} entries[] = {
    {"name", true, read_name},        {"targets", true, read_targets},
    {"dtypes", true, read_dtypes},    {"supports", false, read_supports},
    {"knobs", false, read_knobs},     {"constraints", false, read_constraints},
    {"default", false, read_default},
};
#define ENTRIES (sizeof entries / sizeof entries[0])

static int check_keys(struct head_reader *reader, const struct bp_yaml_node *root)
{
    const char *keys[ENTRIES + 1] = {NULL};
    for (size_t i = 0; i < ENTRIES; i++)
        keys[i] = entries[i].key;
    if (root->kind != BP_YAML_MAPPING)
        return bp_yaml_fail(reader->path, root->line, reader->err,
                            "the declaration must be a mapping such as 'name: my_kernel'");
    for (const struct bp_yaml_node *entry = root->child; entry; entry = entry->next)
        if (bp_choices_find(keys, entry->key) < 0)
            return bp_choices_fail(reader->path, entry->key_line, "key", entry->key,
                                   " in the declaration", keys, reader->err);
    return 0;
}

static int read_entries(struct head_reader *reader, const struct bp_yaml_node *root)
{
    if (check_keys(reader, root) < 0)
        return -1;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct bp_yaml_node *node = bp_yaml_find(root, entries[i].key);
        if (!node && entries[i].required)
            return bp_yaml_fail(reader->path, root->line, reader->err, "the declaration lacks '%s'",
                                entries[i].key);
        if (node && entries[i].read(reader, node) < 0)
            return -1;
    }
    if (reader->head->space.knob_count > 0 && !bp_yaml_find(root, "default"))
        return bp_yaml_fail(reader->path, root->line, reader->err,
                            "the declaration has knobs but no 'default' for them");
    return 0;
}

static int parse(const char *path, const char *source, size_t size, struct bp_kernel_head *head,
                 struct bp_error *err)
{
    const char *text = NULL;
    size_t length = 0;
    struct bp_yaml_node *root;
    if (check_source(path, source, size, err) < 0 ||
        find_head(path, source, size, &text, &length, err) < 0 ||
        bp_yaml_parse(path, line_at(source, text), text, length, &root, err) < 0)
        return -1;
    memset(head, 0, sizeof *head);
    struct head_reader reader = {.path = path, .head = head, .err = err};
    int result = read_entries(&reader, root);
    bp_yaml_free(root);
    if (result < 0)
        bp_kernel_head_free(head);
    return result;
}

int bp_kernel_head_parse(const char *path, const char *source, size_t size,
                         struct bp_kernel_head *head, struct bp_error *err)
{
    int result = parse(path, source, size, head, err);
    if (result < 0 && err->code == BP_ERR_USAGE)
        err->code = BP_ERR_SOURCE;
    return result;
}

void bp_kernel_head_free(struct bp_kernel_head *head)
{
    bp_expression_free(head->supports);
    head->supports = NULL;
    bp_space_free(&head->space);
}

int bp_kernel_head_check_target(const struct bp_kernel_head *head, const char *device,
                                enum bp_device_kind kind, struct bp_error *err)
{
    const char *target = bp_device_kind_target(kind);
    for (size_t i = 0; target_names[i]; i++)
        if ((head->targets & target_bits[i]) && strcmp(target_names[i], target) == 0)
            return 0;
    return bp_fail(err, BP_ERR_USAGE,
                   "device %s needs target '%s', which kernel '%s' does not declare", device,
                   target, head->name);
}

bool bp_kernel_head_supports(const struct bp_kernel_head *head, const struct bp_shape *shape)
{
    int64_t values[SHAPE_FIELDS];
    if (!head->supports)
        return true;
    for (size_t i = 0; i < SHAPE_FIELDS; i++) {
        uint32_t field;
        memcpy(&field, (const char *)shape + shape_fields[i].offset, sizeof field);
        values[i] = field;
    }
    return bp_expression_evaluate(head->supports, values) != 0;
}
