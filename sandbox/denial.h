/* denial.h: the supervisor's side of a seccomp listener: reads which call a child was stopped in. */
#ifndef BP_SANDBOX_DENIAL_H
#define BP_SANDBOX_DENIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct bp_denial {
    pid_t pid; /* in the supervisor's namespace */
    int call;  /* system call number */
    uint32_t arch;
    uint64_t args[6];
};

/* Takes one pending notification of a listener that poll says is readable: 1, or 0 when it is gone
 * already. The call is never answered: the caller kills the tree. It keeps listener_fd open until the tree
 * has ended: closing it makes the call return ENOSYS, and the child runs on for as long as the kill
 * takes. */
int bp_denial_read(int listener_fd, struct bp_denial *denial, struct bp_error *err) BP_MUST_CHECK;

/* "openat(0xffffff9c, 0x7f…, 0x0, …)": name and arguments as one line. */
void bp_denial_describe(const struct bp_denial *denial, char *text, size_t size);

#endif
