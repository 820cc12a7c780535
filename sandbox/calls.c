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

/* Where a library maps memory writable and executable at once: AMD's wants executable stacks, and its
 * runtime maps what kernels may execute for the processor as well. */
static const struct bp_call_rule writable_code_rules[] = {
    ALL(mmap),
    ALL(mprotect),
};
SET(writable_code);

/* How a GPU's library starts up; files by Landlock. */
static const struct bp_call_rule startup_rules[] = {
    ALL(lstat),         ALL(faccessat), ALL(faccessat2),   ALL(readlinkat),
    ALL(statfs),        ALL(fstatfs),   ALL(getcwd),       ALL(getdents64),
    ALL(mkdir),         ALL(rmdir),     ALL(unlink),       ALL(unlinkat),
    ALL(rename),        ALL(umask),     ALL(memfd_create), ALL(eventfd2),
    ALL(epoll_create1), ALL(epoll_ctl), ALL(pipe2),        ALL(dup),
    ALL(mlock),         ALL(munlock),   ALL(fadvise64),    ARG(fcntl, 1, INT, F_DUPFD),
};
SET(startup);

/* Of the threads of such a library, for ever. */
static const struct bp_call_rule runtime_rules[] = {
    ALL(nanosleep),
    ALL(clock_nanosleep),
    ALL(getcpu),
    ALL(sched_setaffinity),
    ALL(mbind),
    ALL(set_mempolicy),
    ALL(get_mempolicy),
    ALL(mincore),
    ALL(getrusage),
    ALL(sysinfo),
    ALL(set_robust_list),
    ALL(rseq),
    ALL(epoll_wait),
    ARG(prctl, 0, INT, PR_SET_NAME),
    ARG(prlimit64, 2, ~0ULL, 0), /* reading only: whether giving up will leave a core file */
};
SET(runtime);

/* An ioctl by its type and number; direction and size of the argument, in the upper half, may differ
 * from one version of a driver to the next. */
#define IOCTL(type, number) ARG(ioctl, 1, 0xffff, ((type) << 8) | (number))

/* linux/kfd_ioctl.h. Missing on purpose: 0x0d to 0x10, 0x24 and 0x26 (debuggers), 0x1d, 0x1f, 0x80 and
 * 0x81 (memory of other processes), 0x22 (checkpoints), 0x83 (copies between processes). */
static const struct bp_call_rule kfd_rules[] = {
    IOCTL('K', 0x01),
    IOCTL('K', 0x02),
    IOCTL('K', 0x03),
    IOCTL('K', 0x04),
    IOCTL('K', 0x05),
    IOCTL('K', 0x06),
    IOCTL('K', 0x07),
    IOCTL('K', 0x08),
    IOCTL('K', 0x09),
    IOCTL('K', 0x0a),
    IOCTL('K', 0x0b),
    IOCTL('K', 0x0c),
    IOCTL('K', 0x11),
    IOCTL('K', 0x14),
    IOCTL('K', 0x15),
    IOCTL('K', 0x16),
    IOCTL('K', 0x17),
    IOCTL('K', 0x18),
    IOCTL('K', 0x19),
    IOCTL('K', 0x20),
    IOCTL('K', 0x21),
    IOCTL('K', 0x23),
    IOCTL('K', 0x25),
    /* drm.h and amdgpu_drm.h, on a render node: version, close, handles of memory both ways, what
     * the device is, addresses */
    IOCTL('d', 0x00),
    IOCTL('d', 0x09),
    IOCTL('d', 0x2d),
    IOCTL('d', 0x2e),
    IOCTL('d', 0x45),
    IOCTL('d', 0x46),
    IOCTL('d', 0x48),
};
SET(kfd);

/* UVM's commands are bare numbers. */
#define UVM(number) ARG(ioctl, 1, INT, number)

/* The numbers that gVisor's nvproxy lists for compute, of nv_escape.h, nv-ioctl-numbers.h and
 * uvm_ioctl.h in NVIDIA's open kernel modules. */
static const struct bp_call_rule nvidia_rules[] = {
    IOCTL('F', 0x27), IOCTL('F', 0x29), IOCTL('F', 0x2a), IOCTL('F', 0x2b), IOCTL('F', 0x34),
    IOCTL('F', 0x35), IOCTL('F', 0x41), IOCTL('F', 0x4a), IOCTL('F', 0x4e), IOCTL('F', 0x4f),
    IOCTL('F', 0x54), IOCTL('F', 0x57), IOCTL('F', 0x58), IOCTL('F', 0x5e), IOCTL('F', 200),
    IOCTL('F', 201),  IOCTL('F', 206),  IOCTL('F', 207),  IOCTL('F', 209),  IOCTL('F', 210),
    IOCTL('F', 212),  IOCTL('F', 214),  IOCTL('F', 215),  IOCTL('F', 218),  UVM(0x30000001),
    UVM(0x30000002),  UVM(23),          UVM(24),          UVM(25),          UVM(26),
    UVM(27),          UVM(28),          UVM(31),          UVM(33),          UVM(34),
    UVM(37),          UVM(38),          UVM(39),          UVM(42),          UVM(43),
    UVM(44),          UVM(45),          UVM(46),          UVM(47),          UVM(51),
    UVM(53),          UVM(65),          UVM(66),          UVM(68),          UVM(70),
    UVM(71),          UVM(72),          UVM(73),          UVM(74),          UVM(75),
};
SET(nvidia);

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
    [BP_POLICY_RUN_EMULATED] = {BP_CALL_TRACE,
                                {&basic, &descriptors, &process, &threads, &writable_code, &loading,
                                 &startup, &runtime, &escapes}},
    [BP_POLICY_RUN_AMD] = {BP_CALL_TRACE,
                           {&basic, &descriptors, &process, &threads, &writable_code, &loading,
                            &startup, &runtime, &kfd, &escapes}},
    [BP_POLICY_RUN_NVIDIA] = {BP_CALL_TRACE,
                              {&basic, &descriptors, &process, &threads, &writable_code, &loading,
                               &startup, &runtime, &nvidia, &escapes}},
    [BP_FILTER_CANDIDATE_CPU] = {BP_CALL_NOTIFY, {&basic, &frames, &escapes}},
    /* A kernel that prints makes the library start a thread, whose stack is to be executable. */
    [BP_FILTER_CANDIDATE_EMULATED] = {BP_CALL_NOTIFY,
                                      {&basic, &frames, &runtime, &threads, &writable_code,
                                       &fallbacks, &escapes}},
    /* No file is opened any more; threads and memory come when the driver wants them. */
    [BP_FILTER_CANDIDATE_AMD] = {BP_CALL_NOTIFY,
                                 {&basic, &descriptors, &process, &threads, &writable_code,
                                  &runtime, &no_files, &fallbacks, &kfd, &escapes}},
    [BP_FILTER_CANDIDATE_NVIDIA] = {BP_CALL_NOTIFY,
                                    {&basic, &descriptors, &process, &threads, &writable_code,
                                     &runtime, &no_files, &fallbacks, &nvidia, &escapes}},
    [BP_FILTER_INIT] = {BP_CALL_KILL, {&init}},
};
/* clang-format on */
