#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"

/* A line is far shorter: names and hashes of one evaluation, and its knobs. */
#define TAIL_BYTES ((size_t)256 << 10)

/* How much of the text stands up to and with its last newline. */
static size_t whole_lines(const char *text, size_t size)
{
    while (size > 0 && text[size - 1] != '\n')
        size--;
    return size;
}

static uint32_t last_number(const char *text, size_t whole)
{
    size_t begin = whole > 0 ? whole_lines(text, whole - 1) : 0;
    json_t *object = json_loadb(text + begin, whole - begin, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(object, "number"));
    json_decref(object);
    return (uint32_t)number;
}

static int repair_end(int fd, off_t size, const char *path, uint32_t *number, struct bp_error *err)
{
    size_t tail_bytes = (size_t)size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
    BP_AUTO_FREE char *tail = malloc(tail_bytes + 1);
    if (!tail)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the end of %s", path);
    if (lseek(fd, size - (off_t)tail_bytes, SEEK_SET) < 0)
        return bp_fail_errno(err, "cannot read %s", path);
    if (bp_io_read_full(fd, tail, tail_bytes, err) < 0)
        return bp_fail_within(err, "cannot read %s", path);
    size_t whole = whole_lines(tail, tail_bytes);
    if (whole < tail_bytes && ftruncate(fd, size - (off_t)(tail_bytes - whole)) < 0)
        return bp_fail_errno(err, "cannot cut %s", path);
    *number = last_number(tail, whole);
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
    return repair_end(fd, info.st_size, path, number, err);
}
