/* attempts.h: what follows after an attempt, by blame. Pure.
 *
 *   a failure of the candidate's own   stands
 *   a suspected fault of the device    is tried again once, after a probe that passed; the second one
 *                                      of the same candidate stands, and is the candidate's
 *   anything of a process that ran the kernel, when the probe after it failed
 *                                      says nothing of the candidate: it becomes INFRA
 *   a failure of ours (INFRA)          is tried again after a pause
 *
 * until the configured number of attempts is used up. */
#ifndef BP_HARNESS_EVOLVE_ATTEMPTS_H
#define BP_HARNESS_EVOLVE_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "harness/supervise/health.h"
#include "harness/supervise/outcome.h"

struct bp_attempts_policy {
    uint32_t attempts;              /* in all, at least 1 */
    double base_ms, factor, cap_ms; /* of the pauses */
};

/* The longest pause before the retry number `retry` (1 is the first): base_ms, then times factor each,
 * at most cap_ms. The pause is a uniform share of that (full jitter). */
double bp_attempts_longest_pause_ms(const struct bp_attempts_policy *policy, uint32_t retry);

enum bp_attempts_next {
    BP_ATTEMPTS_STAND,    /* the last outcome is the verdict */
    BP_ATTEMPTS_AGAIN,    /* at once: the device has just passed its probe */
    BP_ATTEMPTS_BACK_OFF, /* after a pause */
};

/* After `count` attempts (at least one) with these outcomes. */
enum bp_attempts_next bp_attempts_next(const struct bp_attempts_policy *policy,
                                       const enum bp_verdict *outcomes, uint32_t count);

/* Whether an outcome that stands is the kernel's own failure: it is no pass, and not ours. */
bool bp_attempts_is_failure(enum bp_verdict outcome);

/* Whether an outcome of stage run or time puts the device under suspicion; *event says of what. */
bool bp_attempts_suspects(enum bp_stage stage, enum bp_verdict outcome,
                          enum bp_health_event *event);

/* The probe after an outcome failed: the outcome is the device's, and its message says so. */
void bp_attempts_blame_device(struct bp_outcome *outcome, const char *probe_message);

#endif
