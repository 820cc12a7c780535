#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "harness/report/artifacts.h"
#include "harness/report/directory.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

/* A JSON scalar is a YAML scalar too, quoted where it must be. */
int bp_knobs_yaml(const struct bp_evaluation *evaluation, struct bp_buffer *text,
                  struct bp_error *err)
{
    json_t *knobs = bp_json_knobs(evaluation);
    if (!knobs)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for knobs.yaml");
    int result = json_object_size(knobs) ? 0 : bp_buffer_printf(text, err, "{}\n");
    const char *name;
    json_t *value;
    json_object_foreach(knobs, name, value)
    {
        BP_AUTO_FREE char *scalar = json_dumps(value, JSON_ENCODE_ANY);
        if (result == 0)
            result = scalar ? bp_buffer_printf(text, err, "%s: %s\n", name, scalar)
                            : bp_fail(err, BP_ERR_MEMORY, "no memory for knobs.yaml");
    }
    json_decref(knobs);
    return result;
}

static int write_knobs(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
{
    struct bp_buffer text;
    bp_buffer_init(&text, BP_KNOBS_YAML_MAX);
    int result = bp_knobs_yaml(best, &text, err);
    if (result == 0)
        result = bp_report_write(dir, "knobs.yaml", bp_buffer_text(&text), text.size, err);
    bp_buffer_free(&text);
    return result;
}

static int fill(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
{
    if (mkdir(dir, 0755) < 0)
        return bp_fail_errno(err, "cannot create %s", dir);
    if (bp_report_write(dir, "kernel.hip", best->source, best->source_bytes, err) < 0 ||
        write_knobs(dir, best, err) < 0)
        return -1;
    return bp_report_write_json(dir, "result.json", bp_evaluation_json(best), err);
}

int bp_artifacts_best(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
{
    char path[BP_REPORT_PATH], fresh[BP_REPORT_PATH];
    if ((size_t)snprintf(path, sizeof path, "%s/best", dir) >= sizeof path ||
        (size_t)snprintf(fresh, sizeof fresh, "%s/best.tmp", dir) >= sizeof fresh)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    if (bp_directory_remove(fresh, err) < 0)
        return -1;
    if (fill(fresh, best, err) < 0) {
        struct bp_error ignored;
        (void)!bp_directory_remove(fresh, &ignored);
        return -1;
    }
    return bp_directory_replace(fresh, path, err);
}
