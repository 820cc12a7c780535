#include "base/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define VARIABLE "BULLETPROOF_FAULTS"

static const struct {
    const char *name;
    int error;
    const char *what;
} points[BP_FAULT_COUNT] = {[BP_FAULT_none] = {"none", 0, "nothing"},
#define ROW(name, error, what) [BP_FAULT_##name] = {#name, error, what},
                            BP_FAULT_LIST(ROW)
#undef ROW
};

static const char *const modes[BP_FAULT_MODE_COUNT] = {
    [BP_FAULT_ONCE] = "once", [BP_FAULT_STICKY] = "sticky", [BP_FAULT_EVERY] = "every"};

const char *bp_fault_name(enum bp_fault_point point)
{
    return points[point].name;
}

const char *bp_fault_meaning(enum bp_fault_point point)
{
    return points[point].what;
}

bool bp_fault_is_of_device(enum bp_fault_point point)
{
    return strncmp(points[point].name, "gpu_", 4) == 0;
}

const char *bp_fault_mode_name(enum bp_fault_mode mode)
{
    return modes[mode];
}

enum bp_fault_point bp_fault_find(const char *name)
{
    for (int i = 1; i < BP_FAULT_COUNT; i++)
        if (strcmp(name, points[i].name) == 0)
            return (enum bp_fault_point)i;
    return BP_FAULT_none;
}

enum bp_fault_mode bp_fault_mode_find(const char *name)
{
    int i = 0;
    while (i < BP_FAULT_MODE_COUNT && strcmp(name, modes[i]) != 0)
        i++;
    return (enum bp_fault_mode)i;
}

#ifdef BP_FAULT_INJECTION

#define HOUR_NS 3600000000000u
#define DAY_MS 86400000

struct arm {
    bool armed;
    struct bp_fault_place place;
    enum bp_fault_mode mode;
    _Atomic uint64_t seen; /* occurrences there since that phase began */
};

/* The writer's thread passes points too; arming happens before there is any, and scopes begin on the
 * supervisor's thread only. */
static struct {
    struct arm arms[BP_FAULT_COUNT];
    char scopes[BP_FAULT_SCOPES][BP_FAULT_SCOPE_TEXT];
    _Atomic uint32_t counted[BP_FAULT_COUNT][BP_FAULT_SCOPES][BP_FAULT_PHASES];
    _Atomic uint32_t phase;
    _Atomic uint64_t skipped_ns;
    _Atomic int64_t skipped_wall_ms;
} state;

static _Atomic uint64_t fired_here;
static _Atomic uint64_t *fired = &fired_here;

static _Thread_local uint32_t current_scope;

static const char *scope_name(uint32_t scope)
{
    static const char *const fixed[BP_FAULT_SCOPES] = {[BP_FAULT_SCOPE_HARNESS] = "harness",
                                                       [BP_FAULT_SCOPE_RECORD] = "record",
                                                       [BP_FAULT_SCOPES - 1] = "later"};
    return fixed[scope] ? fixed[scope] : state.scopes[scope];
}

static bool is_there(const struct arm *arm, uint32_t phase)
{
    const struct bp_fault_place *place = &arm->place;
    return phase >= place->phase &&
           (!place->scope[0] || strcmp(place->scope, scope_name(current_scope)) == 0);
}

static bool is_due(const struct arm *arm, uint64_t seen)
{
    switch (arm->mode) {
    case BP_FAULT_ONCE:
        return seen == arm->place.nth;
    case BP_FAULT_STICKY:
        return seen >= arm->place.nth;
    default:
        return seen % arm->place.nth == 0;
    }
}

bool bp_fault(enum bp_fault_point point)
{
    struct arm *arm = &state.arms[point];
    uint32_t phase = state.phase;
    state.counted[point][current_scope][phase]++;
    if (!arm->armed || !is_there(arm, phase) || !is_due(arm, ++arm->seen))
        return false;
    ++*fired;
    if (points[point].error)
        errno = points[point].error;
    return true;
}

void bp_fault_arm(enum bp_fault_point point, const struct bp_fault_place *place,
                  enum bp_fault_mode mode)
{
    struct arm *arm = &state.arms[point];
    arm->place = *place;
    arm->mode = mode;
    arm->armed = true;
}

void bp_fault_reset(void)
{
    memset(&state, 0, sizeof state);
    *fired = 0;
}

void bp_fault_count_in(_Atomic uint64_t *shared)
{
    fired = shared;
}

