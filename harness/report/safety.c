#include "harness/report/safety.h"

#include <stdio.h>
#include <string.h>

static void append_class(char line[BP_SAFETY_LINE], const char *name, uint32_t count,
                         uint32_t total)
{
    size_t used = strlen(line);
    used += (size_t)snprintf(line + used, BP_SAFETY_LINE - used, " %s %u", name, count);
    if (count > 0)
        snprintf(line + used, BP_SAFETY_LINE - used, " (%.1f %%)", 100.0 * count / total);
}

void bp_safety_line(const struct bp_safety *safety, uint32_t evaluations, char line[BP_SAFETY_LINE])
{
    const struct {
        const char *name;
        uint32_t count;
    } classes[] = {
        {"compilation", safety->compilation_errors},
        {"resource", safety->resource_errors},
        {"command", safety->command_errors},
        {"memory violations", safety->memory_violations},
    };
    if (evaluations == 0) {
        snprintf(line, BP_SAFETY_LINE, "nothing evaluated yet");
        return;
    }
    snprintf(line, BP_SAFETY_LINE, "score %.1f of 100; %u errors%s", safety->safety_score,
             safety->total_errors, safety->total_errors ? ":" : "");
    for (size_t i = 0; i < sizeof classes / sizeof *classes && safety->total_errors > 0; i++) {
        append_class(line, classes[i].name, classes[i].count, safety->total_errors);
        strcat(line, i + 1 < sizeof classes / sizeof *classes ? "," : "");
    }
    size_t used = strlen(line);
    snprintf(line + used, BP_SAFETY_LINE - used, "; %u fallbacks, %u retries", safety->fallbacks,
             safety->retries);
}
