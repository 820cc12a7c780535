#include "harness/evolve/host.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/supervise/bench.h"

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

int bp_host_find_clang(char *path, size_t size, struct bp_error *err)
{
    static const char *const names[] = {"clang", "clang-19", "clang-18", "clang-17",
                                        "clang-16", "clang-15", "clang-14"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, size, "/usr/bin/%s", names[i]);
        if (access(path, X_OK) == 0)
            return 0;
    }
    return bp_fail(err, BP_ERR_USAGE,
                   "no clang in /usr/bin: the CPU device needs it (apt-get install clang lld)");
}
