#include "harness/evolve/host.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/supervise/bench.h"
#include "sandbox/policy.h"

static void read_cpu_name(char *name, size_t size)
{
    char line[512];
    snprintf(name, size, "unknown CPU");
    BP_AUTO_FILE FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 2);
        return;
    }
}

void bp_host_describe(struct bp_host *host)
{
    cpu_set_t set;
    struct sysinfo info;
    read_cpu_name(host->cpu_name, sizeof host->cpu_name);
    host->processors = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    host->cache_bytes = bp_bench_cache_bytes();
    host->memory_bytes = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

/* Asks the compile stage's policy, so that what is found here is what that stage may use. */
int bp_host_check_compiler(struct bp_error *err)
{
    const char *missing = bp_policy_missing(bp_policy_get(BP_POLICY_COMPILE_CPU));
    if (!missing)
        return 0;
    return bp_fail(err, BP_ERR_USAGE,
                   "the CPU device needs %s, which cannot be used (apt-get install clang lld)",
                   missing);
}
