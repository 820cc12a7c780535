#include "harness/inject/campaign.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/io.h"
#include "harness/config/choices.h"
#include "harness/config/yaml_tree.h"

struct reader {
    const char *path;
    struct bp_campaign *campaign;
    struct bp_error *err;
};

static int fail_value(struct reader *reader, const struct bp_yaml_node *node, const char *wanted)
{
    char found[BP_YAML_FOUND];
    return bp_yaml_fail(reader->path, node->line, reader->err, "'%s': expected %s, found %s",
                        node->key ? node->key : "", wanted, bp_yaml_found(node, found));
}

static int expect_mapping(struct reader *reader, const struct bp_yaml_node *node)
{
    return node->kind == BP_YAML_MAPPING ? 0 : fail_value(reader, node, "keys with values");
}

static int fail_key(struct reader *reader, const struct bp_yaml_node *node,
                    const char *const *valid)
{
    return bp_choices_fail(reader->path, node->key_line, "key", node->key, "", valid, reader->err);
}

static int read_set(struct reader *reader, const struct bp_yaml_node *node, uint64_t *set)
{
    char word[32];
    if (node->kind != BP_YAML_SCALAR)
        return fail_value(reader, node, "verdicts such as PASS|STOPPED");
    if (bp_seen_parse(node->text, set, word))
        return 0;
    const char *valid[BP_VERDICT_COUNT + 3] = {NULL};
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        valid[i] = bp_verdict_name((enum bp_verdict)i);
    valid[BP_VERDICT_COUNT] = "STOPPED";
    valid[BP_VERDICT_COUNT + 1] = "WAITED";
    return bp_choices_fail(reader->path, node->line, "outcome", word, "", valid, reader->err);
}

static int read_whole(struct reader *reader, const struct bp_yaml_node *node, uint64_t *value)
{
    return bp_yaml_unsigned(node, value) ? 0 : fail_value(reader, node, "a whole number");
}

static int read_seconds(struct reader *reader, const struct bp_yaml_node *node, double *value)
{
    if (bp_yaml_real(node, value) && *value > 0 && *value <= 86400)
        return 0;
    return fail_value(reader, node, "a number of seconds, at most 86400");
}

static int read_candidate(struct reader *reader, const struct bp_yaml_node *node)
{
    static const char *const keys[] = {"kind", "expected", NULL};
    struct bp_campaign *campaign = reader->campaign;
    if (expect_mapping(reader, node) < 0)
        return -1;
    if (campaign->candidate_count == BP_CAMPAIGN_CANDIDATES)
        return bp_yaml_fail(reader->path, node->line, reader->err, "more than %d candidates",
                            BP_CAMPAIGN_CANDIDATES);
    if (strlen(node->key) >= BP_CAMPAIGN_NAME)
        return bp_yaml_fail(reader->path, node->key_line, reader->err,
                            "'%.64s': a name has at most %d characters", node->key,
                            BP_CAMPAIGN_NAME - 1);
    struct bp_campaign_candidate *to = &campaign->candidates[campaign->candidate_count];
    strcpy(to->name, node->key);
    for (const struct bp_yaml_node *entry = node->child; entry; entry = entry->next) {
        int key = bp_choices_find(keys, entry->key);
        if (key < 0)
            return fail_key(reader, entry, keys);
        if (key == 0 && !bp_yaml_integer(entry, &to->kind))
            return fail_value(reader, entry, "an integer");
        if (key == 1 && read_set(reader, entry, &to->expected) < 0)
            return -1;
    }
    if (!bp_yaml_find(node, "kind") || !to->expected)
        return bp_yaml_fail(reader->path, node->line, reader->err,
                            "'%s' needs both 'kind' and 'expected'", node->key);
    campaign->candidate_count++;
    return 0;
}

static int fail_point(struct reader *reader, const struct bp_yaml_node *node)
{
    const char *valid[BP_FAULT_COUNT] = {NULL};
    for (int i = 1; i < BP_FAULT_COUNT; i++)
        valid[i - 1] = bp_fault_name((enum bp_fault_point)i);
    return bp_choices_fail(reader->path, node->key_line, "point", node->key, "", valid,
                           reader->err);
}

static int read_point(struct reader *reader, const struct bp_yaml_node *node)
{
    static const char *const keys[] = {"once", "sticky", "from", NULL};
    enum bp_fault_point point = bp_fault_find(node->key);
    if (point == BP_FAULT_none)
        return fail_point(reader, node);
    if (expect_mapping(reader, node) < 0)
        return -1;
    struct bp_campaign_point *to = &reader->campaign->points[point];
    for (const struct bp_yaml_node *entry = node->child; entry; entry = entry->next) {
        int key = bp_choices_find(keys, entry->key);
        if (key < 0)
            return fail_key(reader, entry, keys);
        if (key == 2 ? read_whole(reader, entry, &to->from) < 0
                     : read_set(reader, entry, &to->expected[bp_fault_mode_find(entry->key)]) < 0)
            return -1;
        if (to->from >= BP_FAULT_PHASES)
            return bp_yaml_fail(reader->path, entry->line, reader->err,
                                "'from': a phase is at most %d", BP_FAULT_PHASES - 1);
    }
    return 0;
}

