#include "tests/unit/sandbox/abuse.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define COMPILES (ABUSE_COMPILE | ABUSE_COMPILE_GPU)
#define GPU (ABUSE_EMULATED | ABUSE_AMD | ABUSE_NVIDIA)
#define REAL_GPU (ABUSE_AMD | ABUSE_NVIDIA)
#define NO_GPU (STAGES | ABUSE_CANDIDATE)
#define STAGES (ABUSE_PREPARE | COMPILES | ABUSE_RUN | ABUSE_JUDGE | ABUSE_PROBE)

/* clang-format off: a table. Arguments are such that a call which gets through does no harm. */
#define ESCAPE(call)                                                                               \
    {                                                                                              \
#call, #call, SYS_##call, {0 }, true, 0                                                    \
    }
#define CALL(call)                                                                                 \
    {                                                                                              \
#call, #call, SYS_##call, {0 }, false, 0                                                   \
    }
#define FORM(name, call, ...)                                                                      \
    {                                                                                              \
#name, #call, SYS_##call, {__VA_ARGS__ }, false, 0                                         \
    }
#define BUT(where, call, ...)                                                                      \
    {                                                                                              \
#call, #call, SYS_##call, {__VA_ARGS__ }, false, where                                     \
    }

#define SOME(name, where, call, ...)                                                               \
    {                                                                                              \
#name, #call, SYS_##call, {__VA_ARGS__ }, false, where                                     \
    }
#define DRIVER(name, type, number) SOME(name, NO_GPU, ioctl, 1, _IOWR(type, number, char[16]))

