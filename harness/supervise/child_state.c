/* What others ask of a child beside its answers. */
#include "harness/supervise/child_parts.h"

#include "base/clock.h"

const char *bp_child_log(const struct bp_child *child)
{
    return bp_buffer_text(&child->log);
}

size_t bp_child_log_bytes(const struct bp_child *child)
{
    return child->log.size;
}

const void *bp_child_frames(const struct bp_child *child, size_t *bytes)
{
    *bytes = child->conversation.frames.size;
    return child->conversation.frames.data;
}

uint32_t bp_child_fault_scope(const struct bp_child *child)
{
    return child->fault_scope;
}

bool bp_child_candidate_ran(const struct bp_child *child)
{
    return child->candidate_ran;
}

bool bp_child_is_ending(const struct bp_child *child)
{
    return child->dying || child->reaper.waited || child->ended;
}

double bp_child_busy_ms(const struct bp_child *child)
{
    return bp_ns_to_ms(child->conversation.busy_ns);
}

uint64_t bp_child_requested_ns(const struct bp_child *child)
{
    return child->conversation.requested_ns;
}
