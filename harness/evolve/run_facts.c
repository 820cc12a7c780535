#include "harness/evolve/run_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/io.h"

#define TEXT_MAX ((size_t)BP_SOURCE_MAX_BYTES + 1)

int bp_run_facts_write(struct bp_store *store, const struct bp_config *config, uint32_t parallel,
                       struct bp_error *err)
{
    BP_AUTO_FREE char *path = realpath(config->kernel, NULL);
    char lanes[16];
    snprintf(lanes, sizeof lanes, "%u", parallel);
    /* The lanes last: where they are, all is. */
    const char *const texts[][2] = {{"config", config->text},
                                    {"kernel", config->source},
                                    {"kernel_path", path ? path : config->kernel},
                                    {"device", config->device},
                                    {"parallel", lanes}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (bp_store_set_text(store, texts[i][0], texts[i][1], err) < 0)
            return -1;
    return 0;
}

static int read_text(struct bp_store *store, const char *dir, const char *name, char *text,
                     size_t size, struct bp_error *err)
{
    int got = bp_store_text(store, name, text, size, err);
    if (got == 0)
        return bp_fail(err, BP_ERR_USAGE,
                       "the run in %s died before it had begun: nothing is lost by starting anew",
                       dir);
    return got < 0 ? -1 : 0;
}

int bp_run_facts_parallel(struct bp_store *store, const char *dir, uint32_t *parallel,
                          struct bp_error *err)
{
    char text[16];
    if (read_text(store, dir, "parallel", text, sizeof text, err) < 0)
        return -1;
    *parallel = (uint32_t)strtoul(text, NULL, 10);
    return 0;
}

static int parse(struct bp_store *store, const char *dir, char *text, char *source,
                 struct bp_config *config, struct bp_error *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    if (read_text(store, dir, "config", text, TEXT_MAX, err) < 0 ||
        read_text(store, dir, "kernel", source, TEXT_MAX, err) < 0)
        return -1;
    return bp_config_parse(path, text, strlen(text), source, strlen(source), config, err);
}

int bp_run_facts_config(struct bp_store *store, const char *dir, struct bp_config *config,
                        struct bp_error *err)
{
    BP_AUTO_FREE char *text = malloc(TEXT_MAX);
    BP_AUTO_FREE char *source = malloc(TEXT_MAX);
    uint32_t parallel;
    if (!text || !source)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the run's config");
    if (bp_run_facts_parallel(store, dir, &parallel, err) < 0 ||
        parse(store, dir, text, source, config, err) < 0)
        return -1;
    config->parallel = parallel;
    config->seed = bp_store_seed(store);
    return read_text(store, dir, "device", config->device, sizeof config->device, err);
}

bool bp_run_facts_same_kernel(struct bp_store *store, const struct bp_config *config, char *path,
                              size_t size)
{
    struct bp_buffer file;
    struct bp_error err;
    if (bp_store_text(store, "kernel_path", path, size, &err) <= 0)
        return true;
    bp_buffer_init(&file, BP_SOURCE_MAX_BYTES);
    bool read = bp_io_read_file(path, &file, &err) == 0;
    bool same = file.size == config->source_bytes &&
                memcmp(bp_buffer_text(&file), config->source, file.size) == 0;
    bp_buffer_free(&file);
    return !read || same;
}
