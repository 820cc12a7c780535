/* health.h: may candidates run on a device? A state machine as a table. Pure.
 *
 *              fault, hang, unreaped            probe started
 *    healthy ────────────────────────► suspect ───────────────► probing ──probe passed──► healthy
 *                                         ▲                        │
 *                                     pause over             probe failed
 *                                         └──── quarantined ◄──────┘
 *
 * Only a healthy device gets a candidate. The CPU device has nothing that could be reset: whatever ran
 * on it has died with its process, so a failed probe leads straight to quarantine, where only time and
 * the next probe can help. The pause before that probe grows with each one that failed. */
#ifndef BP_HARNESS_SUPERVISE_HEALTH_H
#define BP_HARNESS_SUPERVISE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define BP_HEALTH_STATE_LIST(X) X(healthy) X(suspect) X(probing) X(quarantined)
enum bp_health_state {
#define BP_HEALTH_STATE(name) BP_HEALTH_##name,
    BP_HEALTH_STATE_LIST(BP_HEALTH_STATE)
#undef BP_HEALTH_STATE
        BP_HEALTH_STATE_COUNT
};

#define BP_HEALTH_EVENT_LIST(X)                                                                    \
    X(fault)    /* a process that ran a kernel died of a signal, or ran out of memory */           \
    X(hang)     /* it had to be killed at its deadline */                                          \
    X(unreaped) /* it is not gone a second after SIGKILL */                                        \
    X(probe_started)                                                                               \
    X(probe_passed)                                                                                \
    X(probe_failed)                                                                                \
    X(pause_over)
enum bp_health_event {
#define BP_HEALTH_EVENT(name) BP_HEALTH_EVENT_##name,
    BP_HEALTH_EVENT_LIST(BP_HEALTH_EVENT)
#undef BP_HEALTH_EVENT
        BP_HEALTH_EVENT_COUNT
};

const char *bp_health_state_name(enum bp_health_state state); /* "healthy" … */
const char *bp_health_event_name(enum bp_health_event event);

/* Starts healthy when zeroed. */
struct bp_health {
    enum bp_health_state state;
    uint32_t failures; /* probes that failed since one passed */
};

/* Moves on. False, and nothing changes, when the event makes no sense in the state. */
bool bp_health_step(struct bp_health *health, enum bp_health_event event);

struct bp_health_pauses {
    double base_ms, factor, cap_ms;
};

/* How long a quarantined device is left alone: base_ms after the first failed probe, then times
 * factor each, at most cap_ms. */
double bp_health_pause_ms(const struct bp_health *health, const struct bp_health_pauses *pauses);

#endif
