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
    X(candidate_filter, "the filter before a candidate's first instruction allows everything")     \
    X(listener, "a denied call kills and has no name")                                             \
    X(address_space, "no limit of memory")                                                         \
    X(deadlines, "a child may take as long as it likes")                                           \
    X(log_cap, "all that a child prints is kept")                                                  \
    X(includes, "the compiler's list of files is not looked at")                                   \
    X(diagnostics_cap, "a compiler may print any amount")                                          \
    X(constructors, "objects may have constructors, which nobody runs")                            \
    X(ifuncs, "objects may have indirect functions")                                               \
    X(imports, "objects may import any name, which leads nowhere")                                 \
    X(plan_limits, "plans may ask for anything")                                                   \
    X(frame_limit, "frames may be of any length")                                                  \
    X(prescan, "frames are unpacked unseen")                                                       \
    X(nonce, "an answer need not know its request")                                                \
    X(sequence, "frames need no order")                                                            \
    X(answer_table, "any answer will do")                                                          \
    X(one_result, "a request may be answered twice")                                               \
    X(claims, "a stage may claim any verdict")                                                     \
    X(freeze, "the candidate goes on while its outputs are looked at")                             \
    X(second_call, "every case is called once only")                                               \
    X(scrub, "arenas keep what the candidate before left there")                                   \
    X(output_poison, "outputs are not filled before a call")                                       \
    X(workspace_poison, "the workspace is not filled before a call")                               \
    X(permutation, "heads keep the order of the masters")                                          \
    X(guards, "canary bytes around tensors are not looked at")                                     \
    X(inputs_unchanged, "inputs are not looked at after the calls")                                \
    X(fresh_inputs, "every timed batch gets the same inputs")                                      \
    X(judged_row, "no row of a timed batch is judged")                                             \
    X(floor, "a call may take no time at all")                                                     \
    X(unseen, "a kernel need not be right on shapes it has never seen")                            \
    X(finite, "infinities and NaN are numbers like others")                                        \
    X(rule_max, "no bound for an element")                                                         \
    X(rule_rms, "no bound for a row")                                                              \
    X(rule_pooled, "no bound for a case")                                                          \
    X(rule_scale, "any scale of the scores")                                                       \
    X(rule_exact, "no tighter bound where the answer is a row of V")

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
