#include "sandbox/denial.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

int bp_denial_read(int listener_fd, struct bp_denial *denial, struct bp_error *err)
{
    /* The kernel copies its own idea of the struct, which may have grown, and wants zeros. */
    union {
        struct seccomp_notif request;
        char room[1024];
    } stopped;
    memset(&stopped, 0, sizeof stopped);
    if (ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &stopped) < 0) {
        if (errno == ENOENT || errno == EINTR) /* it was killed in the meantime */
            return 0;
        return bp_fail_errno(err, "reading a seccomp notification");
    }
    denial->pid = (pid_t)stopped.request.pid;
    denial->call = stopped.request.data.nr;
    denial->arch = stopped.request.data.arch;
    for (unsigned i = 0; i < 6; i++)
        denial->args[i] = stopped.request.data.args[i];
    return 1;
}

void bp_denial_describe(const struct bp_denial *denial, char *text, size_t size)
{
    BP_AUTO_FREE char *name = seccomp_syscall_resolve_num_arch(denial->arch, denial->call);
    char number[24];
    snprintf(number, sizeof number, "call %d", denial->call);
    snprintf(text, size, "%s(0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx, 0x%llx)", name ? name : number,
             (unsigned long long)denial->args[0], (unsigned long long)denial->args[1],
             (unsigned long long)denial->args[2], (unsigned long long)denial->args[3],
             (unsigned long long)denial->args[4], (unsigned long long)denial->args[5]);
}
