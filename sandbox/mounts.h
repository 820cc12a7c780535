/* mounts.h: the tree of files that a child with a mount namespace of its own sees. */
#ifndef BP_SANDBOX_MOUNTS_H
#define BP_SANDBOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/policy.h"

/* The private directory of such a child, its TMPDIR. */
#define BP_PRIVATE_DIRECTORY "/tmp"

struct bp_mounts {
    bool own_root;   /* no path leads out of what the policy lists */
    bool fresh_proc; /* a /proc of the PID namespace */
};

/* Nothing propagates any more. The process gets a root of its own, read-only, in which there is what the
 * policy lists, /proc, and BP_PRIVATE_DIRECTORY: a tmpfs of size_bytes owned by uid and gid, or an empty
 * directory of that root when size_bytes is 0. So not even the name of another file is there to be asked for, which
 * Landlock would allow. flags: the CLONE_NEW* in force. */
int bp_mounts_make(const struct bp_policy *policy, uint64_t flags, uint64_t size_bytes, uid_t uid,
                   gid_t gid, struct bp_mounts *mounts, struct bp_error *err) BP_MUST_CHECK;

#endif
