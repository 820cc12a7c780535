/* worker_fd.h: the descriptor numbers every worker starts with; launch.c makes them, the seccomp
 * filters name them, the worker's channel uses them. Standard output and error are the log pipe. */
#ifndef BP_SANDBOX_WORKER_FD_H
#define BP_SANDBOX_WORKER_FD_H

enum bp_worker_fd {
    BP_FD_REQUESTS = 3, /* pipe, read end */
    BP_FD_ANSWERS = 4,  /* pipe, write end */
    BP_FD_CONTROL = 5,  /* SOCK_SEQPACKET; descriptors in, the seccomp listener out */
    BP_FD_STATUS = 6,   /* held by the tree's init only */
    BP_FD_ROOT = 7, /* a root made beforehand (roots.h), where there is one; until it is entered */
};

#endif
