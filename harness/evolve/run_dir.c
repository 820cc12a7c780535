#include "harness/evolve/run_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int usage(struct bp_error *err)
{
    err->code = BP_ERR_USAGE;
    return -1;
}

static int make_parents(const char *path, struct bp_error *err)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            bp_fail_errno(err, "cannot create the output directory %s", copy);
            return usage(err);
        }
        *slash = '/';
    }
    return 0;
}

static int check_empty(const char *path, struct bp_error *err)
{
    DIR *dir = opendir(path);
    if (!dir) {
        bp_fail_errno(err, "cannot use the output directory %s", path);
        return usage(err);
    }
    bool empty = true;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(dir);
    if (!empty)
        return bp_fail(err, BP_ERR_USAGE,
                       "the output directory %s is not empty: name another with --out", path);
    if (access(path, W_OK) < 0) {
        bp_fail_errno(err, "cannot write to the output directory %s", path);
        return usage(err);
    }
    return 0;
}

int bp_run_dir_create(const char *wanted, const char *parent, const char *name, char *path,
                      size_t size, struct bp_error *err)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime_r(&now, &local));
    int length = wanted ? snprintf(path, size, "%s", wanted)
                        : snprintf(path, size, "%s/%s-%s", parent, name, stamp);
    if (length < 0 || (size_t)length >= size)
        return bp_fail(err, BP_ERR_USAGE, "the output directory's path is too long");
    if (length == 0)
        return bp_fail(err, BP_ERR_USAGE, "the output directory's name is empty");
    if (make_parents(path, err) < 0)
        return -1;
    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno == EEXIST)
        return check_empty(path, err);
    bp_fail_errno(err, "cannot create the output directory %s", path);
    return usage(err);
}