const struct abuse abuses[] = {
    /* other processes */
    ESCAPE(ptrace),
    ESCAPE(process_vm_readv),
    ESCAPE(process_vm_writev),
    ESCAPE(process_madvise),
    ESCAPE(pidfd_getfd),
    ESCAPE(kcmp),
    ESCAPE(perf_event_open),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(process_mrelease),
    CALL(kill),
    CALL(tkill),
    CALL(rt_sigqueueinfo),
    CALL(rt_tgsigqueueinfo),
    CALL(setpgid),
    CALL(setsid),
    CALL(getpgid),
    CALL(setpriority),
    CALL(ioprio_set),
    CALL(sched_setscheduler),
    CALL(sched_setattr),
    CALL(sched_setparam),
    BUT(GPU, sched_setaffinity, 0),
    CALL(migrate_pages),
    CALL(move_pages),
    FORM(tgkill_other, tgkill, 1, 1, SIGABRT - 1),
    FORM(prlimit_set, prlimit64, 0, RLIMIT_NOFILE, 1),
    CALL(setrlimit),
    CALL(get_robust_list),
    /* signals by way of descriptors and timers */
    FORM(fcntl_setown, fcntl, 1, F_SETOWN, 1),
    FORM(fcntl_setsig, fcntl, 1, F_SETSIG, SIGKILL),
    FORM(fcntl_setown_ex, fcntl, 1, F_SETOWN_EX, 0),
    FORM(fcntl_notify, fcntl, 1, F_NOTIFY, 0),
    FORM(fcntl_setlease, fcntl, 1, F_SETLEASE, 0),
    FORM(fcntl_pipe_size, fcntl, 1, F_SETPIPE_SZ, 4096),
    FORM(ioctl_async, ioctl, 1, FIOASYNC, 0),
    FORM(ioctl_setown, ioctl, 1, 0x8901, 0),
    FORM(ioctl_steal_input, ioctl, 1, TIOCSTI, 0),
    FORM(ioctl_paste, ioctl, 1, 0x541c, 0),
    /* drivers: what a process does to others, to their memory and to the device as a whole. kfd_ioctl.h,
     * drm.h, nv_escape.h, uvm_ioctl.h */
    DRIVER(kfd_debug_register, 'K', 0x0d),
    DRIVER(kfd_debug_unregister, 'K', 0x0e),
    DRIVER(kfd_debug_watch, 'K', 0x0f),
    DRIVER(kfd_debug_wave_control, 'K', 0x10),
    DRIVER(kfd_import_dmabuf, 'K', 0x1d),
    DRIVER(kfd_smi_events, 'K', 0x1f),
    DRIVER(kfd_checkpoint, 'K', 0x22),
    DRIVER(kfd_export_dmabuf, 'K', 0x24),
    DRIVER(kfd_debug_trap, 'K', 0x26),
    DRIVER(kfd_ipc_import, 'K', 0x80),
    DRIVER(kfd_ipc_export, 'K', 0x81),
    DRIVER(kfd_cross_memory_copy, 'K', 0x83),
    DRIVER(kfd_beyond_all, 'K', 0xff),
    DRIVER(drm_gem_flink, 'd', 0x0a),
    DRIVER(drm_gem_open, 'd', 0x0b),
    DRIVER(drm_set_master, 'd', 0x1e),
    DRIVER(drm_mode_setcrtc, 'd', 0xa2),
    DRIVER(nvidia_beyond_all, 'F', 0xff),
    SOME(ioctl_uvm_tools, NO_GPU, ioctl, 1, 56),
    CALL(setitimer),
    CALL(timer_create),
    CALL(timerfd_create),
    CALL(signalfd4),
    CALL(eventfd2),
    BUT(STAGES | REAL_GPU, rt_sigaction, 0),
    CALL(rt_sigtimedwait),
    CALL(rt_sigsuspend),
    CALL(pause),
    /* mounts and names of files */
    ESCAPE(mount),
    ESCAPE(umount2),
    ESCAPE(pivot_root),
    ESCAPE(chroot),
    ESCAPE(move_mount),
    ESCAPE(open_tree),
    ESCAPE(fsopen),
    ESCAPE(fsmount),
    ESCAPE(fsconfig),
    ESCAPE(fspick),
    ESCAPE(mount_setattr),
    ESCAPE(open_by_handle_at),
    ESCAPE(name_to_handle_at),
    ESCAPE(quotactl),
    CALL(quotactl_fd),
    CALL(fchdir),
    CALL(openat2),
    CALL(symlinkat),
    CALL(linkat),
    CALL(mknodat),
    CALL(fchownat),
    CALL(fchmodat),
    CALL(utimensat),
    CALL(lsetxattr),
    CALL(removexattr),
    CALL(setxattr),
    CALL(fsetxattr),
    CALL(truncate),
    CALL(fanotify_init),
    CALL(inotify_init1),
    CALL(lookup_dcookie),
    CALL(sync),
    CALL(syncfs),
    CALL(flock),
    /* namespaces, modules, keys, the kernel itself */
    ESCAPE(setns),
    ESCAPE(unshare),
    ESCAPE(keyctl),
    ESCAPE(add_key),
    ESCAPE(request_key),
    ESCAPE(bpf),
    ESCAPE(userfaultfd),
    ESCAPE(io_uring_setup),
    ESCAPE(io_uring_enter),
    ESCAPE(io_uring_register),
    ESCAPE(kexec_load),
    ESCAPE(kexec_file_load),
    ESCAPE(init_module),
    ESCAPE(finit_module),
    ESCAPE(delete_module),
    ESCAPE(personality),
    ESCAPE(swapon),
    ESCAPE(swapoff),
    ESCAPE(reboot),
    ESCAPE(acct),
    ESCAPE(clock_settime),
    ESCAPE(settimeofday),
    ESCAPE(adjtimex),
    CALL(syslog),
    CALL(vhangup),
    CALL(sethostname),
    CALL(setdomainname),
    CALL(io_setup),
    CALL(io_submit),
    /* the sandbox's own means */
    CALL(landlock_create_ruleset),
    CALL(landlock_add_rule),
    CALL(landlock_restrict_self),
    {"seccomp_strict", "seccomp", SYS_seccomp, {SECCOMP_SET_MODE_STRICT}, false, 0},
    BUT(ABUSE_RUN, seccomp, SECCOMP_SET_MODE_FILTER, 0, 0),
    FORM(prctl_dumpable, prctl, PR_SET_DUMPABLE, 1),
    FORM(prctl_pdeathsig, prctl, PR_SET_PDEATHSIG, 0),
    FORM(prctl_mm, prctl, PR_SET_MM, PR_SET_MM_BRK, 0),
    FORM(prctl_seccomp, prctl, PR_SET_SECCOMP, 1),
    FORM(prctl_ptracer, prctl, PR_SET_PTRACER, ~0UL),
    FORM(prctl_subreaper, prctl, PR_SET_CHILD_SUBREAPER, 1),
    FORM(prctl_keepcaps, prctl, PR_SET_KEEPCAPS, 1),
    FORM(prctl_ambient, prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE),
    FORM(prctl_securebits, prctl, PR_SET_SECUREBITS, 0),
    FORM(prctl_tsc, prctl, PR_SET_TSC, PR_TSC_ENABLE),
    FORM(prctl_dispatch, prctl, PR_SET_SYSCALL_USER_DISPATCH, 0),
    FORM(prctl_timerslack, prctl, PR_SET_TIMERSLACK, 1),
    FORM(prctl_speculation, prctl, PR_SET_SPECULATION_CTRL, 0, 2),
    CALL(setuid),
    CALL(setgid),
    CALL(setresuid),
    CALL(setresgid),
    CALL(setgroups),
    CALL(capset),
    CALL(setfsuid),
    /* programs and processes */
    CALL(execveat),
    BUT(ABUSE_COMPILE, execve, 0),
    CALL(memfd_create),
    CALL(memfd_secret),
    FORM(clone_namespace, clone, SIGCHLD | CLONE_NEWUSER | CLONE_NEWNS),
    SOME(mmap_executable_writable, GPU, mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, 0),
    SOME(mprotect_executable_writable, GPU, mprotect, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC),
    CALL(pkey_mprotect),
    CALL(pkey_alloc),
    CALL(remap_file_pages),
    CALL(mlock),
    CALL(mlock2),
    CALL(mlockall),
    BUT(GPU, set_mempolicy, 0),
    BUT(GPU, mbind, 0),
    BUT(STAGES | GPU, set_robust_list, 0),
    BUT(STAGES | GPU, rseq, 0),
    BUT(STAGES | REAL_GPU, membarrier, 0),
    CALL(set_mempolicy_home_node),
    CALL(futex_waitv),
    /* sockets, queues, shared memory */
    CALL(socket),
    CALL(socketpair),
    CALL(connect),
    CALL(bind),
    CALL(listen),
    CALL(accept4),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmmsg),
    CALL(recvmmsg),
    CALL(setsockopt),
    CALL(shutdown),
    FORM(sendmsg_elsewhere, sendmsg, 1, 0, 0),
    CALL(msgget),
    CALL(msgsnd),
    CALL(shmget),
    CALL(shmat),
    CALL(shmctl),
    CALL(semget),
    CALL(semop),
    CALL(mq_open),
    CALL(mq_notify),
    CALL(vmsplice),
    CALL(splice),
    CALL(tee),
    CALL(sendfile),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(pselect6),
#if defined(__x86_64__)
    ESCAPE(modify_ldt),
    ESCAPE(iopl),
    ESCAPE(ioperm),
    BUT(ABUSE_COMPILE, arch_prctl, 0x1001, 0),
    CALL(uselib),
    CALL(_sysctl),
    CALL(ustat),
    CALL(sysfs),
    CALL(create_module),
    CALL(get_kernel_syms),
    CALL(nfsservctl),
    CALL(symlink),
    CALL(link),
    CALL(mknod),
    CALL(chown),
    CALL(lchown),
    CALL(chmod),
    CALL(creat),
    CALL(utime),
    FORM(fork_call_number, fork, 0),
    BUT(COMPILES, alarm, 0),
    CALL(getpmsg),
    BUT(GPU, epoll_wait, 0),
    CALL(select),
    CALL(pipe),
    CALL(signalfd),
    CALL(inotify_init),
#endif
    {.name = NULL},
};
/* clang-format on */
