#include "harness/evolve/roll_call.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "harness/supervise/describe.h"

/* Of a run that began with another architecture's code objects none would load. */
static int take_arch(struct bp_slots *slots, struct bp_slot *slot, const char *arch,
                     struct bp_error *err)
{
    for (uint32_t i = 0; i < slots->count; i++) {
        const struct bp_slot *other = &slots->list[i];
        if (other->described && strcmp(other->device.arch, arch) != 0)
            return bp_fail(err, BP_ERR_USAGE,
                           "device %s is a %s and device %s a %s: what they measure could not be "
                           "compared; name devices of one architecture",
                           other->device.name, other->device.arch, slot->device.name, arch);
    }
    for (uint32_t i = 0; i < slots->count; i++)
        if (!slots->list[i].described)
            memcpy(slots->list[i].device.arch, arch, sizeof slots->list[i].device.arch);
    return 0;
}

int bp_roll_call_ask(struct bp_session *session, struct bp_slot *slot, struct bp_error *err)
{
    struct bp_session_device *device = &slot->device;
    struct bp_child_settings children = session->children;
    struct bp_msg_device_result facts;
    if (slot->described)
        return 0;
    children.device_node = device->node;
    if (bp_device_describe(&children, device->name, device->parsed.kind, BP_DESCRIBE_MS, &facts,
                           err) < 0 ||
        take_arch(&session->slots, slot, facts.arch, err) < 0)
        return -1;
    memcpy(device->title, facts.title, sizeof device->title);
    slot->described = true;
    bp_slots_entitle(&session->slots);
    bp_log(BP_LOG_INFO, "session", "device %s: %s, %s, %s, %llu of %llu MiB free", device->name,
           facts.title, facts.arch, facts.driver, (unsigned long long)(facts.free_bytes >> 20),
           (unsigned long long)(facts.memory_bytes >> 20));
    return 0;
}

/* The CPU device's facts are the host's. */
static bool is_known(const struct bp_slot *slot)
{
    return bp_device_kind_class(slot->device.parsed.kind) == BP_DEVICE_CLASS_CPU;
}

int bp_roll_call(struct bp_session *session, struct bp_error *err)
{
    struct bp_slots *slots = &session->slots;
    struct bp_error why[BP_MAX_DEVICES] = {0};
    uint32_t answered = 0;
    for (uint32_t i = 0; i < slots->count; i++) {
        struct bp_slot *slot = &slots->list[i];
        if (is_known(slot) || bp_roll_call_ask(session, slot, &why[i]) == 0) {
            slot->described = true;
            answered++;
        } else if (why[i].code != BP_ERR_UNAVAILABLE || (i + 1 == slots->count && answered == 0)) {
            *err = why[i];
            return -1;
        }
    }
    for (uint32_t i = 0; i < slots->count; i++)
        if (!slots->list[i].described)
            bp_guard_absent(session, &slots->list[i], why[i].msg);
    return 0;
}
