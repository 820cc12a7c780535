#include "harness/config/yaml_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Some editors begin every file with it; libyaml skips it only where it guesses the encoding. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct reader {
    yaml_parser_t parser;
    const char *path;
    const char *text;
    size_t size;
    uint32_t first_line;
    uint32_t nodes;
    struct bp_error *err;
};

int bp_yaml_fail(const char *path, uint32_t line, struct bp_error *err, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?'; /* the file's own text may hold anything; a message is one line */
    size_t length = strlen(path), most = 200;
    bool cut = length > most;
    return bp_fail(err, BP_ERR_USAGE, "%s%s:%u: %s", cut ? "..." : "",
                   cut ? path + length - most : path, line, text);
}

static uint32_t line_of(const struct reader *reader, const yaml_mark_t *mark)
{
    return reader->first_line + (uint32_t)mark->line;
}

/* The encoding's errors have an offset only. */
static uint32_t line_of_problem(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error != YAML_READER_ERROR)
        return line_of(reader, &parser->problem_mark);
    uint32_t line = reader->first_line;
    for (size_t i = 0; i < parser->problem_offset && i < reader->size; i++)
        line += reader->text[i] == '\n';
    return line;
}

/* The parser's own words for this name neither tab nor indentation. */
static bool has_tab_in_indentation(const struct reader *reader, uint32_t line)
{
    const char *at = reader->text, *end = reader->text + reader->size;
    for (uint32_t number = reader->first_line; number < line && at < end; at++)
        number += *at == '\n';
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

static int fail_at_problem(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    uint32_t line = line_of_problem(reader);
    char from[32] = "";
    if (parser->error == YAML_SCANNER_ERROR && has_tab_in_indentation(reader, line))
        return bp_yaml_fail(reader->path, line, reader->err,
                            "not YAML: a tab in the indentation; use spaces");
    if (parser->context && line_of(reader, &parser->context_mark) != line)
        snprintf(from, sizeof from, ", from line %u", line_of(reader, &parser->context_mark));
    return bp_yaml_fail(reader->path, line, reader->err, "not YAML: %s%s%s%s",
                        parser->problem ? parser->problem : "unreadable",
                        parser->context ? " " : "", parser->context ? parser->context : "", from);
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    if (reader->parser.error == YAML_MEMORY_ERROR)
        return bp_fail(reader->err, BP_ERR_MEMORY, "no memory to parse %s", reader->path);
    return fail_at_problem(reader);
}

static struct bp_yaml_node *node_new(struct reader *reader, enum bp_yaml_kind kind, uint32_t line)
{
    if (++reader->nodes > BP_YAML_MAX_NODES) {
        bp_yaml_fail(reader->path, line, reader->err, "more than %u values", BP_YAML_MAX_NODES);
        return NULL;
    }
    struct bp_yaml_node *node = calloc(1, sizeof *node);
    if (!node) {
        bp_fail(reader->err, BP_ERR_MEMORY, "no memory to parse %s", reader->path);
        return NULL;
    }
    node->kind = kind;
    node->line = line;
    return node;
}

void bp_yaml_free(struct bp_yaml_node *root)
{
    while (root) {
        struct bp_yaml_node *next = root->next;
        bp_yaml_free(root->child);
        free(root->key);
        free(root->text);
        free(root);
        root = next;
    }
}

static int check_plain_yaml(struct reader *reader, uint32_t line, const yaml_char_t *anchor,
                            const yaml_char_t *tag)
{
    if (anchor)
        return bp_yaml_fail(reader->path, line, reader->err, "anchors and aliases are not allowed");
    if (tag)
        return bp_yaml_fail(reader->path, line, reader->err,
                            "tags are not allowed; quote a text that starts with '!'");
    return 0;
}

static int copy_scalar(struct reader *reader, const yaml_event_t *event, char **text)
{
    uint32_t line = line_of(reader, &event->start_mark);
    const char *value = (const char *)event->data.scalar.value;
    if (check_plain_yaml(reader, line, event->data.scalar.anchor, event->data.scalar.tag) < 0)
        return -1;
    if (strlen(value) != event->data.scalar.length)
        return bp_yaml_fail(reader->path, line, reader->err, "a NUL character in a text");
    *text = strdup(value);
    if (!*text)
        return bp_fail(reader->err, BP_ERR_MEMORY, "no memory to parse %s", reader->path);
    return 0;
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                     struct bp_yaml_node **node);

static int read_children(struct reader *reader, unsigned depth, struct bp_yaml_node *parent);

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct bp_yaml_node **node)
{
    char *text;
    if (copy_scalar(reader, event, &text) < 0)
        return -1;
    *node = node_new(reader, BP_YAML_SCALAR, line_of(reader, &event->start_mark));
    if (!*node) {
        free(text);
        return -1;
    }
    (*node)->text = text;
    (*node)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int read_collection(struct reader *reader, const yaml_event_t *event, unsigned depth,
                           struct bp_yaml_node **node)
{
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    uint32_t line = line_of(reader, &event->start_mark);
    const yaml_char_t *anchor =
        mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag =
        mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (check_plain_yaml(reader, line, anchor, tag) < 0)
        return -1;
    if (depth > BP_YAML_MAX_DEPTH)
        return bp_yaml_fail(reader->path, line, reader->err, "nested more than %u deep",
                            BP_YAML_MAX_DEPTH);
    *node = node_new(reader, mapping ? BP_YAML_MAPPING : BP_YAML_SEQUENCE, line);
    if (!*node)
        return -1;
    if (read_children(reader, depth, *node) == 0)
        return 0;
    bp_yaml_free(*node);
    return -1;
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                     struct bp_yaml_node **node)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event, node);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return read_collection(reader, event, depth, node);
    default:
        return bp_yaml_fail(reader->path, line_of(reader, &event->start_mark), reader->err,
                            "anchors and aliases are not allowed");
    }
}

