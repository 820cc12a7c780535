#include "harness/evolve/slots.h"

#include <stdio.h>

static bool is_healthy(const struct bp_slot *slot)
{
    return slot->health.state == BP_HEALTH_healthy;
}

struct bp_slot *bp_slots_current(struct bp_slots *slots)
{
    return &slots->list[slots->current];
}

bool bp_slots_any_healthy(const struct bp_slots *slots)
{
    for (uint32_t i = 0; i < slots->count; i++)
        if (is_healthy(&slots->list[i]))
            return true;
    return false;
}

bool bp_slots_next(struct bp_slots *slots, enum bp_turn turn)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        uint32_t at = (slots->turns[turn] + i) % slots->count;
        if (!is_healthy(&slots->list[at]))
            continue;
        slots->current = at;
        slots->turns[turn] = at + 1;
        return true;
    }
    return false;
}

struct bp_slot *bp_slots_next_probe(struct bp_slots *slots)
{
    struct bp_slot *first = NULL;
    for (uint32_t i = 0; i < slots->count; i++) {
        struct bp_slot *slot = &slots->list[i];
        bool waits = slot->health.state == BP_HEALTH_quarantined;
        if (waits && (!first || slot->probe_ns < first->probe_ns))
            first = slot;
    }
    return first;
}

void bp_slots_names(const struct bp_slots *slots, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < slots->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "",
                                 slots->list[i].device.name);
}

void bp_slots_entitle(struct bp_slots *slots)
{
    char names[BP_DEVICE_LIST_TEXT];
    const struct bp_slot *described = &slots->list[0];
    for (uint32_t i = slots->count; i-- > 0;)
        if (slots->list[i].described)
            described = &slots->list[i];
    bp_slots_names(slots, names, sizeof names);
    if (slots->count == 1)
        snprintf(slots->title, sizeof slots->title, "%s", described->device.title);
    else
        snprintf(slots->title, sizeof slots->title, "%u x %.200s (%.270s)", slots->count,
                 described->device.title, names);
}
