#include "harness/supervise/memory_kills.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"

uint64_t bp_memory_kills(void)
{
    char line[128];
    uint64_t kills = 0;
    BP_AUTO_FILE FILE *file = fopen("/proc/vmstat", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "oom_kill %" SCNu64, &kills) == 1)
            break;
    return kills;
}

bool bp_memory_kills_grew(uint64_t *known)
{
    uint64_t before = *known;
    *known = bp_memory_kills();
    return *known > before;
}
