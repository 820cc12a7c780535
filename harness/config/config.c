#include "harness/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "harness/config/choices.h"
#include "harness/config/knobs.h"
#include "harness/config/schema.h"

/* The config file while it is read. */
struct loader {
    const char *path;
    const struct bp_yaml_node *root;
    struct bp_config *config;
    struct bp_error *err;
};

void bp_config_defaults(struct bp_config *config)
{
    memset(config, 0, sizeof *config);
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++)
        if (bp_setting_has_field(setting))
            bp_setting_store_default(setting, config);
}

void bp_config_free(struct bp_config *config)
{
    bp_kernel_head_free(&config->head);
    free(config->source);
    free(config->text);
    config->source = NULL;
    config->text = NULL;
}

/* The line to blame for a top-level key, or the document's first when it has its default. */
static uint32_t line_of_key(const struct loader *loader, const char *key)
{
    const struct bp_yaml_node *node = bp_yaml_find(loader->root, key);
    return node ? node->line : loader->root->line;
}

static const struct bp_yaml_node *find_in_space(const struct loader *loader, const char *key)
{
    const struct bp_yaml_node *space = bp_yaml_find(loader->root, "space");
    return space ? bp_yaml_find(space, key) : NULL;
}

/* `kernel` as given becomes a path from the working directory. */
static int resolve_kernel(struct loader *loader)
{
    char *kernel = loader->config->kernel;
    const char *slash = strrchr(loader->path, '/');
    char joined[sizeof loader->config->kernel];
    if (kernel[0] == '/' || !slash)
        return 0;
    int length = snprintf(joined, sizeof joined, "%.*s/%s", (int)(slash - loader->path),
                          loader->path, kernel);
    if (length < 0 || (size_t)length >= sizeof joined)
        return bp_yaml_fail(loader->path, line_of_key(loader, "kernel"), loader->err,
                            "'kernel': the path is too long");
    memcpy(kernel, joined, (size_t)length + 1);
    return 0;
}

static int copy_bytes(const char *data, size_t size, char **copy, struct bp_error *err)
{
    *copy = malloc(size + 1);
    if (!*copy)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %zu bytes", size);
    memcpy(*copy, data, size);
    (*copy)[size] = '\0';
    return 0;
}

static int read_source(struct loader *loader)
{
    struct bp_config *config = loader->config;
    struct bp_buffer buffer;
    struct bp_error inner;
    bp_buffer_init(&buffer, BP_SOURCE_MAX_BYTES);
    int result = bp_io_read_file(config->kernel, &buffer, &inner);
    if (result < 0)
        result = bp_yaml_fail(loader->path, line_of_key(loader, "kernel"), loader->err,
                              "'kernel': %s", inner.msg);
    else
        result = copy_bytes(bp_buffer_text(&buffer), buffer.size, &config->source, loader->err);
    config->source_bytes = buffer.size;
    bp_buffer_free(&buffer);
    return result;
}

static int check_dtype(struct loader *loader)
{
    const struct bp_kernel_head *head = &loader->config->head;
    const char *declared[BP_DTYPE_COUNT + 1] = {NULL};
    char list[64];
    int count = 0;
    enum bp_dtype dtype;
    if (bp_dtype_parse(loader->config->dtype, &dtype) && head->dtypes[dtype])
        return 0;
    for (int i = 0; i < BP_DTYPE_COUNT; i++)
        if (head->dtypes[i])
            declared[count++] = bp_dtype_name((enum bp_dtype)i);
    bp_choices_join(declared, list, sizeof list);
    return bp_yaml_fail(loader->path, line_of_key(loader, "dtype"), loader->err,
                        "kernel '%s' has no dtype %s (it declares: %s)", head->name,
                        loader->config->dtype, list);
}

static int check_devices(struct loader *loader)
{
    const struct bp_config *config = loader->config;
    const char *key = bp_yaml_find(loader->root, "devices") ? "devices" : "device";
    struct bp_device_list list;
    struct bp_error why;
    if (strcmp(config->device, "auto") == 0)
        return 0;
    if (bp_device_list_parse(config->device, &list, &why) == 0 &&
        bp_kernel_head_check_target(&config->head, list.devices[0].name,
                                    list.devices[0].parsed.kind, &why) == 0)
        return 0;
    return bp_yaml_fail(loader->path, line_of_key(loader, key), loader->err, "%s", why.msg);
}

/* Starts the baseline from the kernel's default, as values, because an overridden list has other
 * indices; a default that the new lists lack stays ungiven and must come from `baseline`. */
static void carry_default(const struct bp_kernel_head *head, const int64_t *values,
                          struct bp_point *point, bool *given)
{
    for (uint32_t i = 0; i < head->space.knob_count; i++) {
        struct bp_error ignored;
        given[i] = bp_space_choose(&head->space, head->space.knobs[i].name, values[i], point,
                                   &ignored) == 0;
    }
}

