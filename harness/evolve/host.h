/* host.h: facts about the machine a run is measured on. */
#ifndef BP_HARNESS_EVOLVE_HOST_H
#define BP_HARNESS_EVOLVE_HOST_H

#include "evaluator/messages.h"

struct bp_host {
    char cpu_name[BP_TEXT_LINE]; /* "AMD EPYC …" */
    uint32_t processors;         /* this process may use */
    uint64_t cache_bytes;        /* last level */
    uint64_t memory_bytes;       /* physical */
};

void bp_host_describe(struct bp_host *host);

/* Whether everything that the CPU device's compile stage needs is installed. BP_ERR_USAGE names what
 * is missing. */
int bp_host_check_compiler(struct bp_error *err) BP_MUST_CHECK;

#endif
