/* targets.h: one candidate compiled for several GPU architectures, none of which need be there. */
#ifndef BP_HARNESS_EVOLVE_TARGETS_H
#define BP_HARNESS_EVOLVE_TARGETS_H

#include "evaluator/gpu_arch.h"
#include "harness/config/config.h"
#include "harness/store/evaluation.h"
#include "harness/supervise/compile_job.h"

#define BP_MAX_TARGETS 32

struct bp_target_compile {
    const struct bp_gpu_arch *arch;
    struct bp_compile_job job;
};

struct bp_targets {
    uint32_t count;
    struct bp_target_compile list[BP_MAX_TARGETS];
};

/* "gfx1030,sm_90": architectures of gpu_arch.h that the kernel declares a target for, none twice.
 * BP_ERR_USAGE names what is wrong and what is valid. *targets is large: allocate it. */
int bp_targets_parse(const char *text, const struct bp_kernel_head *head,
                     struct bp_targets *targets, struct bp_error *err) BP_MUST_CHECK;

/* Compiles the candidate (its source and knobs) for each, as many at once as there are processors, and
 * runs a loop of its own until all are done: each job's outcome says what came of it. Limits and the
 * check of the sandbox are the config's. -1 only when that check fails, when children cannot be started
 * or when a signal asks to stop. */
int bp_targets_compile(const struct bp_config *config, const struct bp_evaluation *candidate,
                       struct bp_targets *targets, struct bp_error *err) BP_MUST_CHECK;
void bp_targets_free(struct bp_targets *targets);

#endif
