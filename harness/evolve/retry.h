/* retry.h: what a session does when an attempt at anything has failed: whether to try again (attempts.h),
 * and how long to wait before. Part of a session. */
#ifndef BP_HARNESS_EVOLVE_RETRY_H
#define BP_HARNESS_EVOLVE_RETRY_H

#include "harness/evolve/attempts.h"
#include "harness/evolve/session.h"

/* What the config says. */
struct bp_attempts_policy bp_retry_policy(const struct bp_session *session);

/* Pauses before the retry number `retry` (1 is the first). -1 only as in waiting.h. */
int bp_retry_back_off(struct bp_session *session, uint32_t retry, struct bp_error *err)
    BP_MUST_CHECK;

/* After something ran on the device: does it look as if the device had a part in how it ended? Then
 * nothing more runs on it before a probe has passed; where the first one fails, the outcome was the
 * device's. -1 only as in waiting.h. */
int bp_retry_check_device(struct bp_session *session, enum bp_stage stage, bool unreaped,
                          struct bp_outcome *outcome, struct bp_error *err) BP_MUST_CHECK;

#endif
