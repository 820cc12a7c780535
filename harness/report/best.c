#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

#define KNOBS_MAX ((size_t)1 << 20)

/* Removes a directory of plain files; one that is not there is no error. */
static int remove_directory(const char *path, struct bp_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : bp_fail_errno(err, "cannot open %s", path);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    if (rmdir(path) < 0)
        return bp_fail_errno(err, "cannot remove %s", path);
    return 0;
}

/* One "NAME: value" a line. A JSON scalar is a YAML scalar too, quoted where it must be. */
static int write_knobs(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
{
    json_t *knobs = bp_json_knobs(best);
    if (!knobs)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for knobs.yaml");
    struct bp_buffer text;
    bp_buffer_init(&text, KNOBS_MAX);
    int result = json_object_size(knobs) ? 0 : bp_buffer_printf(&text, err, "{}\n");
    const char *name;
    json_t *value;
    json_object_foreach(knobs, name, value)
    {
        BP_AUTO_FREE char *scalar = json_dumps(value, JSON_ENCODE_ANY);
        if (result == 0)
            result = scalar ? bp_buffer_printf(&text, err, "%s: %s\n", name, scalar)
                            : bp_fail(err, BP_ERR_MEMORY, "no memory for knobs.yaml");
    }
    if (result == 0)
        result = bp_report_write(dir, "knobs.yaml", bp_buffer_text(&text), text.size, err);
    bp_buffer_free(&text);
    json_decref(knobs);
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

/* The new directory takes the name in one step, so that a reader finds the old three files or the
 * new three; the old ones are then under the temporary name. */
static int swap(const char *fresh, const char *path, struct bp_error *err)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) < 0 &&
        (errno != ENOENT || rename(fresh, path) < 0))
        return bp_fail_errno(err, "cannot replace %s", path);
    return 0;
}

int bp_artifacts_best(const char *dir, const struct bp_evaluation *best, struct bp_error *err)
{
    char path[BP_REPORT_PATH], fresh[BP_REPORT_PATH];
    if ((size_t)snprintf(path, sizeof path, "%s/best", dir) >= sizeof path ||
        (size_t)snprintf(fresh, sizeof fresh, "%s/best.tmp", dir) >= sizeof fresh)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    if (remove_directory(fresh, err) < 0)
        return -1;
    if (fill(fresh, best, err) < 0) {
        struct bp_error ignored;
        remove_directory(fresh, &ignored);
        return -1;
    }
    if (swap(fresh, path, err) < 0)
        return -1;
    BP_AUTO_FD int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) < 0)
        return bp_fail_errno(err, "cannot sync %s", dir);
    return remove_directory(fresh, err);
}
