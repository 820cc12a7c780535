/* weaken.h: switches that turn one defence off each, so that tests can see what it alone holds.
 *
 * They exist only in a build configured with -Dweakening=true: there the environment variable
 * BULLETPROOF_WEAKEN of the supervisor names, comma separated, what is off, and both programs warn of
 * it. In every other build bp_weakened() is false at compile time and the variable refused. */
#ifndef BP_BASE_WEAKEN_H
#define BP_BASE_WEAKEN_H

#include <stdbool.h>

#include "base/error.h"

#define BP_WEAKEN_VARIABLE "BULLETPROOF_WEAKEN"

/* Name, and what is gone with it. */
#define BP_DEFENCE_LIST(X)                                                                         \
    X(pidns, "children see and are seen by other processes")                                       \
    X(mntns, "children share the mounts")                                                          \
    X(netns, "children share the network")                                                         \
    X(ipcns, "children share System V IPC")                                                        \
    X(root, "children see the names of all files")                                                 \
    X(readonly, "what lies outside the private directory can be written")                          \
    X(environment, "children inherit the supervisor's environment")                                \
    X(descriptors, "children inherit descriptors")                                                 \
    X(rlimits, "no resource limits")                                                               \
    X(user, "children keep the supervisor's user")                                                 \
    X(caps, "children keep capabilities")                                                          \
    X(pdeathsig, "children outlive a killed supervisor")                                           \
    X(dumpable, "children of the same user can open each other's memory")                          \
    X(no_new_privs, "a program with more rights may be executed")                                  \
    X(landlock, "no rules for files")                                                              \
    X(seccomp, "the stages' filters are not installed")                                            \
    X(candidate_filter, "the filter before a candidate's first instruction is not installed")

enum bp_defence {
#define BP_DEFENCE_ENUM(name, meaning) BP_DEFENCE_##name,
    BP_DEFENCE_LIST(BP_DEFENCE_ENUM)
#undef BP_DEFENCE_ENUM
        BP_DEFENCE_COUNT
};

#ifdef BP_WEAKENING
bool bp_weakened(enum bp_defence defence);
#else
static inline bool bp_weakened(enum bp_defence defence)
{
    (void)defence;
    return false;
}
#endif

/* Reads the variable, in the supervisor and in a worker. BP_ERR_USAGE when it names no defence, or when
 * this build has no switches. */
int bp_weaken_start(struct bp_error *err) BP_MUST_CHECK;

#endif
