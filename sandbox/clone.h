/* clone.h: children in namespaces: with fork's semantics, for which glibc has no wrapper, and to exec. */
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

/* In a child that only holds something for its parent: it goes when the parent does. */
void bp_clone_die_with(pid_t parent);

/* For a child that execs or exits: returns when it has, with its number, or -1 and errno. The child may call
 * async-signal-safe functions only and, sharing the caller's memory, write to none of it; all its signals
 * are blocked, and stay so over exec, or a handler would run in that memory. Not for two threads at once. */
pid_t bp_clone_to_exec(uint64_t namespaces, int (*child)(void *), void *argument, int *pidfd);

#endif
