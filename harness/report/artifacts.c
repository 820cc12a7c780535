#include "harness/report/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "harness/report/bundle.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

int bp_report_write(const char *dir, const char *name, const void *data, size_t size,
                    struct bp_error *err)
{
    char path[BP_REPORT_PATH];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    return bp_io_write_file_atomic(path, data, size, err);
}

int bp_report_write_json(const char *dir, const char *name, json_t *value, struct bp_error *err)
{
    BP_AUTO_FREE char *text = json_dumps(value, BP_JSON_FLAGS);
    json_decref(value);
    if (!text)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %s", name);
    size_t length = strlen(text);
    text[length] = '\n'; /* in place of the NUL, which is not written */
    return bp_report_write(dir, name, text, length + 1, err);
}

/* The evaluation's object, and which file is its program. */
static json_t *artifact_json(const struct bp_evaluation *evaluation, const char *program)
{
    char sha256[BP_HASH_TEXT], bundle[32];
    bp_hash_text(evaluation->source, evaluation->source_bytes, sha256);
    bp_bundle_name(evaluation, bundle, sizeof bundle);
    json_t *parts[] = {bp_evaluation_json(evaluation),
                       json_pack("{s:{s:s, s:I, s:s}, s:o}", "program", "file", program, "bytes",
                                 (json_int_t)evaluation->source_bytes, "sha256", sha256, "bundle",
                                 bp_json_text_or_null(bundle))};
    return bp_json_joined(parts, 2);
}

/* All of the line or none of it: what a full disk let through is cut off again. */
static int append_line(const char *path, const char *line, size_t size, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
    struct stat before;
    if (fd < 0 || fstat(fd, &before) < 0)
        return bp_fail_errno(err, "cannot open %s", path);
    if (bp_io_write_full(fd, line, size, err) == 0)
        return 0;
    if (ftruncate(fd, before.st_size) < 0)
        return bp_fail(err, BP_ERR_STATE, "%s ends in half a line, which cannot be cut off: %s",
                       path, strerror(errno));
    return bp_fail_within(err, "cannot append to %s", path);
}

static int append_history(const char *dir, const struct bp_evaluation *evaluation,
                          struct bp_error *err)
{
    char path[BP_REPORT_PATH];
    if ((size_t)snprintf(path, sizeof path, "%s/history.jsonl", dir) >= sizeof path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    json_t *object = bp_history_json(evaluation);
    BP_AUTO_FREE char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (!line)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a line of %s", path);
    size_t length = strlen(line);
    line[length] = '\n';
    return append_line(path, line, length + 1, err);
}

int bp_artifacts_evaluation(const char *dir, const struct bp_evaluation *evaluation,
                            struct bp_error *err)
{
    char program[32], result[32];
    snprintf(program, sizeof program, "eval_%05u.hip", evaluation->number);
    snprintf(result, sizeof result, "eval_%05u.json", evaluation->number);
    if (bp_report_write(dir, program, evaluation->source, evaluation->source_bytes, err) < 0 ||
        bp_report_write_json(dir, result, artifact_json(evaluation, program), err) < 0)
        return -1;
    return append_history(dir, evaluation, err);
}
