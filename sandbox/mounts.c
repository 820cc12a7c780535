#include "sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/weaken.h"

/* Where the root is put together; it is the child's private directory anyway. */
#define STAGING BP_PRIVATE_DIRECTORY
#define ROOT_OPTIONS "size=64k,nr_inodes=256,mode=0755"

static int make_parents(char *path, struct bp_error *err)
{
    for (char *slash = strchr(path + sizeof STAGING, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made < 0 && errno != EEXIST)
            return bp_fail_errno(err, "directories of %s", path);
    }
    return 0;
}

/* What is there of source appears in the new root by the same name. MS_REC: an unprivileged namespace
 * may not uncover what is mounted on top. */
static int add(const char *source, struct bp_error *err)
{
    char target[PATH_MAX];
    struct stat status;
    if (stat(source, &status) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : bp_fail_errno(err, "stat %s", source);
    snprintf(target, sizeof target, STAGING "%s", source);
    if (access(target, F_OK) == 0) /* in a directory that is there already */
        return 0;
    if (make_parents(target, err) < 0)
        return -1;
    int made = S_ISDIR(status.st_mode) ? mkdir(target, 0755) : mknod(target, S_IFREG | 0644, 0);
    if (made < 0 || mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return bp_fail_errno(err, "bind mount of %s", source);
    return 0;
}

/* The child gets a /proc of its own anyway. */
static bool is_in_proc(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0;
}

static int add_files(const struct bp_policy *policy, struct bp_error *err)
{
    for (unsigned i = 0; i < policy->file_count; i++)
        for (unsigned k = 0; k < BP_POLICY_ALTERNATIVES && policy->files[i].any[k]; k++)
            if (!is_in_proc(policy->files[i].any[k]) && add(policy->files[i].any[k], err) < 0)
                return -1;
    return 0;
}

/* Landlock does not govern chmod, chown, utimes and xattrs; a read-only mount does. */
static int make_read_only(const char *path, struct bp_error *err)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    if (bp_weakened(BP_DEFENCE_readonly))
        return 0;
    if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attributes, sizeof attributes) <
        0)
        return bp_fail_errno(err, "making %s read-only", path);
    return 0;
}

static int make_private(struct bp_error *err)
{
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return bp_fail_errno(err, "making mounts private");
    return 0;
}

int bp_mounts_build(const struct bp_policy *policy, struct bp_error *err)
{
    if (make_private(err) < 0)
        return -1;
    if (mount("tmpfs", STAGING, "tmpfs", MS_NOSUID, ROOT_OPTIONS) < 0)
        return bp_fail_errno(err, "tmpfs on " STAGING);
    if (add_files(policy, err) < 0)
        return -1;
    if (mkdir(STAGING "/proc", 0755) < 0 || mkdir(STAGING BP_PRIVATE_DIRECTORY, 0755) < 0)
        return bp_fail_errno(err, "directories to mount on");
    return make_read_only(STAGING, err);
}

int bp_mounts_leave_old(struct bp_error *err)
{
    if (chdir(STAGING) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return bp_fail_errno(err, "leaving the old root");
    return 0;
}

/* Containers mask parts of /proc, and an unprivileged namespace may then not mount it whole: it gets
 * the /proc there is, which Landlock closes. Where even that is refused there is none. */
static int add_proc(const char *path, uint64_t flags, bool *fresh, struct bp_error *err)
{
    *fresh = (flags & CLONE_NEWPID) &&
             mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
    if (!*fresh && mount("/proc", path, NULL, MS_BIND | MS_REC, NULL) < 0)
        return 0;
    return make_read_only(path, err);
}

static int add_private(const char *path, uint64_t size_bytes, uid_t uid, gid_t gid,
                       struct bp_error *err)
{
    char options[128];
    snprintf(options, sizeof options, "size=%llu,nr_inodes=4096,mode=0700,uid=%u,gid=%u",
             (unsigned long long)size_bytes, (unsigned)uid, (unsigned)gid);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return bp_fail_errno(err, "tmpfs on %s (%s)", path, options);
    return 0;
}

/* Not pivot_root: detaching the old tree waits for the kernel's readers, 0.6 ms a child. A chroot holds
 * whoever has no capability and no descriptor of a directory outside. */
static int enter_root(struct bp_error *err)
{
    if (chroot(STAGING) < 0 || chdir("/") < 0)
        return bp_fail_errno(err, "entering the new root");
    return 0;
}

/* What comes on top of the ready root is this child's: it needs a copy, of few mounts. */
static int enter_ready(int root_fd, struct bp_error *err)
{
    if (setns(root_fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
        return bp_fail_errno(err, "entering the root made beforehand");
    close(root_fd);
    return 0;
}

int bp_mounts_make(const struct bp_policy *policy, int root_fd, uint64_t flags, uint64_t size_bytes,
                   uid_t uid, gid_t gid, struct bp_mounts *mounts, struct bp_error *err)
{
    *mounts = (struct bp_mounts){0};
    bool ready = root_fd >= 0;
    if (bp_weakened(BP_DEFENCE_root))
        return make_private(err) < 0 || make_read_only("/", err) < 0
                   ? -1
                   : add_private(BP_PRIVATE_DIRECTORY, size_bytes ? size_bytes : 4096, uid, gid,
                                 err);
    if (ready ? enter_ready(root_fd, err) < 0 : bp_mounts_build(policy, err) < 0)
        return -1;
    if (add_proc(ready ? "/proc" : STAGING "/proc", flags, &mounts->fresh_proc, err) < 0)
        return -1;
    /* Else an empty directory of the root, which nobody can write to, does as well. */
    const char *private = ready ? BP_PRIVATE_DIRECTORY : STAGING BP_PRIVATE_DIRECTORY;
    if (size_bytes && add_private(private, size_bytes, uid, gid, err) < 0)
        return -1;
    if (!ready && enter_root(err) < 0)
        return -1;
    mounts->own_root = true;
    return 0;
}
