#include "sandbox/rlimits.h"

#include <sched.h>
#include <sys/resource.h>

#include "base/weaken.h"

/* glibc reserves 64 MiB of address space, 128 for a moment, for an arena, and 8 for a stack. */
#define THREAD_SPACE_BYTES (160ULL << 20)
/* What clang wants: with less it tries to raise the limit itself, which is a forbidden call. */
#define STACK_BYTES (8ULL << 20)

struct bp_policy_limits bp_rlimits_resolve(const struct bp_policy *policy,
                                           const struct bp_policy_limits *given)
{
    struct bp_policy_limits limits = policy->defaults;
    if (given->memory_bytes)
        limits.memory_bytes = given->memory_bytes;
    if (given->file_bytes && policy->private_files)
        limits.file_bytes = given->file_bytes;
    if (given->cpu_s)
        limits.cpu_s = given->cpu_s;
    limits.device = given->device;
    return limits;
}

/* An ordinary user cannot go above the hard limit inherited; lower is stricter, so it is kept. */
static int set(int resource, const char *name, uint64_t soft, uint64_t hard, struct bp_error *err)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return bp_fail_errno(err, "reading RLIMIT_%s", name);
    if (hard < limit.rlim_max)
        limit.rlim_max = hard;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return bp_fail_errno(err, "setting RLIMIT_%s", name);
    return 0;
}

#ifndef __SANITIZE_ADDRESS__
/* As glibc counts them for its arenas. Not sysconf(): in a root without /sys that reads /proc/stat, which
 * the kernel takes as long to write as to make half the root. */
static uint64_t processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint64_t)CPU_COUNT(&set) : 1;
}
#endif

static int set_address_space(const struct bp_policy *policy, uint64_t bytes, struct bp_error *err)
{
#ifdef __SANITIZE_ADDRESS__
    (void)policy, (void)bytes, (void)err;
    return 0; /* the shadow memory alone is 16 TiB of address space */
#else
    if (policy->threads)
        bytes += THREAD_SPACE_BYTES * processors();
    return set(RLIMIT_AS, "AS", bytes, bytes, err);
#endif
}

int bp_rlimits_set(const struct bp_policy *policy, const struct bp_policy_limits *limits,
                   bool count_processes, struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_rlimits))
        return 0;
    /* A second between SIGXCPU, which names the reason, and SIGKILL, which nothing survives. */
    if (set(RLIMIT_CPU, "CPU", limits->cpu_s, (uint64_t)limits->cpu_s + 1, err) < 0 ||
        set(RLIMIT_CORE, "CORE", 0, 0, err) < 0 ||
        set(RLIMIT_STACK, "STACK", STACK_BYTES, STACK_BYTES, err) < 0 ||
        set(RLIMIT_MEMLOCK, "MEMLOCK", 0, 0, err) < 0 ||
        set(RLIMIT_MSGQUEUE, "MSGQUEUE", 0, 0, err) < 0 ||
        set(RLIMIT_RTPRIO, "RTPRIO", 0, 0, err) < 0 || set(RLIMIT_NICE, "NICE", 0, 0, err) < 0 ||
        set(RLIMIT_NOFILE, "NOFILE", policy->descriptors, policy->descriptors, err) < 0 ||
        set(RLIMIT_FSIZE, "FSIZE", limits->file_bytes, limits->file_bytes, err) < 0)
        return -1;
    if (policy->processes && count_processes &&
        set(RLIMIT_NPROC, "NPROC", policy->processes, policy->processes, err) < 0)
        return -1;
    if (bp_weakened(BP_DEFENCE_address_space) || policy->defaults.memory_bytes == 0)
        return 0;
    return set_address_space(policy, limits->memory_bytes, err);
}
