#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/report/bundle.h"
#include "harness/report/bundle_pack.h"

static int usage_errno(struct bp_error *err, const char *what, const char *name)
{
    bp_fail_errno(err, "%s %.200s", what, name);
    err->code = BP_ERR_USAGE;
    return -1;
}

static int check_names(int fd, const char *path, struct bp_error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        if (copy >= 0)
            close(copy);
        return usage_errno(err, "cannot list", path);
    }
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !bp_bundle_row(entry->d_name))
            result = bp_fail(err, BP_ERR_USAGE, "%.200s is no bundle: it holds '%.100s'", path,
                             entry->d_name);
    closedir(dir);
    return result;
}

int bp_bundle_open(const char *path, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return usage_errno(err, "cannot open the bundle", path);
    if (check_names(fd, path, err) < 0)
        return -1;
    return bp_steal_fd(&fd);
}

static int read_all(int fd, size_t size, struct bp_buffer *bytes, struct bp_error *err)
{
    char chunk[65536];
    for (size_t left = size; left > 0;) {
        ssize_t got = read(fd, chunk, left < sizeof chunk ? left : sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bp_fail_errno(err, "read");
        if (got == 0)
            return bp_fail(err, BP_ERR_USAGE, "it became shorter while it was read");
        if (bp_buffer_add(bytes, chunk, (size_t)got, err) < 0)
            return -1;
        left -= (size_t)got;
    }
    return 0;
}

int bp_bundle_read_file(int dir_fd, const struct bp_bundle_row *row, struct bp_buffer *bytes,
                        struct bp_error *err)
{
    struct stat info;
    BP_AUTO_FD int fd =
        openat(dir_fd, row->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ELOOP)
        return bp_fail(err, BP_ERR_USAGE, "the bundle's %s is a symbolic link", row->name);
    if (fd < 0 || fstat(fd, &info) < 0)
        return usage_errno(err, "cannot read the bundle's", row->name);
    if (!S_ISREG(info.st_mode))
        return bp_fail(err, BP_ERR_USAGE, "the bundle's %s is not a regular file", row->name);
    if ((uint64_t)info.st_size > row->max_bytes)
        return bp_fail(err, BP_ERR_USAGE, "the bundle's %s has more than %zu bytes", row->name,
                       row->max_bytes);
    if (read_all(fd, (size_t)info.st_size, bytes, err) < 0)
        return bp_fail_within(err, "the bundle's %s", row->name);
    return 1;
}

/* Into contents, by file: only what a replay needs. */
static int read_directory(const char *path, struct bp_buffer *contents, struct bp_error *err)
{
    BP_AUTO_FD int fd = bp_bundle_open(path, err);
    if (fd < 0)
        return -1;
    for (int i = 0; i < BP_BUNDLE_FILES && bp_bundle_rows[i].needed; i++)
        if (bp_bundle_read_file(fd, &bp_bundle_rows[i], &contents[i], err) < 0)
            return -1;
    return 0;
}

static int take(const char *path, struct bp_buffer *contents, struct bp_saved *bundle,
                struct bp_error *err)
{
    const struct bp_buffer *replay = &contents[BP_BUNDLE_REPLAY];
    struct bp_buffer *kernel = &contents[BP_BUNDLE_KERNEL];
    for (int i = 0; i < BP_BUNDLE_FILES && bp_bundle_rows[i].needed; i++)
        if (contents[i].size == 0)
            return bp_fail(err, BP_ERR_USAGE, "%.200s is no bundle: %s is missing or empty", path,
                           bp_bundle_rows[i].name);
    if (bp_replay_parse(replay->data, replay->size, &bundle->replay, err) < 0)
        return bp_fail_within(err, "%.200s", path);
    bundle->source_bytes = kernel->size;
    bundle->source = bp_steal_pointer(&kernel->data);
    return 0;
}

int bp_bundle_read(const char *path, struct bp_saved *bundle, struct bp_error *err)
{
    struct bp_buffer contents[BP_BUNDLE_FILES];
    struct stat info;
    memset(bundle, 0, sizeof *bundle);
    if (stat(path, &info) < 0)
        return usage_errno(err, "cannot open the bundle", path);
    for (int i = 0; i < BP_BUNDLE_FILES; i++)
        bp_buffer_init(&contents[i], bp_bundle_rows[i].max_bytes);
    int result = S_ISDIR(info.st_mode) ? read_directory(path, contents, err)
                                       : bp_bundle_unpack(path, contents, err);
    if (result == 0)
        result = take(path, contents, bundle, err);
    for (int i = 0; i < BP_BUNDLE_FILES; i++)
        bp_buffer_free(&contents[i]);
    return result;
}

void bp_bundle_free(struct bp_saved *bundle)
{
    free(bundle->source);
    bundle->source = NULL;
    bp_replay_setting_free(&bundle->replay.setting);
}
