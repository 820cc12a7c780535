#include "harness/inject/leaks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bp_leaks_look(struct bp_leaks_fds *fds)
{
    memset(fds, 0, sizeof *fds);
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd < BP_LEAKS_FDS)
            fds->open[fd] = 1;
    }
    closedir(dir);
}

uint32_t bp_leaks_compare(const struct bp_leaks_fds *before, char *text, size_t size)
{
    struct bp_leaks_fds now;
    uint32_t count = 0;
    size_t used = 0;
    bp_leaks_look(&now);
    for (int fd = 0; fd < BP_LEAKS_FDS; fd++) {
        char link[64], target[128] = "?";
        if (!now.open[fd] || before->open[fd])
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 1] = '\0';
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%sdescriptor %d (%s)",
                                     used ? ", " : "", fd, target);
        count++;
    }
    return count;
}

uint32_t bp_leaks_entries(const char *path)
{
    uint32_t count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

uint32_t bp_leaks_mounts(void)
{
    uint32_t lines = 0;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file)
        return 0;
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}
