#include "sandbox/calls.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox/worker_fd.h"

/* The kernel reads int arguments from the lower half of the register, so only that is compared. */
#define INT 0xffffffffULL
/* clang-format off: tables, a group of calls a line */
#define ALL(call)                                                                                  \
    {                                                                                              \
#call, BP_CALL_ALLOW, 0,                                                                   \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
#define ARG(call, argument, mask, value)                                                           \
    {                                                                                              \
#call, BP_CALL_ALLOW, 1,                                                                   \
        {                                                                                          \
            {                                                                                      \
                argument, mask, value                                                              \
            }                                                                                      \
        }                                                                                          \
    }
#define KILL(call)                                                                                 \
    {                                                                                              \
#call, BP_CALL_KILL, 0,                                                                    \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

#define SET(name)                                                                                  \
    static const struct bp_call_set name = {name##_rules,                                          \
                                            sizeof name##_rules / sizeof name##_rules[0]}

/* What threads, malloc and libm need for ever; also all that the process running a candidate keeps,
 * with the three descriptors it talks through. */
static const struct bp_call_rule basic_rules[] = {
    ALL(brk),
    ALL(munmap),
    ALL(mremap),
    ALL(madvise),
    ARG(mmap, 2, PROT_EXEC, 0),
    ARG(mprotect, 2, PROT_EXEC, 0),
    ALL(futex),
    ALL(sched_yield),
    ALL(sched_getaffinity),
    ALL(getrandom),
    ALL(clock_gettime),
    ALL(clock_getres),
    ALL(gettimeofday),
    ALL(time),
    ALL(getpid),
    ALL(gettid),
    ALL(rt_sigreturn),
    ALL(rt_sigprocmask),
    ALL(sigaltstack),
    ALL(restart_syscall),
    ALL(close),
    ALL(exit),
    ALL(exit_group),
    /* abort(), so that glibc's own checks end in SIGABRT rather than look like a forbidden call */
    {"tgkill", BP_CALL_ALLOW, 2, {{0, INT, BP_FILTER_SELF}, {2, INT, SIGABRT}}},
};
SET(basic);

static const struct bp_call_rule frames_rules[] = {
    ARG(read, 0, INT, BP_FD_REQUESTS),
    ARG(write, 0, INT, BP_FD_ANSWERS),
    ARG(write, 0, INT, 1),
    ARG(write, 0, INT, 2),
    ARG(writev, 0, INT, 1),
    ARG(writev, 0, INT, 2),
    /* the listener's way out; the descriptor is closed before the candidate runs */
    ARG(sendmsg, 0, INT, BP_FD_CONTROL),
};
SET(frames);

/* Work on descriptors already held. */
static const struct bp_call_rule descriptors_rules[] = {
    ALL(read),
    ALL(readv),
    ALL(pread64),
    ALL(write),
    ALL(writev),
    ALL(pwrite64),
    ALL(lseek),
    ALL(poll),
    ALL(ppoll),
    ALL(recvmsg),
    ALL(ftruncate),
    ALL(fallocate),
    ALL(fstat),
    ARG(newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH), /* fstat() of glibc 2.33 and later */
    ARG(sendmsg, 0, INT, BP_FD_CONTROL),
    /* No F_SETOWN and F_SETSIG, which send signals. */
    ARG(fcntl, 1, INT, F_GETFD),
    ARG(fcntl, 1, INT, F_SETFD),
    ARG(fcntl, 1, INT, F_GETFL),
    ARG(fcntl, 1, INT, F_SETFL),
    ARG(fcntl, 1, INT, F_ADD_SEALS),
    ARG(fcntl, 1, INT, F_GET_SEALS),
    ARG(fcntl, 1, INT, F_DUPFD_CLOEXEC),
    /* isatty(), which from glibc 2.42 on asks in the second way */
    ARG(ioctl, 1, INT, TCGETS),
    ARG(ioctl, 1, INT, TCGETS2),
};
SET(descriptors);

static const struct bp_call_rule process_rules[] = {
    ALL(rt_sigaction),
    ALL(getppid),
    ALL(getuid),
    ALL(geteuid),
    ALL(getgid),
    ALL(getegid),
    ALL(uname),
    ALL(sysinfo),
    ALL(getrusage),
    ALL(times),
    ALL(nanosleep),
    ALL(clock_nanosleep),
    ALL(getcpu),
    ALL(set_robust_list),
    ALL(set_tid_address),
    ALL(rseq),
    ALL(membarrier),
    ARG(prlimit64, 2, ~0ULL, 0), /* reading only */
    ARG(prctl, 0, INT, PR_SET_NAME),
    ARG(prctl, 0, INT, PR_SET_VMA),
};
SET(process);

/* clone3's flags are in memory, out of a filter's sight; libc falls back to clone. */
static const struct bp_call_rule fallbacks_rules[] = {
    {"clone3", BP_CALL_ABSENT, 0, {{0}}},
};
SET(fallbacks);

#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
static const struct bp_call_rule threads_rules[] = {
    ARG(clone, 0, THREAD_FLAGS | NAMESPACE_FLAGS | CLONE_VFORK, THREAD_FLAGS),
    ALL(sched_getparam),
    ALL(sched_getscheduler),
};
SET(threads);

/* Stages without files: libc asks for /sys/devices/system/cpu and the like, libdw for the name of the
 * file that it was not given; they can do without. */
static const struct bp_call_rule no_files_rules[] = {
    {"openat", BP_CALL_DENY, 0, {{0}}},
    {"open", BP_CALL_DENY, 0, {{0}}},
    {"readlink", BP_CALL_DENY, 0, {{0}}},
};
SET(no_files);

/* Code is mapped or protected executable, never writable at the same time. */
static const struct bp_call_rule executable_rules[] = {
    ARG(mmap, 2, PROT_WRITE, 0),
    ARG(mprotect, 2, PROT_WRITE, 0),
};
SET(executable);

/* Loading the candidate's object: files are Landlock's business. Then the second filter. */
static const struct bp_call_rule loading_rules[] = {
    ALL(openat),
    ALL(open),
    ALL(access),
    ALL(readlink),
    ALL(newfstatat),
    ALL(statx),
    ALL(stat),
    {"seccomp", BP_CALL_ALLOW, 1, {{0, INT, SECCOMP_SET_MODE_FILTER}}},
    ARG(prctl, 0, INT, PR_GET_DUMPABLE),
};
SET(loading);

/* The union of strace over clang, lld, hipRTC and NVRTC (files by Landlock). */
static const struct bp_call_rule files_rules[] = {
    ALL(openat),
    ALL(open),
    ALL(access),
    ALL(faccessat),
    ALL(faccessat2),
    ALL(readlink),
    ALL(readlinkat),
    ALL(newfstatat),
    ALL(stat),
    ALL(lstat),
    ALL(statx),
    ALL(statfs),
    ALL(fstatfs),
    ALL(getcwd),
    ALL(getdents64),
    ALL(mkdir),
    ALL(rmdir),
    ALL(unlink),
    ALL(unlinkat),
    ALL(rename),
    ALL(renameat),
    ALL(renameat2),
    ALL(fchmod),
    ALL(umask),
    ALL(chdir),
    ALL(copy_file_range),
    ALL(fadvise64),
    ALL(fsync),
    ALL(alarm), /* LLVM's, against a hang while it prints how it crashed */
    ARG(fcntl, 1, INT, F_DUPFD),
    ARG(fcntl, 1, INT, F_SETLKW),
    ARG(fcntl, 1, INT, F_SETLK),
};
SET(files);

/* NVRTC sets the limit of its own stack, up to the hard limit; it dies if it may not ask. */
static const struct bp_call_rule own_stack_rules[] = {
    {"prlimit64", BP_CALL_ALLOW, 2, {{0, INT, 0}, {1, INT, RLIMIT_STACK}}},
};
SET(own_stack);

/* Starting tools: processes without namespaces. Of signals only abort()'s, which may come from a
 * grandchild whose number is not known here. */
static const struct bp_call_rule tools_rules[] = {
    ARG(clone, 0, NAMESPACE_FLAGS, 0),
    ALL(vfork),
    ALL(execve),
    ALL(wait4),
    ALL(waitid),
    ALL(pipe2),
    ALL(dup),
    ALL(dup2),
    ALL(dup3),
    ARG(tgkill, 2, INT, SIGABRT),
    ALL(arch_prctl),
    ARG(mmap, 2, PROT_WRITE, 0), /* libraries; W^X still holds */
};
SET(tools);

/* The ways out of a sandbox: death at once, whatever the listener does. */
static const struct bp_call_rule escapes_rules[] = {
    KILL(ptrace),
    KILL(process_vm_readv),
    KILL(process_vm_writev),
    KILL(process_madvise),
    KILL(pidfd_getfd),
    KILL(kcmp),
    KILL(bpf),
    KILL(perf_event_open),
    KILL(userfaultfd),
    KILL(io_uring_setup),
    KILL(io_uring_enter),
    KILL(io_uring_register),
    KILL(mount),
    KILL(umount2),
    KILL(pivot_root),
    KILL(chroot),
    KILL(move_mount),
    KILL(open_tree),
    KILL(fsopen),
    KILL(fsmount),
    KILL(fsconfig),
    KILL(fspick),
    KILL(mount_setattr),
    KILL(setns),
    KILL(unshare),
    KILL(keyctl),
    KILL(add_key),
    KILL(request_key),
    KILL(kexec_load),
    KILL(kexec_file_load),
    KILL(init_module),
    KILL(finit_module),
    KILL(delete_module),
    KILL(open_by_handle_at),
    KILL(name_to_handle_at),
    KILL(personality),
    KILL(modify_ldt),
    KILL(iopl),
    KILL(ioperm),
    KILL(swapon),
    KILL(swapoff),
    KILL(reboot),
    KILL(acct),
    KILL(quotactl),
    KILL(clock_settime),
    KILL(settimeofday),
    KILL(adjtimex),
};
SET(escapes);

static const struct bp_call_rule init_rules[] = {
    ALL(wait4),
    ALL(rt_sigreturn),
    ALL(restart_syscall),
    ALL(exit),
    ALL(exit_group),
    ALL(close),
    ARG(write, 0, INT, BP_FD_STATUS),
    {"kill", BP_CALL_ALLOW, 2, {{0, INT, 0}, {1, INT, SIGKILL}}}, /* its own group */
};
SET(init);

const struct bp_filter_calls bp_filter_calls[BP_FILTER_COUNT] = {
    [BP_POLICY_PREPARE] = {BP_CALL_NOTIFY,
                           {&basic, &descriptors, &process, &threads, &no_files, &fallbacks,
                            &escapes}},
    [BP_POLICY_COMPILE_CPU] = {BP_CALL_NOTIFY,
                               {&basic, &descriptors, &process, &tools, &files, &fallbacks,
                                &escapes}},
    [BP_POLICY_COMPILE_GPU] = {BP_CALL_NOTIFY,
                               {&basic, &descriptors, &process, &threads, &own_stack, &files,
                                &fallbacks, &escapes}},
    /* ENOSYS rather than death as the default, also clone3's, by an action that gives way to the
     * candidate filter's notification: else a candidate's forbidden call would be nameless. */
    [BP_POLICY_RUN_CPU] = {BP_CALL_TRACE,
                           {&basic, &descriptors, &process, &threads, &executable, &loading,
                            &escapes}},
    [BP_POLICY_JUDGE] = {BP_CALL_NOTIFY,
                         {&basic, &descriptors, &process, &threads, &no_files, &fallbacks,
                          &escapes}},
    [BP_POLICY_PROBE_CPU] = {BP_CALL_NOTIFY,
                             {&basic, &descriptors, &process, &threads, &executable, &no_files,
                              &fallbacks, &escapes}},
    [BP_FILTER_CANDIDATE] = {BP_CALL_NOTIFY, {&basic, &frames, &escapes}},
    [BP_FILTER_INIT] = {BP_CALL_KILL, {&init}},
};
/* clang-format on */
