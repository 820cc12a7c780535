/* What others ask of a child beside its answers, and its pauses. */
#include "harness/supervise/child_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/weaken.h"

static int signal_stage(struct bp_child *child, int number, struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_freeze))
        return 0;
    if (child->stage_pidfd < 0)
        return bp_fail(err, BP_ERR_STATE, "%s child's pid is not known yet", child->stage);
    if (syscall(SYS_pidfd_send_signal, child->stage_pidfd, number, NULL, 0) < 0 && errno != ESRCH)
        return bp_fail_errno(err, "cannot signal the %s child", child->stage);
    return 0;
}

int bp_child_freeze(struct bp_child *child, struct bp_error *err)
{
    return signal_stage(child, SIGSTOP, err);
}

int bp_child_thaw(struct bp_child *child, struct bp_error *err)
{
    return signal_stage(child, SIGCONT, err);
}

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
