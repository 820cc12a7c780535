/* confine.h: the child half, called by the worker's main in this order; docs/sandbox.md gives the
 * reasons. Every layer fails closed: an error here ends the child before any request is read. */
#ifndef BP_SANDBOX_CONFINE_H
#define BP_SANDBOX_CONFINE_H

#include <stddef.h>

#include "base/error.h"
#include "sandbox/policy.h"

/* Becomes the tiny init of the PID namespace when this process is its pid 1: forks, the child
 * returns 0 here and goes on; the parent never returns: it reaps, writes the child's raw wait
 * status (int) and struct rusage to status_fd, and exits. In a process that is not pid 1: returns 0
 * at once with status_fd closed. */
int bp_confine_enter(int status_fd, struct bp_error *err) BP_MUST_CHECK;

/* Private mounts, sized tmpfs as working directory and TMPDIR, rlimits, uid and capabilities,
 * PDEATHSIG, no_new_privs, Landlock, then the stage's seccomp filter. A filter with a
 * user-notification listener sends the listener over control_fd as one SCM_RIGHTS message with the
 * byte 'S'. Writes the layers in force, comma separated, to layers. */
int bp_confine_stage(enum bp_policy_id policy, const struct bp_policy_limits *limits,
                     int control_fd, char *layers, size_t layers_size, struct bp_error *err)
    BP_MUST_CHECK;

/* Run stage on the CPU device: the last filter before a candidate's first instruction, on every
 * thread (TSYNC): read, write, memory without exec, futex, clocks, exit. Everything else goes to
 * the listener, which this sends like the stage's. */
int bp_confine_candidate(int control_fd, struct bp_error *err) BP_MUST_CHECK;

#endif
