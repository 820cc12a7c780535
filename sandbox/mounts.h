/* mounts.h: the tree of files that a child with a mount namespace of its own sees. */
#ifndef BP_SANDBOX_MOUNTS_H
#define BP_SANDBOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/policy.h"

/* The variable of the worker's fixed environment that is there when BP_FD_ROOT is. */
#define BP_ROOT_VARIABLE "BULLETPROOF_ROOT"

/* The private directory of such a child, its TMPDIR. */
#define BP_PRIVATE_DIRECTORY "/tmp"

struct bp_mounts {
    bool own_root;   /* no path leads out of what the policy lists */
    bool fresh_proc; /* a /proc of the PID namespace */
};

/* In a mount namespace of its own, from which nothing propagates any more: puts the policy's root together,
 * read-only: what the policy lists, and empty directories for /proc and BP_PRIVATE_DIRECTORY. So not even the
 * name of another file is there to be asked for, which Landlock would allow. */
int bp_mounts_build(const struct bp_policy *policy, struct bp_error *err) BP_MUST_CHECK;

/* After it: nothing but that root is left in the namespace. Takes longer than building it. */
int bp_mounts_leave_old(struct bp_error *err) BP_MUST_CHECK;

/* In a child: gives it a copy of the root in root_fd (roots.h), which is closed, or in the mount namespace
 * that it was cloned into, where root_fd is -1, one that it builds. In it are /proc and
 * BP_PRIVATE_DIRECTORY: a tmpfs of size_bytes owned by uid and gid, or an empty directory of that root when
 * size_bytes is 0. flags: the CLONE_NEW* in force. */
int bp_mounts_make(const struct bp_policy *policy, int root_fd, uint64_t flags, uint64_t size_bytes,
                   uid_t uid, gid_t gid, struct bp_mounts *mounts, struct bp_error *err)
    BP_MUST_CHECK;

#endif
