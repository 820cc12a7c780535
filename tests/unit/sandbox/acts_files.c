/* Acts on names that are not there, on a sealed object, and with all the processes one may have. */
#include "tests/unit/sandbox/acts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/sandbox/fake_worker.h"

#define PROCESSES 1500
#define CLIMB 64

/* 0 and the name of the first that could be opened; else why the last could not. */
static int open_any(const char *const *names, int flags, char *text, size_t size)
{
    int error = 0;
    for (; *names; names++) {
        int fd = open(*names, flags | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            close(fd);
            snprintf(text, size, "opened %s", *names);
            return 0;
        }
        error = errno;
    }
    return error;
}

/* Devices that lead to memory, the kernel's log, another accelerator, a disk or a terminal. */
static int act_open_devices(char *text, size_t size)
{
    static const char *const devices[] = {
        "/dev/mem",
        "/dev/kmem",
        "/dev/port",
        "/dev/kmsg",
        "/dev/kfd",
        "/dev/fuse",
        "/dev/dri/renderD128",
        "/dev/dri/renderD129",
        "/dev/kvm",
        "/dev/nvidiactl",
        "/dev/vda",
        "/dev/nvidia0",
        "/dev/net/tun",
        "/dev/ptmx",
        "/dev/tty",
        "/dev/full",
        "/dev/shm",
        "/dev/random",
        NULL,
    };
    int writing = open_any(devices, O_RDWR, text, size);
    return writing ? open_any(devices, O_RDONLY, text, size) : 0;
}

static int act_open_other_roots(char *text, size_t size)
{
    static const char *const names[] = {
        "/proc/1/root/etc/passwd",
        "/proc/self/root/etc/passwd",
        "/proc/1/cwd/etc/passwd",
        "/proc/self/root/../../etc/passwd",
        "/proc/1/root",
        "/../../../../etc/passwd",
        "../../../../../../etc/passwd",
        "/proc/self/task/1/root/etc/passwd",
        "/proc/thread-self/root/etc/passwd",
        "/proc/1/environ",
        "/proc/1/mem",
        "/proc/1/maps",
        "/proc/kcore",
        "/proc/kallsyms",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        NULL,
    };
    return open_any(names, O_RDONLY, text, size);
}

/* Every descriptor held as the place to climb from. */
static int act_open_from_descriptors(char *text, size_t size)
{
    for (int fd = 0; fd < 1024; fd++) {
        int file = openat(fd, "../../../../etc/passwd", O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            snprintf(text, size, "from descriptor %d", fd);
            return 0;
        }
    }
    return errno == EBADF || errno == ENOTDIR ? EACCES : errno;
}

/* Out of a chroot by its parent, which is the one way for who may not chroot again. */
static int act_climb(char *text, size_t size)
{
    static const char *const names[] = {"etc/passwd", "./etc/shadow", "root", NULL};
    for (int i = 0; i < CLIMB; i++)
        if (chdir("..") < 0)
            return errno;
    return open_any(names, O_RDONLY, text, size);
}

static int act_object_write(char *text, size_t size)
{
    (void)text, (void)size;
    return pwrite(fake_worker_object, "x", 1, 0) < 0 ? errno : 0;
}

static int act_object_map(char *text, size_t size)
{
    (void)text, (void)size;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fake_worker_object, 0);
    return page == MAP_FAILED ? errno : 0;
}

/* A mapping that may only be read at first must not become writable. */
static int act_object_protect(char *text, size_t size)
{
    (void)text, (void)size;
    void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fake_worker_object, 0);
    if (page == MAP_FAILED)
        return EIO;
    return mprotect(page, 4096, PROT_READ | PROT_WRITE) < 0 ? errno : 0;
}

static int act_object_shrink(char *text, size_t size)
{
    (void)text, (void)size;
    return ftruncate(fake_worker_object, 0) < 0 ? errno : 0;
}

static int act_object_seal(char *text, size_t size)
{
    (void)text, (void)size;
    return fcntl(fake_worker_object, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0 ? errno : 0;
}

/* What was written as data, mapped as code. */
static int act_run_own_file(char *text, size_t size)
{
    (void)text, (void)size;
    int fd = open("code", O_CREAT | O_RDWR | O_CLOEXEC, 0700);
    if (fd < 0 || ftruncate(fd, 4096) < 0)
        return EIO;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    return page == MAP_FAILED ? errno : 0;
}

/* Processes that stay, until there are no more to be had. */
static int act_many_processes(char *text, size_t size)
{
    for (int i = 0; i < PROCESSES; i++) {
        long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid < 0) {
            snprintf(text, size, "%s", i < 1024 ? "bounded" : "too many");
            return errno;
        }
        if (pid == 0) {
            struct timespec minute = {.tv_sec = 60};
            nanosleep(&minute, NULL);
            _exit(0);
        }
    }
    return 0;
}

/* clang-format off: a table */
const struct act file_acts[] = {
    {"open_devices", act_open_devices},
    {"open_other_roots", act_open_other_roots},
    {"open_from_descriptors", act_open_from_descriptors},
    {"climb", act_climb},
    {"object_write", act_object_write},
    {"object_map", act_object_map},
    {"object_protect", act_object_protect},
    {"object_shrink", act_object_shrink},
    {"object_seal", act_object_seal},
    {"run_own_file", act_run_own_file},
    {"many_processes", act_many_processes},
    {NULL, NULL},
};
/* clang-format on */
