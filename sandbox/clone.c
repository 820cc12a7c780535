#include "sandbox/clone.h"

#include <sched.h>
#include <sys/prctl.h>

#define STACK_BYTES (64 * 1024)

/* A parent that died before the call sends nothing. */
void bp_clone_die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

/* Memory is shared until exec where it can be: copying page tables, and then each page that either
 * writes, takes longer than making the namespaces. Not with a user namespace, whose child becomes dumpable
 * for a moment, which is an attribute of memory. Nor under AddressSanitizer: what the frames of a function
 * that never returns have marked would stay so in the supervisor. */
static uint64_t sharing(uint64_t namespaces)
{
#ifdef __SANITIZE_ADDRESS__
    (void)namespaces;
    return 0;
#else
    return namespaces & CLONE_NEWUSER ? 0 : CLONE_VM;
#endif
}

pid_t bp_clone_to_exec(uint64_t namespaces, int (*child)(void *), void *argument, int *pidfd)
{
    static _Alignas(16) char stack[STACK_BYTES]; /* the caller sleeps while it is in use */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone(child, stack + sizeof stack,
                      (int)(namespaces | sharing(namespaces) | CLONE_VFORK | CLONE_PIDFD | SIGCHLD),
                      argument, pidfd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}
