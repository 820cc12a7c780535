/* policy.h: what each kind of child may do, as data: system calls, files, limits. */
#ifndef BP_SANDBOX_POLICY_H
#define BP_SANDBOX_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* A stage on a device class has its own policy. */
enum bp_policy_id {
    BP_POLICY_PREPARE,     /* trusted arithmetic: no files, no devices, no exec */
    BP_POLICY_COMPILE_CPU, /* may exec clang and the linker */
    BP_POLICY_COMPILE_GPU, /* a compiler within the process, opened before: no exec, no file */
    BP_POLICY_RUN_CPU,     /* until the candidate is loaded */
    BP_POLICY_JUDGE,       /* no files, no devices, no exec */
    BP_POLICY_PROBE_CPU,   /* the judge's, and executable memory for the project's own kernel */
    /* Run and probe stages on other devices, whose libraries start up behind the filter: */
    BP_POLICY_RUN_EMULATED,
    BP_POLICY_RUN_AMD,
    BP_POLICY_RUN_NVIDIA,
    BP_POLICY_COUNT
};

const char *bp_policy_name(enum bp_policy_id id);

/* Limits the run's config can set; 0 means the policy's default. */
struct bp_policy_limits {
    uint64_t memory_bytes; /* RLIMIT_AS; shared mappings count. Where threads are allowed, address
                              space for their stacks and malloc arenas is added on top. A policy
                              without a default has no such limit: the libraries of GPUs reserve
                              any amount of address space */
    uint64_t file_bytes;   /* RLIMIT_FSIZE and the size of the private tmpfs; a policy without
                              files has neither and ignores it */
    uint32_t cpu_s;        /* RLIMIT_CPU, a backstop behind the supervisor's deadline */
    uint32_t device; /* one more than the number of the only device node that the child sees of
                              those it uses one of (128 in renderD128, 1 in nvidia1); 0: all of them */
};

/* The worker's command line is {"bulletproof-worker", stage, policy name, memory_bytes, file_bytes,
 * cpu_s, device}: bp_launch writes it, this reads everything behind the stage. BP_ERR_USAGE. */
#define BP_POLICY_ARGC 7
int bp_policy_limits_parse(int argc, char *const argv[], enum bp_policy_id *policy,
                           struct bp_policy_limits *limits, struct bp_error *err) BP_MUST_CHECK;

/* One row of a policy's list of files: rights for whichever of the alternatives exist. */
#define BP_POLICY_ALTERNATIVES 8
struct bp_policy_path {
    const char *any[BP_POLICY_ALTERNATIVES]; /* symbolic links are followed */
    uint64_t rights;                         /* LANDLOCK_ACCESS_FS_*, as in sandbox/landlock.h */
    bool required;                           /* none of them there: refuse to start */
    bool numbered; /* nodes of one kind, a device each: struct bp_policy_limits' device chooses */
};

struct bp_policy {
    const char *name;
    const struct bp_policy_path *files; /* file_count of them */
    unsigned file_count;
    bool private_files; /* a writable private tmpfs */
    bool threads;       /* makes threads of its own */
    bool listener;      /* the stage's filter has the notification listener */
    bool writable_code; /* the device's library maps memory writable and executable at once */
    unsigned candidate_filter; /* enum bp_filter_id of filter.h; 0: no candidate runs here */
    struct bp_policy_limits defaults;
    uint32_t descriptors; /* RLIMIT_NOFILE */
    uint32_t processes;   /* RLIMIT_NPROC; 0: seccomp forbids processes anyway */
};

const struct bp_policy *bp_policy_get(enum bp_policy_id id);

/* A policy with one device alone. */
#define BP_POLICY_FILES 16
struct bp_policy_narrowed {
    struct bp_policy policy;
    struct bp_policy_path files[BP_POLICY_FILES];
    char node[64];
};

/* The policy with no other numbered node than that of `device` (as in struct bp_policy_limits), kept in
 * room; the policy itself where that is 0. */
const struct bp_policy *bp_policy_narrow(enum bp_policy_id id, uint32_t device,
                                         struct bp_policy_narrowed *room);

/* What the policy requires and this process cannot use (its alternatives' first name, valid until the
 * policy's end; errno says why), or null. */
const char *bp_policy_missing(const struct bp_policy *policy);

/* The groups that own the policy's device nodes, which a child of root keeps: nobody alone may not open
 * most of them. Returns how many, at most BP_POLICY_GROUPS. */
#define BP_POLICY_GROUPS 4
unsigned bp_policy_device_groups(const struct bp_policy *policy, gid_t groups[BP_POLICY_GROUPS]);

#endif
