#include "evaluator/profile_nvidia.h"

#include <stdlib.h>
#include <string.h>

/* The number before `what` in a line; 0 when it is not there. */
static uint32_t number_before(const char *line, size_t length, const char *what)
{
    const char *at = memmem(line, length, what, strlen(what));
    if (!at)
        return 0;
    const char *digits = at;
    while (digits > line && digits[-1] >= '0' && digits[-1] <= '9')
        digits--;
    return (uint32_t)strtoul(digits, NULL, 10);
}

/* begin: behind the first quote of "ptxas info    : Compiling entry function 'gqa_kernel0' for 'sm_90'". */
static struct bp_profile_kernel *entry_of(const char *begin, struct bp_profile *profile)
{
    char name[BP_PROFILE_NAME];
    size_t bytes = strcspn(begin, "'\n");
    if (bytes >= sizeof name)
        return NULL;
    memcpy(name, begin, bytes);
    name[bytes] = '\0';
    return bp_profile_wants(name) ? bp_profile_add(profile, name) : NULL;
}

void bp_profile_nvidia(const char *log, struct bp_profile *profile)
{
    static const char entry[] = "Compiling entry function '";
    struct bp_profile_kernel *kernel = NULL;
    profile->kernel_count = 0;
    for (const char *line = log; *line;) {
        size_t length = strcspn(line, "\n");
        const char *begin = memmem(line, length, entry, sizeof entry - 1);
        if (begin) {
            kernel = entry_of(begin + sizeof entry - 1, profile);
        } else if (kernel && memmem(line, length, "bytes stack frame", 17)) {
            kernel->scratch_bytes = number_before(line, length, " bytes stack frame");
            kernel->spills = number_before(line, length, " bytes spill stores") / 4;
        } else if (kernel && memmem(line, length, ": Used ", 7)) {
            kernel->vgpr = number_before(line, length, " registers");
            kernel->lds_bytes = number_before(line, length, " bytes smem");
        }
        line += length + (line[length] == '\n');
    }
}