static int read_key(struct reader *reader, const yaml_event_t *event,
                    const struct bp_yaml_node *mapping, char **key)
{
    uint32_t line = line_of(reader, &event->start_mark);
    if (event->type != YAML_SCALAR_EVENT)
        return bp_yaml_fail(reader->path, line, reader->err, "a key must be a text");
    const char *text = (const char *)event->data.scalar.value;
    const struct bp_yaml_node *earlier = bp_yaml_find(mapping, text);
    if (earlier)
        return bp_yaml_fail(reader->path, line, reader->err,
                            "key '%.64s' is given twice (first on line %u)", text,
                            earlier->key_line);
    return copy_scalar(reader, event, key);
}

/* One entry or item, which starts with event. */
static int read_child(struct reader *reader, const yaml_event_t *event, unsigned depth,
                      const struct bp_yaml_node *parent, struct bp_yaml_node **child)
{
    if (parent->kind == BP_YAML_SEQUENCE)
        return read_node(reader, event, depth + 1, child);
    char *key = NULL;
    if (read_key(reader, event, parent, &key) < 0)
        return -1;
    yaml_event_t value;
    int result = next_event(reader, &value);
    if (result == 0) {
        result = read_node(reader, &value, depth + 1, child);
        yaml_event_delete(&value);
    }
    if (result < 0) {
        free(key);
        return -1;
    }
    (*child)->key = key;
    (*child)->key_line = line_of(reader, &event->start_mark);
    return 0;
}

static int read_children(struct reader *reader, unsigned depth, struct bp_yaml_node *parent)
{
    struct bp_yaml_node **tail = &parent->child;
    for (;;) {
        yaml_event_t event;
        if (next_event(reader, &event) < 0)
            return -1;
        bool end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        struct bp_yaml_node *child = NULL;
        int result = end ? 0 : read_child(reader, &event, depth, parent, &child);
        yaml_event_delete(&event);
        if (end || result < 0)
            return result;
        *tail = child;
        tail = &child->next;
    }
}

/* Reads events up to the first that is not of the stream's or document's frame. */
static int first_event(struct reader *reader, yaml_event_t *event)
{
    for (;;) {
        if (next_event(reader, event) < 0)
            return -1;
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT &&
            event->type != YAML_DOCUMENT_END_EVENT)
            return 0;
        yaml_event_delete(event);
    }
}

static int expect_end(struct reader *reader)
{
    yaml_event_t event;
    if (first_event(reader, &event) < 0)
        return -1;
    bool end = event.type == YAML_STREAM_END_EVENT;
    uint32_t line = line_of(reader, &event.start_mark);
    yaml_event_delete(&event);
    return end ? 0 : bp_yaml_fail(reader->path, line, reader->err, "more than one document");
}

static int read_document(struct reader *reader, struct bp_yaml_node **root)
{
    yaml_event_t event;
    if (first_event(reader, &event) < 0)
        return -1;
    if (event.type == YAML_STREAM_END_EVENT) {
        yaml_event_delete(&event);
        *root = node_new(reader, BP_YAML_MAPPING, reader->first_line);
        return *root ? 0 : -1;
    }
    int result = read_node(reader, &event, 1, root);
    yaml_event_delete(&event);
    if (result < 0)
        return -1;
    if (expect_end(reader) == 0)
        return 0;
    bp_yaml_free(*root);
    return -1;
}

