/* canary.h: the child half of the start-up check. A child confined like a stage looks whether every
 * layer holds, and commits acts that its filter must stop. What it finds decides whether anything is
 * evaluated at all (harness/supervise/canary.h).
 *
 * A layer that another one covers is looked at where it stands alone: files before the filter, the
 * filters by calls that no other layer forbids. */
#ifndef BP_SANDBOX_CANARY_H
#define BP_SANDBOX_CANARY_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/policy.h"

/* Name, whether a machine may be without it, what it is for. */
#define BP_LAYER_LIST(X)                                                                           \
    X(pidns, OPTIONAL, "own process numbers: sees and signals nobody outside, dies as a whole")    \
    X(mntns, OPTIONAL, "own mounts: a sized private directory")                                    \
    X(netns, OPTIONAL, "own network: not even the loopback of the machine")                        \
    X(ipcns, OPTIONAL, "own System V IPC and message queues")                                      \
    X(root, OPTIONAL, "own root: not even the names of other files")                               \
    X(readonly, OPTIONAL, "everything outside the private directory is mounted read-only")         \
    X(environment, MANDATORY, "a fixed environment: no key, no name of a library to load")         \
    X(descriptors, MANDATORY, "no inherited descriptor but those of the protocol")                 \
    X(rlimits, MANDATORY, "limits of memory, files, descriptors, processor time; no core files")   \
    X(user, OPTIONAL, "a user without rights, when the supervisor is root")                        \
    X(caps, MANDATORY, "no capabilities")                                                          \
    X(pdeathsig, MANDATORY, "dies with the supervisor")                                            \
    X(dumpable, MANDATORY, "no process of the same user can open its memory")                      \
    X(no_new_privs, MANDATORY, "no program gives it more rights")                                  \
    X(landlock, MANDATORY, "no file but those that the stage's policy lists")                      \
    X(seccomp, MANDATORY, "no system call but those that the stage's policy lists")                \
    X(candidate_filter, MANDATORY, "the last filter, before a candidate's first instruction")

enum bp_layer {
#define BP_LAYER_ENUM(name, need, meaning) BP_LAYER_##name,
    BP_LAYER_LIST(BP_LAYER_ENUM)
#undef BP_LAYER_ENUM
        BP_LAYER_COUNT
};

const char *bp_layer_name(enum bp_layer layer);
const char *bp_layer_meaning(enum bp_layer layer);
bool bp_layer_is_mandatory(enum bp_layer layer);
/* A layer's name, length bytes long, as the set of that layer alone (1 << enum bp_layer). */
bool bp_layer_word(const char *word, size_t length, uint32_t *set);

/* Calls that no layer but a filter stops. */
#define BP_CANARY_ACT_LIST(X)                                                                      \
    X(socket) X(fork_user) X(executable) X(trace) X(signal) X(session) X(old_call)
enum bp_canary_act {
#define BP_CANARY_ACT_ENUM(name) BP_CANARY_ACT_##name,
    BP_CANARY_ACT_LIST(BP_CANARY_ACT_ENUM)
#undef BP_CANARY_ACT_ENUM
        BP_CANARY_ACT_COUNT
};

const char *bp_canary_act_name(enum bp_canary_act act);

/* What the supervisor knows of itself. */
struct bp_canary_facts {
    uint64_t namespaces;                     /* CLONE_NEW* granted by this machine */
    uint64_t pid_ns, mnt_ns, net_ns, ipc_ns; /* its own, as inode numbers */
    bool root;                               /* it is the initial user 0 */
};

/* Fills in this process's facts; namespaces is the caller's to set. */
void bp_canary_look(struct bp_canary_facts *facts);

/* In a child after bp_confine_layers: the layers (1 << enum bp_layer) that do not hold though they
 * should; why: what was seen of each, in their order, separated by "; ". */
uint32_t bp_canary_check(enum bp_policy_id policy, const struct bp_canary_facts *facts, char *why,
                         size_t size);

/* In a child behind its filter: 0 when the act succeeded, else errno. A filter that holds ends the
 * process here, or gives EACCES or ENOSYS. */
int bp_canary_commit(enum bp_canary_act act);

#endif
