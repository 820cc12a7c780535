#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"

/* A line is far shorter: names and hashes of one evaluation, and its knobs. */
#define TAIL_BYTES ((size_t)256 << 10)

/* The last line of size bytes of text, without its newline; what follows that is not counted. */
static const char *last_line(const char *text, size_t size, size_t *length, size_t *rest)
{
    const char *end = memrchr(text, '\n', size);
    *rest = end ? size - (size_t)(end + 1 - text) : size;
    if (!end)
        return NULL;
    const char *before = memrchr(text, '\n', (size_t)(end - text));
    const char *line = before ? before + 1 : text;
    *length = (size_t)(end - line);
    return line;
}

static int cut(int fd, off_t size, size_t rest, const char *path, struct bp_error *err)
{
    if (rest > 0 && ftruncate(fd, size - (off_t)rest) < 0)
        return bp_fail_errno(err, "cannot cut %s", path);
    return 0;
}

int bp_artifacts_history_end(const char *dir, uint32_t *number, struct bp_error *err)
{
    char path[BP_REPORT_PATH];
    struct stat info;
    *number = 0;
    if ((size_t)snprintf(path, sizeof path, "%s/history.jsonl", dir) >= sizeof path)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    BP_AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &info) < 0)
        return bp_fail_errno(err, "cannot open %s", path);
    size_t size = (size_t)info.st_size < TAIL_BYTES ? (size_t)info.st_size : TAIL_BYTES;
    BP_AUTO_FREE char *tail = malloc(size + 1);
    if (!tail)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the end of %s", path);
    if (lseek(fd, info.st_size - (off_t)size, SEEK_SET) < 0)
        return bp_fail_errno(err, "cannot read %s", path);
    if (bp_io_read_full(fd, tail, size, err) < 0)
        return bp_fail_within(err, "cannot read %s", path);
    size_t length = 0, rest;
    const char *line = last_line(tail, size, &length, &rest);
    json_t *object = line ? json_loadb(line, length, 0, NULL) : NULL;
    *number = (uint32_t)json_integer_value(json_object_get(object, "number"));
    json_decref(object);
    return cut(fd, info.st_size, rest, path, err);
}
