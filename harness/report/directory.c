#include "harness/report/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int bp_directory_remove(const char *path, struct bp_error *err)
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

int bp_directory_replace(const char *fresh, const char *path, struct bp_error *err)
{
    char copy[4096];
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) < 0 &&
        (errno != ENOENT || rename(fresh, path) < 0))
        return bp_fail_errno(err, "cannot replace %s", path);
    snprintf(copy, sizeof copy, "%s", path);
    const char *parent_path = dirname(copy);
    BP_AUTO_FD int parent = open(parent_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fsync(parent) < 0)
        return bp_fail_errno(err, "cannot sync %s", parent_path);
    return bp_directory_remove(fresh, err);
}
