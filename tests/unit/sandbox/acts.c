#include "tests/unit/sandbox/acts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/sandbox/fake_worker.h"

extern char **environ;

ACT(nothing)
{
    return 0;
}

ACT(fork)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    RESULT(pid);
}

ACT(fork_call)
{
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(0);
    RESULT(pid);
}

ACT(clone_user)
{
    long pid = syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    RESULT(pid);
}

ACT(exec_shell)
{
    RESULT(execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL));
}

ACT(exec_memfd)
{
    char *const argv[] = {(char *)(uintptr_t) "x", NULL};
    RESULT(syscall(SYS_execveat, BP_FD_CONTROL, "", argv, environ, AT_EMPTY_PATH));
}

ACT(socket_inet)
{
    RESULT(socket(AF_INET, SOCK_STREAM, 0));
}

ACT(socket_unix)
{
    RESULT(socket(AF_UNIX, SOCK_STREAM, 0));
}

ACT(open_passwd)
{
    RESULT(open("/etc/passwd", O_RDONLY));
}

ACT(open_shell)
{
    RESULT(open("/usr/bin/dash", O_RDONLY));
}

ACT(open_device)
{
    RESULT(open("/dev/zero", O_RDONLY));
}

ACT(write_outside)
{
    RESULT(open("/bulletproof-escape", O_CREAT | O_WRONLY, 0600));
}

ACT(write_private)
{
    char bytes[4096] = {0};
    int fd = open("file.o", O_CREAT | O_RDWR, 0600);
    if (fd < 0)
        return errno;
    RESULT(write(fd, bytes, sizeof bytes));
}

ACT(list_private)
{
    struct stat status;
    if (stat(".", &status) < 0)
        return errno;
    snprintf(text, size, "%o uid %s", (unsigned)status.st_mode & 0777,
             status.st_uid == geteuid() ? "own" : "other");
    return 0;
}

ACT(fill_disk)
{
    static char chunk[1 << 20];
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            return errno;
        if (write(fd, chunk, sizeof chunk) != (ssize_t)sizeof chunk) {
            snprintf(text, size, "file %d", i);
            return errno ? errno : ENOSPC;
        }
        close(fd);
    }
    return 0;
}

ACT(big_file)
{
    int fd = open("file.o", O_CREAT | O_RDWR, 0600);
    if (fd < 0)
        return errno;
    RESULT(ftruncate(fd, 1LL << 40));
}

ACT(chmod_outside)
{
    int fd = open("/etc/ld.so.cache", O_RDONLY);
    if (fd < 0)
        return EIO;
    RESULT(fchmod(fd, 0644));
}

ACT(symlink)
{
    RESULT(symlink("/etc/passwd", "link"));
}

ACT(ptrace)
{
    RESULT(ptrace(PTRACE_ATTACH, 1, 0, 0));
}

ACT(vm_read)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x1000, 1};
    RESULT(syscall(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0));
}

ACT(kill_parent)
{
    RESULT(kill(getppid(), SIGKILL));
}

ACT(kill_all)
{
    RESULT(kill(-1, SIGKILL));
}

ACT(stop_self)
{
    RESULT(raise(SIGSTOP));
}

ACT(mount)
{
    RESULT(mount("none", "/tmp", "tmpfs", 0, NULL));
}

ACT(unshare)
{
    RESULT(syscall(SYS_unshare, CLONE_NEWUSER));
}

ACT(io_uring)
{
    char parameters[256] = {0};
    RESULT(syscall(SYS_io_uring_setup, 4, parameters));
}

ACT(bpf)
{
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    RESULT(syscall(SYS_bpf, 0, &attributes, sizeof attributes));
}

ACT(keyctl)
{
    RESULT(syscall(SYS_keyctl, 0, -3, 0));
}

ACT(userfaultfd)
{
    RESULT(syscall(SYS_userfaultfd, 0));
}

ACT(clone3)
{
    char arguments[64] = {0};
    RESULT(syscall(SYS_clone3, arguments, sizeof arguments));
}

#if defined(__x86_64__)
ACT(int80)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory"); /* 20: i386's getpid */
    return result < 0 ? (int)-result : 0;
}

ACT(x32)
{
    RESULT(syscall(0x40000000L | SYS_getpid));
}
#endif

ACT(mmap_wx)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

ACT(mmap_exec)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

ACT(mprotect_exec)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return errno;
    RESULT(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

ACT(parent_memory)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)getppid());
    RESULT(open(path, O_RDONLY));
}

ACT(parent_environment)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    RESULT(open(path, O_RDONLY));
}

ACT(oom_score)
{
    RESULT(open("/proc/self/oom_score_adj", O_WRONLY));
}

ACT(own_memory)
{
    RESULT(open("/proc/self/mem", O_RDWR));
}

ACT(raise_limit)
{
    struct rlimit limit = {1000000, 1000000};
    RESULT(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
}

ACT(second_filter)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    RESULT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

ACT(tiocsti)
{
    RESULT(ioctl(1, TIOCSTI, "x"));
}

ACT(setsid)
{
    RESULT(setsid());
}

ACT(send_elsewhere)
{
    RESULT(sendto(BP_FD_CONTROL, "x", 1, 0, NULL, 0));
}

ACT(read_elsewhere)
{
    char byte;
    RESULT(read(BP_FD_CONTROL, &byte, 1));
}

ACT(write_elsewhere)
{
    RESULT(write(BP_FD_CONTROL, "x", 1));
}

/* clang-format off: a table */
const struct act acts[] = {
    ROW(nothing),
    ROW(fork),
    ROW(fork_call),
    ROW(clone_user),
    ROW(exec_shell),
    ROW(exec_memfd),
    ROW(socket_inet),
    ROW(socket_unix),
    ROW(open_passwd),
    ROW(open_shell),
    ROW(open_device),
    ROW(write_outside),
    ROW(write_private),
    ROW(list_private),
    ROW(fill_disk),
    ROW(big_file),
    ROW(chmod_outside),
    ROW(symlink),
    ROW(ptrace),
    ROW(vm_read),
    ROW(kill_parent),
    ROW(kill_all),
    ROW(stop_self),
    ROW(mount),
    ROW(unshare),
    ROW(io_uring),
    ROW(bpf),
    ROW(keyctl),
    ROW(userfaultfd),
    ROW(clone3),
#if defined(__x86_64__)
    ROW(int80),
    ROW(x32),
#endif
    ROW(mmap_wx),
    ROW(mmap_exec),
    ROW(mprotect_exec),
    ROW(parent_memory),
    ROW(parent_environment),
    ROW(oom_score),
    ROW(own_memory),
    ROW(raise_limit),
    ROW(second_filter),
    ROW(tiocsti),
    ROW(setsid),
    ROW(send_elsewhere),
    ROW(read_elsewhere),
    ROW(write_elsewhere),
    {NULL, NULL},
};
/* clang-format on */