static int read_each(struct reader *reader, const struct bp_yaml_node *node,
                     int (*read)(struct reader *, const struct bp_yaml_node *))
{
    if (expect_mapping(reader, node) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = node->child; entry; entry = entry->next)
        if (read(reader, entry) < 0)
            return -1;
    return 0;
}

/* ---- the keys of the document ---- */

static int read_path(struct reader *reader, const struct bp_yaml_node *node, char *to, size_t size)
{
    const char *slash = strrchr(reader->path, '/');
    if (!bp_yaml_is_text(node))
        return fail_value(reader, node, "a path");
    int directory = slash && node->text[0] != '/' ? (int)(slash + 1 - reader->path) : 0;
    if ((size_t)snprintf(to, size, "%.*s%s", directory, reader->path, node->text) >= size)
        return bp_yaml_fail(reader->path, node->line, reader->err, "the path is too long");
    return 0;
}

static int read_kernel(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_path(reader, node, reader->campaign->kernel, sizeof reader->campaign->kernel);
}

static int read_device(struct reader *reader, const struct bp_yaml_node *node)
{
    static const char *const keys[] = {"name", "kernel", NULL};
    struct bp_campaign *campaign = reader->campaign;
    if (expect_mapping(reader, node) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = node->child; entry; entry = entry->next) {
        int key = bp_choices_find(keys, entry->key);
        if (key < 0)
            return fail_key(reader, entry, keys);
        if (key == 1 &&
            read_path(reader, entry, campaign->device_kernel, sizeof campaign->device_kernel) < 0)
            return -1;
        if (key == 0 && (!bp_yaml_is_text(entry) || strlen(entry->text) >= sizeof campaign->device))
            return fail_value(reader, entry, "the name of an emulated device");
        if (key == 0)
            strcpy(campaign->device, entry->text);
    }
    if (campaign->device[0] && campaign->device_kernel[0])
        return 0;
    return bp_yaml_fail(reader->path, node->line, reader->err,
                        "'device' needs both 'name' and 'kernel'");
}

static int read_seed(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_whole(reader, node, &reader->campaign->seed);
}

static int read_occurrences(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_whole(reader, node, &reader->campaign->occurrences);
}

static int read_timeout(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_seconds(reader, node, &reader->campaign->timeout_s);
}

static int read_patience(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_seconds(reader, node, &reader->campaign->patience_s);
}

static int read_candidates(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_each(reader, node, read_candidate);
}

static int read_points(struct reader *reader, const struct bp_yaml_node *node)
{
    return read_each(reader, node, read_point);
}

static const char *const keys[] = {"kernel",     "device",     "seed",   "occurrences", "timeout_s",
                                   "patience_s", "candidates", "points", NULL};
static int (*const readers[])(struct reader *, const struct bp_yaml_node *) = {
    read_kernel,  read_device,   read_seed,       read_occurrences,
    read_timeout, read_patience, read_candidates, read_points,
};

static int read_document(struct reader *reader, const struct bp_yaml_node *root)
{
    if (expect_mapping(reader, root) < 0)
        return -1;
    for (const struct bp_yaml_node *entry = root->child; entry; entry = entry->next) {
        int key = bp_choices_find(keys, entry->key);
        if (key < 0)
            return fail_key(reader, entry, keys);
        if (readers[key](reader, entry) < 0)
            return -1;
    }
    if (!reader->campaign->kernel[0])
        return bp_yaml_fail(reader->path, root->line, reader->err,
                            "'kernel' is required: the source whose knob KIND selects a fault");
    return 0;
}

int bp_campaign_load(const char *path, struct bp_campaign *campaign, struct bp_error *err)
{
    struct bp_yaml_node *root = NULL;
    struct bp_buffer text;
    struct reader reader = {path, campaign, err};
    *campaign = (struct bp_campaign){.seed = 1, .occurrences = 2, .timeout_s = 60, .patience_s = 6};
    bp_buffer_init(&text, BP_YAML_MAX_BYTES);
    int result = bp_io_read_file(path, &text, err);
    if (result == 0)
        result = bp_yaml_parse(path, 1, bp_buffer_text(&text), text.size, &root, err);
    if (result == 0)
        result = read_document(&reader, root);
    bp_yaml_free(root);
    bp_buffer_free(&text);
    return result;
}

int bp_campaign_find(char *path, size_t size, struct bp_error *err)
{
    static const char *const places[] = {"../configs/", "../share/bulletproof/configs/"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return bp_fail_errno(err, "readlink /proc/self/exe");
    self[length] = '\0';
    strrchr(self, '/')[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int wanted = snprintf(path, size, "%s%sfaults.yaml", self, places[i]);
        if (wanted > 0 && (size_t)wanted < size && access(path, R_OK) == 0)
            return 0;
    }
    return bp_fail(err, BP_ERR_USAGE,
                   "no configs/faults.yaml beside %s: name a campaign with --campaign", self);
}
