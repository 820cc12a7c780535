#include "sandbox/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/clone.h"
#include "sandbox/mounts.h"

static const struct {
    uint64_t flag;
    const char *name;
} names[] = {
    {CLONE_NEWPID, "pidns"}, {CLONE_NEWNS, "mntns"},    {CLONE_NEWNET, "netns"},
    {CLONE_NEWIPC, "ipcns"}, {CLONE_NEWUSER, "userns"},
};
#define NAME_COUNT (sizeof names / sizeof names[0])

void bp_namespaces_format(uint64_t flags, char text[BP_NAMESPACES_TEXT])
{
    text[0] = '\0';
    for (unsigned i = 0; i < NAME_COUNT; i++)
        if (flags & names[i].flag) {
            if (text[0])
                strcat(text, ",");
            strcat(text, names[i].name);
        }
}

uint64_t bp_namespaces_parse(const char *text)
{
    uint64_t flags = 0;
    for (unsigned i = 0; i < NAME_COUNT; i++)
        if (strstr(text, names[i].name))
            flags |= names[i].flag;
    return flags;
}

void bp_user_map_make(struct bp_user_map *map)
{
    snprintf(map->uid, sizeof map->uid, "0 %u 1", (unsigned)geteuid());
    snprintf(map->gid, sizeof map->gid, "0 %u 1", (unsigned)getegid());
}

static int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t length = (ssize_t)strlen(text);
    int error = write(fd, text, (size_t)length) == length ? 0 : errno;
    close(fd);
    return error;
}

int bp_user_map_write(const struct bp_user_map *map)
{
    /* A supervisor's child is not dumpable, and then /proc/self belongs to the real root. Exec
     * decides anew, so this holds for the few calls up to it only. */
    prctl(PR_SET_DUMPABLE, 1);
    int error = write_text("/proc/self/setgroups", "deny");
    if (!error)
        error = write_text("/proc/self/uid_map", map->uid);
    if (!error)
        error = write_text("/proc/self/gid_map", map->gid);
    prctl(PR_SET_DUMPABLE, 0);
    return error;
}

/* Cloning can work and mounting still be refused (AppArmor's restriction of user namespaces). */
static int probe_child(uint64_t flags, const struct bp_user_map *map)
{
    if ((flags & CLONE_NEWUSER) && bp_user_map_write(map) != 0)
        return 1;
    if ((flags & CLONE_NEWNS) &&
        (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
         mount("tmpfs", BP_PRIVATE_DIRECTORY, "tmpfs", MS_NOSUID, "size=4096") < 0))
        return 1;
    return 0;
}

static int granted(uint64_t flags, const struct bp_user_map *map)
{
    pid_t pid = bp_clone(flags, NULL);
    if (pid == 0)
        _exit(probe_child(flags, map));
    int status = -1;
    if (pid < 0)
        return 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status == 0;
}

uint64_t bp_namespaces_probe(void)
{
    static const uint64_t wishes[] = {
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC,
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUSER,
        CLONE_NEWPID | CLONE_NEWNS,
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUSER,
        CLONE_NEWPID,
    };
    struct bp_user_map map;
    bp_user_map_make(&map);
    for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        if (granted(wishes[i], &map))
            return wishes[i];
    return 0;
}

int bp_namespaces_open_of(pid_t pid, const char *kind, struct bp_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? bp_fail_errno(err, "opening %s", path) : fd;
}

int bp_namespaces_open_shared(struct bp_shared_namespaces *shared, struct bp_error *err)
{
    pid_t parent = getpid(), pid = bp_clone(BP_NAMESPACES_SHARED, NULL);
    if (pid == 0) {
        bp_clone_die_with(parent);
        for (;;)
            pause();
    }
    if (pid < 0)
        return bp_fail_errno(err, "clone3 of namespaces to share");
    shared->network_fd = bp_namespaces_open_of(pid, "net", err);
    shared->ipc_fd = shared->network_fd < 0 ? -1 : bp_namespaces_open_of(pid, "ipc", err);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (shared->ipc_fd >= 0)
        return 0;
    bp_namespaces_close_shared(shared);
    return -1;
}

void bp_namespaces_close_shared(struct bp_shared_namespaces *shared)
{
    bp_close_fd(&shared->network_fd);
    bp_close_fd(&shared->ipc_fd);
}

int bp_namespaces_enter_shared(const struct bp_shared_namespaces *shared, uint64_t wanted)
{
    bool network = (wanted & CLONE_NEWNET) && setns(shared->network_fd, CLONE_NEWNET) < 0;
    bool ipc = !network && (wanted & CLONE_NEWIPC) && setns(shared->ipc_fd, CLONE_NEWIPC) < 0;
    return network || ipc ? -1 : 0;
}
