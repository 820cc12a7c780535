/* slots.h: the devices of a session, each with its health, and whose turn it is. Pure. */
#ifndef BP_HARNESS_EVOLVE_SLOTS_H
#define BP_HARNESS_EVOLVE_SLOTS_H

#include "evaluator/device_list.h"
#include "evaluator/messages.h"
#include "harness/supervise/health.h"

struct bp_session_device {
    struct bp_device_name parsed;
    char name[BP_TEXT_SHORT]; /* as the user would write it; never "auto" */
    char arch[BP_TEXT_SHORT]; /* what is compiled for; empty: the device will tell */
    char title[BP_TEXT_LINE]; /* a person's name for it */
    uint32_t node;            /* of its device node, as in struct bp_policy_limits */
};

struct bp_slot {
    struct bp_session_device device;
    bool described; /* by the device itself */
    struct bp_health health;
    char why[BP_TEXT_LINE]; /* it is not healthy */
    uint64_t probe_ns;      /* when quarantined: the next probe is not before */
};

/* What takes turns on the devices, each by itself: trials and matches follow one another so regularly that
 * in common turns one device would have all of the trials. */
enum bp_turn { BP_TURN_TRIAL, BP_TURN_MATCH, BP_TURN_UNSEEN, BP_TURN_COUNT };

/* The devices are of one kind and architecture: what is compiled for one runs on all. */
struct bp_slots {
    uint32_t count; /* at least 1 once they are chosen */
    uint32_t current;
    uint32_t turns[BP_TURN_COUNT]; /* where the search for the next one begins */
    struct bp_slot list[BP_MAX_DEVICES];
    char title[BP_TEXT_LINE]; /* of all of them */
};

/* The one that was used last. */
struct bp_slot *bp_slots_current(struct bp_slots *slots);

bool bp_slots_any_healthy(const struct bp_slots *slots);
/* The next healthy one in turn becomes the current one; false: none is. */
bool bp_slots_next(struct bp_slots *slots, enum bp_turn turn);
/* The quarantined one that may be probed first, null: none is. */
struct bp_slot *bp_slots_next_probe(struct bp_slots *slots);

/* "hip:0,hip:1" */
void bp_slots_names(const struct bp_slots *slots, char *text, size_t size);
/* Sets slots->title from what is known of them now. */
void bp_slots_entitle(struct bp_slots *slots);

#endif
