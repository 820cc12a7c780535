/* policy.h: what each kind of child may do, as data: system calls, files, limits. */
#ifndef BP_SANDBOX_POLICY_H
#define BP_SANDBOX_POLICY_H

#include <stdint.h>

/* A stage on a device class has its own policy. */
enum bp_policy_id {
    BP_POLICY_PREPARE,     /* trusted arithmetic: no files, no devices, no exec */
    BP_POLICY_COMPILE_CPU, /* may exec clang and the linker */
    BP_POLICY_RUN_CPU,     /* until the candidate is loaded */
    BP_POLICY_JUDGE,       /* no files, no devices, no exec */
    BP_POLICY_COUNT
};

const char *bp_policy_name(enum bp_policy_id id);

/* Limits the run's config can set; 0 means the policy's default. */
struct bp_policy_limits {
    uint64_t memory_bytes; /* RLIMIT_AS */
    uint64_t file_bytes;   /* RLIMIT_FSIZE and the size of the private tmpfs */
    uint32_t cpu_s;        /* RLIMIT_CPU, a backstop behind the supervisor's deadline */
};

#endif
