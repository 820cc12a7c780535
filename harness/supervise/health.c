#include "harness/supervise/health.h"

#include <math.h>

static const char *const states[BP_HEALTH_STATE_COUNT] = {
#define NAME(name) [BP_HEALTH_##name] = #name,
    BP_HEALTH_STATE_LIST(NAME)
#undef NAME
};

static const char *const events[BP_HEALTH_EVENT_COUNT] = {
#define NAME(name) [BP_HEALTH_EVENT_##name] = #name,
    BP_HEALTH_EVENT_LIST(NAME)
#undef NAME
};

/* One more than the state an event leads to; 0 where it makes no sense. */
#define TO(state) (BP_HEALTH_##state + 1)
#define ON(event) [BP_HEALTH_EVENT_##event]
static const uint8_t next[BP_HEALTH_STATE_COUNT][BP_HEALTH_EVENT_COUNT] = {
    [BP_HEALTH_healthy] = {ON(fault) = TO(suspect), ON(hang) = TO(suspect),
                           ON(unreaped) = TO(suspect)},
    /* Two children of one match may fail together. */
    [BP_HEALTH_suspect] = {ON(fault) = TO(suspect), ON(hang) = TO(suspect),
                           ON(unreaped) = TO(suspect), ON(probe_started) = TO(probing)},
    [BP_HEALTH_probing] = {ON(probe_passed) = TO(healthy), ON(probe_failed) = TO(quarantined)},
    [BP_HEALTH_quarantined] = {ON(pause_over) = TO(suspect)},
};

const char *bp_health_state_name(enum bp_health_state state)
{
    return states[state];
}

const char *bp_health_event_name(enum bp_health_event event)
{
    return events[event];
}

bool bp_health_step(struct bp_health *health, enum bp_health_event event)
{
    uint8_t to = next[health->state][event];
    if (to == 0)
        return false;
    health->state = (enum bp_health_state)(to - 1);
    if (event == BP_HEALTH_EVENT_probe_passed)
        health->failures = 0;
    else if (event == BP_HEALTH_EVENT_probe_failed && health->failures < UINT32_MAX)
        health->failures++;
    return true;
}

double bp_health_pause_ms(const struct bp_health *health, const struct bp_health_pauses *pauses)
{
    double steps = health->failures > 0 ? health->failures - 1.0 : 0;
    return fmin(pauses->cap_ms, pauses->base_ms * pow(pauses->factor, steps));
}
