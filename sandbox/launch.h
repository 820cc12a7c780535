/* launch.h: the parent half: starts a worker in its namespaces with exactly the descriptors it
 * needs, and knows how to kill the whole tree. Blocks for no longer than clone and exec take. */
#ifndef BP_SANDBOX_LAUNCH_H
#define BP_SANDBOX_LAUNCH_H

#include <stdbool.h>
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

struct bp_launched {
    pid_t pid;  /* of the process we cloned (init of the PID namespace, where there is one) */
    int pidfd;  /* owned; readable when pid has ended */
    bool pid_namespace;
};

/* Clones and execs. The child's ends are dup'ed to the numbers of evaluator/channel.h
 * (enum bp_worker_fd), standard output and error to log_fd, everything else closed; the environment
 * is a fixed one. A failed exec is reported here (BP_ERR_SYSTEM), not as a dead child. */
int bp_launch(const struct bp_launch_options *options, struct bp_launched *launched,
              struct bp_error *err) BP_MUST_CHECK;

/* SIGKILLs everything the launch started: the PID namespace through its init, or else the process
 * group and the session's members. Does not wait. */
void bp_launch_kill(const struct bp_launched *launched);

/* Finds the installed or built worker beside this executable (or ../libexec/bulletproof/). */
int bp_launch_find_worker(char *path, size_t size, struct bp_error *err) BP_MUST_CHECK;

#endif