void bp_fault_next_phase(void)
{
    if (state.phase < BP_FAULT_PHASES - 1)
        state.phase++;
}

void bp_fault_take_census(struct bp_fault_census *census)
{
    for (uint32_t scope = 0; scope < BP_FAULT_SCOPES; scope++) {
        memcpy(census->scopes[scope], scope_name(scope), strlen(scope_name(scope)) + 1);
        for (int point = 0; point < BP_FAULT_COUNT; point++)
            for (uint32_t phase = 0; phase < BP_FAULT_PHASES; phase++)
                census->counted[point][scope][phase] = state.counted[point][scope][phase];
    }
}

uint64_t bp_fault_fired(void)
{
    return *fired;
}

uint32_t bp_fault_new_scope(const char *stage)
{
    char prefix[BP_FAULT_SCOPE_TEXT];
    uint32_t scope = BP_FAULT_SCOPE_RECORD + 1, number = 1, phase = state.phase;
    size_t length = (size_t)snprintf(prefix, sizeof prefix, "%.16s.%u.", stage, phase);
    for (; scope < BP_FAULT_SCOPES - 1 && state.scopes[scope][0]; scope++)
        number += strncmp(state.scopes[scope], prefix, length) == 0;
    if (scope < BP_FAULT_SCOPES - 1)
        snprintf(state.scopes[scope], BP_FAULT_SCOPE_TEXT, "%.20s%u", prefix, number);
    return scope;
}

uint32_t bp_fault_scope(void)
{
    return current_scope;
}

uint32_t bp_fault_enter(uint32_t scope)
{
    uint32_t before = current_scope;
    current_scope = scope;
    return before;
}

uint64_t bp_fault_skipped_ns(void)
{
    if (bp_fault(BP_FAULT_pause))
        state.skipped_ns += HOUR_NS;
    return state.skipped_ns;
}

int64_t bp_fault_skipped_wall_ms(void)
{
    if (bp_fault(BP_FAULT_wall_forward))
        state.skipped_wall_ms += DAY_MS;
    if (bp_fault(BP_FAULT_wall_back))
        state.skipped_wall_ms -= DAY_MS;
    return state.skipped_wall_ms;
}

static int arm_text(const char *text, struct bp_error *err)
{
    char name[32], mode_name[16] = "once";
    unsigned long long nth = 1;
    struct bp_fault_place place = {0};
    int parts = sscanf(text, "%31[^:]:%llu:%15[^:]:%u:%31[^:]", name, &nth, mode_name, &place.phase,
                       place.scope);
    enum bp_fault_point point = parts > 0 ? bp_fault_find(name) : BP_FAULT_none;
    enum bp_fault_mode mode = bp_fault_mode_find(mode_name);
    place.nth = nth;
    if (point == BP_FAULT_none || mode == BP_FAULT_MODE_COUNT || nth == 0 ||
        place.phase >= BP_FAULT_PHASES)
        return bp_fail(err, BP_ERR_USAGE,
                       VARIABLE ": '%s' is not POINT:N:MODE, POINT:N:MODE:PHASE or "
                                "POINT:N:MODE:PHASE:SCOPE (MODE: once, sticky, every; SCOPE: a "
                                "child such as run.3.2; 'bulletproof inject --list' names the "
                                "points)",
                       text);
    bp_fault_arm(point, &place, mode);
    return 0;
}

static int arm_all(const char *list, struct bp_error *err)
{
    char copy[1024], *rest = copy;
    if ((size_t)snprintf(copy, sizeof copy, "%s", list) >= sizeof copy)
        return bp_fail(err, BP_ERR_USAGE, VARIABLE " is too long");
    for (char *text; (text = strtok_r(rest, ",", &rest));)
        if (arm_text(text, err) < 0)
            return -1;
    return 0;
}

int bp_fault_from_environment(struct bp_error *err)
{
    const char *list = getenv(VARIABLE);
    fprintf(stderr, "bulletproof: FAULT INJECTION BUILD, not for real runs%s%s\n",
            list ? "; armed: " : "", list ? list : "");
    return list ? arm_all(list, err) : 0;
}

#else

int bp_fault_from_environment(struct bp_error *err)
{
    if (!getenv(VARIABLE))
        return 0;
    return bp_fail(err, BP_ERR_USAGE,
                   VARIABLE " is set, and this build has no fault injection "
                            "(meson configure -Dfault_injection=true)");
}

#endif
