#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define BLOCK_BYTES 512 /* of st_blocks, whatever the file system's own */
#define DEPTH_MAX 32    /* what we make is four deep; a deeper one is not ours */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Null when name is no directory on the device of its parent. */
static DIR *open_below(int at_fd, const char *name, dev_t device)
{
    struct stat status;
    BP_AUTO_FD int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return NULL;
    if (status.st_dev != device) {
        errno = EXDEV;
        return NULL;
    }
    DIR *dir = fdopendir(fd);
    if (dir)
        bp_steal_fd(&fd);
    return dir;
}

static uint64_t bytes_of(int at_fd, const char *name, dev_t device, int depth)
{
    struct stat status;
    if (fstatat(at_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_dev != device)
        return 0;
    uint64_t bytes = (uint64_t)status.st_blocks * BLOCK_BYTES;
    DIR *dir =
        S_ISDIR(status.st_mode) && depth < DEPTH_MAX ? open_below(at_fd, name, device) : NULL;
    if (!dir)
        return bytes;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (!is_dots(entry->d_name))
            bytes += bytes_of(dirfd(dir), entry->d_name, device, depth + 1);
    closedir(dir);
    return bytes;
}

uint64_t bp_tree_bytes(int at_fd, const char *name)
{
    struct stat status;
    if (fstatat(at_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return bytes_of(at_fd, name, status.st_dev, 0);
}

static int remove_at(int at_fd, const char *name, dev_t device, int depth, struct bp_error *err);

/* Goes on after a failure, so that as much as possible is gone; the first one counts. */
static int remove_below(DIR *dir, dev_t device, int depth,
                        bool (*keep)(void *context, const char *name), void *context,
                        struct bp_error *err)
{
    int result = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct bp_error one;
        if (is_dots(entry->d_name) || (keep && keep(context, entry->d_name)))
            continue;
        if (remove_at(dirfd(dir), entry->d_name, device, depth + 1, &one) < 0 && result == 0) {
            *err = one;
            result = -1;
        }
    }
    return result;
}

static int remove_at(int at_fd, const char *name, dev_t device, int depth, struct bp_error *err)
{
    if (unlinkat(at_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return bp_fail_errno(err, "cannot remove %s", name);
    if (depth >= DEPTH_MAX)
        return bp_fail(err, BP_ERR_LIMIT, "cannot remove %s: too deep", name);
    DIR *dir = open_below(at_fd, name, device);
    if (!dir)
        return bp_fail_errno(err, "cannot remove %s", name);
    int result = remove_below(dir, device, depth, NULL, NULL, err);
    closedir(dir);
    if (result == 0 && unlinkat(at_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return bp_fail_errno(err, "cannot remove %s", name);
    return result;
}

int bp_tree_remove(int at_fd, const char *name, struct bp_error *err)
{
    struct stat status;
    if (fstatat(at_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : bp_fail_errno(err, "cannot remove %s", name);
    return remove_at(at_fd, name, status.st_dev, 0, err);
}

int bp_tree_remove_entries(int at_fd, bool (*keep)(void *context, const char *name), void *context,
                           struct bp_error *err)
{
    struct stat status;
    DIR *dir = NULL;
    if (fstat(at_fd, &status) == 0)
        dir = open_below(at_fd, ".", status.st_dev);
    if (!dir)
        return bp_fail_errno(err, "cannot read the directory");
    int result = remove_below(dir, status.st_dev, 0, keep, context, err);
    closedir(dir);
    return result;
}
