/* launch.h: the parent half: starts a worker in its namespaces with exactly the descriptors it
 * needs, and knows how to kill the whole tree. Blocks for no longer than clone and exec take. */
#ifndef BP_SANDBOX_LAUNCH_H
#define BP_SANDBOX_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "sandbox/policy.h"

struct bp_launch_options {
    const char *worker_path; /* absolute; resolved once at start */
    const char *stage;       /* the worker's argv[1]: "prepare", "compile", "run", "judge" */
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    int requests_fd, answers_fd, control_fd, log_fd, status_fd; /* the child's ends; borrowed */
};

#define BP_LAUNCH_SCRATCH 128

struct bp_launched {
    pid_t pid; /* of the process we cloned (the init of bp_confine_enter) */
    int pidfd; /* owned by the struct, closed by bp_launch_release; readable when pid has ended */
    bool pid_namespace;
    char scratch[BP_LAUNCH_SCRATCH]; /* the child's directory, in this process's TMPDIR or /tmp,
                                        where it has no tmpfs of its own; else empty */
};

/* Once, before the first launch: this process becomes the reaper of orphaned descendants and not
 * dumpable, so that no child of the same user opens its pipes and memory through /proc; and the
 * namespaces this machine grants are found out (*layers: their names, at least 64 bytes). Signals that are
 * ignored now are not in the children; what is ignored later stays so in them. */
int bp_launch_prepare_supervisor(char *layers, size_t layers_size, struct bp_error *err)
    BP_MUST_CHECK;

/* Gives back what that holds; no launch after it. May be repeated. */
void bp_launch_close_supervisor(void);

/* The namespaces found out there: CLONE_NEW* flags. */
uint64_t bp_launch_namespaces(void);

/* Clones and execs. The child's ends are dup'ed to the numbers of sandbox/worker_fd.h, standard
 * output and error to log_fd, everything else closed; standard input is /dev/null; the environment
 * is a fixed one. A failed exec is reported here (BP_ERR_SYSTEM), not as a dead child.
 * bp_launch_prepare_supervisor must have succeeded. The children die with the calling *thread*. */
int bp_launch(const struct bp_launch_options *options, struct bp_launched *launched,
              struct bp_error *err) BP_MUST_CHECK;

/* SIGKILLs everything the launch started: the PID namespace through its init, or else the process
 * group, which no child can leave (setsid and setpgid are forbidden calls). Does not wait. To be
 * called before the status of pid is taken (wait4), also when it ended by itself: until then its
 * number, which is the group's, is not given to another. */
void bp_launch_kill(const struct bp_launched *launched);

/* After bp_launch_kill, and after pid has ended and its status was taken: reaps orphans of the
 * group and removes the scratch directory. Never blocks: false when an orphan is still dying, and
 * then it is to be called again; on true the struct owns nothing any more. */
bool bp_launch_release(struct bp_launched *launched);

/* Finds the installed or built worker beside this executable (or ../libexec/bulletproof/). */
int bp_launch_find_worker(char *path, size_t size, struct bp_error *err) BP_MUST_CHECK;

#endif
