/* clone.h: clone3 with fork's semantics, for which glibc has no wrapper. */
#ifndef BP_SANDBOX_CLONE_H
#define BP_SANDBOX_CLONE_H

#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* As fork(): 0 in the child, which may call async-signal-safe functions only, -1 and errno on
 * failure. Caught signals are reset in the child. *pidfd (close-on-exec) is set where not null. */
static inline pid_t bp_clone(uint64_t namespaces, int *pidfd)
{
    struct clone_args args = {
        .flags = namespaces | CLONE_CLEAR_SIGHAND | (pidfd ? CLONE_PIDFD : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

#endif
