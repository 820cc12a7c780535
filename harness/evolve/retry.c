#include "harness/evolve/retry.h"

#include "base/log.h"
#include "harness/evolve/guard.h"
#include "harness/evolve/waiting.h"

struct bp_attempts_policy bp_retry_policy(const struct bp_session *session)
{
    const struct bp_config *config = session->config;
    return (struct bp_attempts_policy){.attempts = config->retry.attempts,
                                       .base_ms = config->retry.base_ms,
                                       .factor = config->retry.factor,
                                       .cap_ms = config->retry.cap_ms};
}

/* Full jitter: any share of the longest pause. */
int bp_retry_back_off(struct bp_session *session, uint32_t retry, struct bp_error *err)
{
    struct bp_attempts_policy policy = bp_retry_policy(session);
    struct bp_key key;
    struct bp_random random;
    bp_key_random(&key);
    bp_random_start(&random, &key);
    double pause_ms = bp_attempts_longest_pause_ms(&policy, retry) * bp_random_unit(&random);
    bp_log(BP_LOG_INFO, "session", "retry %u after %.0f ms", retry, pause_ms);
    return bp_waiting_pause(session, pause_ms, err);
}

int bp_retry_check_device(struct bp_session *session, enum bp_stage stage, bool unreaped,
                          struct bp_outcome *outcome, struct bp_error *err)
{
    enum bp_health_event event;
    struct bp_outcome probe;
    bool suspects = bp_attempts_suspects(stage, outcome->verdict, &event);
    if (suspects)
        bp_guard_suspect(session, event, outcome->message);
    if (unreaped)
        bp_guard_suspect(session, BP_HEALTH_EVENT_unreaped,
                         "a child is not gone a second after SIGKILL");
    if (bp_guard_clear(session, &probe, err) < 0)
        return -1;
    if (suspects && probe.verdict != BP_VERDICT_PASS)
        bp_attempts_blame_device(outcome, probe.message);
    return 0;
}