int bp_yaml_parse(const char *path, uint32_t first_line, const char *text, size_t size,
                  struct bp_yaml_node **root, struct bp_error *err)
{
    size_t skipped = size >= strlen(BYTE_ORDER_MARK) &&
                             memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0
                         ? strlen(BYTE_ORDER_MARK)
                         : 0;
    struct reader reader = {.path = path,
                            .text = text + skipped,
                            .size = size - skipped,
                            .first_line = first_line,
                            .err = err};
    if (size > BP_YAML_MAX_BYTES)
        return bp_fail(err, BP_ERR_USAGE, "%s is larger than %u bytes", path, BP_YAML_MAX_BYTES);
    if (!yaml_parser_initialize(&reader.parser))
        return bp_fail(err, BP_ERR_MEMORY, "no memory to parse %s", path);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.text, reader.size);
    struct bp_yaml_node *tree;
    int result = read_document(&reader, &tree);
    yaml_parser_delete(&reader.parser);
    if (result == 0)
        *root = tree;
    return result;
}

const struct bp_yaml_node *bp_yaml_find(const struct bp_yaml_node *mapping, const char *key)
{
    const struct bp_yaml_node *entry = mapping->child;
    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

static bool one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(text, *words) != 0)
        words++;
    return *words;
}

static bool is_null(const struct bp_yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->kind == BP_YAML_SCALAR && node->plain && one_of(node->text, words);
}

static bool is_boolean(const struct bp_yaml_node *node)
{
    static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE", "yes",
                                        "Yes",  "YES",  "no",   "No",    "NO",    "on",    "On",
                                        "ON",   "off",  "Off",  "OFF",   NULL};
    return node->kind == BP_YAML_SCALAR && node->plain && one_of(node->text, words);
}

/* Anything a YAML reader might take for a number: hexadecimal, exponents, infinities too. */
static bool looks_numeric(const struct bp_yaml_node *node)
{
    if (node->kind != BP_YAML_SCALAR || !node->plain)
        return false;
    const char *text = node->text + (node->text[0] == '-' || node->text[0] == '+');
    char *end;
    strtod(*text == '.' && isalpha((unsigned char)text[1]) ? text + 1 : text, &end);
    return end > text && *end == '\0';
}

const char *bp_yaml_found(const struct bp_yaml_node *node, char text[BP_YAML_FOUND])
{
    const char *what = is_boolean(node)      ? "the boolean"
                       : looks_numeric(node) ? "the number"
                                             : "the text";
    if (node->kind == BP_YAML_MAPPING)
        return "a mapping";
    if (node->kind == BP_YAML_SEQUENCE)
        return "a list";
    if (is_null(node))
        return "nothing";
    snprintf(text, BP_YAML_FOUND, "%s '%.60s'", what, node->text);
    return text;
}

/* Digits without a leading zero; the end, or null. */
static const char *skip_digits(const char *text)
{
    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && isdigit((unsigned char)text[1])))
        return NULL;
    while (isdigit((unsigned char)*text))
        text++;
    return text;
}

static bool is_integer(const struct bp_yaml_node *node)
{
    if (node->kind != BP_YAML_SCALAR || !node->plain)
        return false;
    const char *end = skip_digits(node->text + (node->text[0] == '-'));
    return end && *end == '\0';
}

bool bp_yaml_integer(const struct bp_yaml_node *node, int64_t *value)
{
    if (!is_integer(node))
        return false;
    errno = 0;
    int64_t number = strtoll(node->text, NULL, 10);
    if (errno)
        return false;
    *value = number;
    return true;
}

bool bp_yaml_unsigned(const struct bp_yaml_node *node, uint64_t *value)
{
    if (!is_integer(node) || node->text[0] == '-')
        return false;
    errno = 0;
    uint64_t number = strtoull(node->text, NULL, 10);
    if (errno)
        return false;
    *value = number;
    return true;
}

bool bp_yaml_real(const struct bp_yaml_node *node, double *value)
{
    if (node->kind != BP_YAML_SCALAR || !node->plain)
        return false;
    const char *end = skip_digits(node->text + (node->text[0] == '-'));
    if (end && *end == '.' && isdigit((unsigned char)end[1]))
        end += 1 + strspn(end + 1, "0123456789");
    if (!end || *end || strlen(node->text) > 40)
        return false;
    *value = strtod(node->text, NULL);
    return true;
}

bool bp_yaml_is_text(const struct bp_yaml_node *node)
{
    return node->kind == BP_YAML_SCALAR && !is_null(node) && !is_boolean(node) &&
           !looks_numeric(node);
}