static int apply_baseline(struct loader *loader, const int64_t *defaults)
{
    struct bp_config *config = loader->config;
    const struct bp_space *space = &config->head.space;
    const struct bp_yaml_node *baseline = bp_yaml_find(loader->root, "baseline");
    bool given[BP_MAX_KNOBS] = {false};
    struct bp_error inner;
    carry_default(&config->head, defaults, &config->baseline, given);
    if (baseline &&
        bp_knobs_assign(loader->path, baseline, space, &config->baseline, given, loader->err) < 0)
        return -1;
    uint32_t line = line_of_key(loader, baseline ? "baseline" : "space");
    if (bp_knobs_check_point(loader->path, line, space, &config->baseline, given, &inner) < 0)
        return bp_fail(loader->err, BP_ERR_USAGE, "%.400s%s", inner.msg,
                       baseline && baseline->child
                           ? ""
                           : ": the kernel's default lies outside this space; set 'baseline'");
    config->head.default_point = config->baseline;
    return 0;
}

static int apply_space(struct loader *loader)
{
    struct bp_kernel_head *head = &loader->config->head;
    const struct bp_yaml_node *knobs = find_in_space(loader, "knobs");
    const struct bp_yaml_node *constraints = find_in_space(loader, "constraints");
    int64_t defaults[BP_MAX_KNOBS];
    for (uint32_t i = 0; i < head->space.knob_count; i++)
        defaults[i] = bp_space_value(&head->space, &head->default_point, i);
    if (knobs && bp_knobs_override(loader->path, knobs, &head->space, loader->err) < 0)
        return -1;
    if (constraints && bp_knobs_constrain(loader->path, constraints, &head->space, loader->err) < 0)
        return -1;
    if ((knobs || constraints) && bp_knobs_check_space(loader->path, line_of_key(loader, "space"),
                                                       &head->space, loader->err) < 0)
        return -1;
    return apply_baseline(loader, defaults);
}

static int load_kernel(struct loader *loader, const char *source, size_t source_bytes)
{
    struct bp_config *config = loader->config;
    if (source) {
        config->source_bytes = source_bytes;
        if (copy_bytes(source, source_bytes, &config->source, loader->err) < 0)
            return -1;
    } else if (resolve_kernel(loader) < 0 || read_source(loader) < 0) {
        return -1;
    }
    if (bp_kernel_head_parse(config->kernel, config->source, config->source_bytes, &config->head,
                             loader->err) < 0) {
        if (loader->err->code == BP_ERR_SOURCE) /* the user's file, as the config is */
            loader->err->code = BP_ERR_USAGE;
        return -1;
    }
    if (check_dtype(loader) < 0 || check_devices(loader) < 0)
        return -1;
    return apply_space(loader);
}

int bp_config_parse(const char *path, const char *text, size_t size, const char *source,
                    size_t source_bytes, struct bp_config *config, struct bp_error *err)
{
    struct bp_yaml_node *root;
    bp_config_defaults(config);
    if (bp_yaml_parse(path, 1, text, size, &root, err) < 0)
        return -1;
    struct loader loader = {.path = path, .root = root, .config = config, .err = err};
    int result = bp_schema_read(path, root, config, err);
    if (result == 0)
        result = copy_bytes(text, size, &config->text, err);
    if (result == 0)
        result = load_kernel(&loader, source, source_bytes);
    bp_yaml_free(root);
    if (result < 0)
        bp_config_free(config);
    return result;
}

int bp_config_load(const char *path, struct bp_config *config, struct bp_error *err)
{
    struct bp_buffer buffer;
    bp_config_defaults(config);
    bp_buffer_init(&buffer, BP_YAML_MAX_BYTES);
    int result = bp_io_read_file(path, &buffer, err);
    if (result == 0)
        result = bp_config_parse(path, bp_buffer_text(&buffer), buffer.size, NULL, 0, config, err);
    bp_buffer_free(&buffer);
    return result;
}

static int read_kernel_file(const char *path, struct bp_buffer *source, struct bp_error *err)
{
    struct stat info;
    if (bp_io_read_file(path, source, err) == 0)
        return 0;
    if (access(path, R_OK) == 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
        info.st_size > (off_t)BP_SOURCE_MAX_BYTES)
        err->code = BP_ERR_SOURCE;
    return -1;
}

int bp_config_read_kernel(const char *path, struct bp_config *config, struct bp_error *err)
{
    struct bp_buffer source;
    bp_buffer_init(&source, BP_SOURCE_MAX_BYTES);
    snprintf(config->kernel, sizeof config->kernel, "%s", path);
    if (read_kernel_file(path, &source, err) < 0 ||
        bp_kernel_head_parse(path, bp_buffer_text(&source), source.size, &config->head, err) < 0) {
        bp_buffer_free(&source);
        return -1;
    }
    config->source_bytes = source.size;
    config->source = bp_steal_pointer(&source.data);
    return 0;
}
