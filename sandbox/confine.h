/* confine.h: the child half, called by the worker's main in this order; docs/sandbox.md gives the
 * reasons. Every layer fails closed: an error here ends the child before any request is read. */
#ifndef BP_SANDBOX_CONFINE_H
#define BP_SANDBOX_CONFINE_H

#include <stddef.h>
#include <sys/resource.h>

#include "base/error.h"
#include "sandbox/policy.h"

/* What the init writes to the status pipe, in one write, when the worker has ended. */
struct bp_exit_report {
    int wait_status;     /* as of wait4(2) */
    struct rusage usage; /* of the worker and the descendants it waited for */
};

/* Makes this process the tiny init of what it forks: the child returns 0 here and goes on; the
 * parent never returns. It reaps, writes a struct bp_exit_report to status_fd when the child ends,
 * and ends itself, whereupon whatever else is left dies: the PID namespace where it is process 1,
 * the process group elsewhere. It has no privileges, a filter of a handful of calls and no
 * descriptor but status_fd, and dies with the supervisor. A tree killed as a whole leaves no
 * report. */
int bp_confine_enter(int status_fd, struct bp_error *err) BP_MUST_CHECK;

/* Whether this process is to see one device node alone of those that its policy has (limits->device): in
 * a mount namespace of its own. Elsewhere it sees all of them, and the library is told which to use. */
bool bp_confine_sees_one(const struct bp_policy_limits *limits);

/* Everything but the filter: private mounts, sized tmpfs as working directory and TMPDIR, rlimits, uid
 * and capabilities, PDEATHSIG, no_new_privs, Landlock. The descriptors below BP_FD_STATUS become
 * close-on-exec and the process is not dumpable any more; it can still open its own
 * /proc/self/fd/N of a memfd. Writes the layers in force, comma separated, to layers (256 bytes are
 * enough). */
int bp_confine_layers(enum bp_policy_id policy, const struct bp_policy_limits *limits,
                      int control_fd, char *layers, size_t layers_size, struct bp_error *err)
    BP_MUST_CHECK;

/* Then the stage's seccomp filter. One with a user-notification listener sends the listener over
 * control_fd as one SCM_RIGHTS message with the byte 'S' (every policy but those of the run
 * stage, whose candidate filter has it). */
int bp_confine_filter(enum bp_policy_id policy, int control_fd, struct bp_error *err) BP_MUST_CHECK;

/* Both, as every stage but the canary wants it. */
int bp_confine_stage(enum bp_policy_id policy, const struct bp_policy_limits *limits,
                     int control_fd, char *layers, size_t layers_size, struct bp_error *err)
    BP_MUST_CHECK;

/* Run stage: the last filter before a candidate's first instruction, on every thread (TSYNC). On the
 * CPU device: read, write, memory without exec, futex, clocks, exit; on others what the device's
 * library needs beside. Everything else goes to the listener, which this sends like the stage's.
 * policy is the stage's and has such a filter. */
int bp_confine_candidate(enum bp_policy_id policy, int control_fd, struct bp_error *err)
    BP_MUST_CHECK;

#endif
