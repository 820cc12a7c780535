/* child_parts.h: what a child is made of, for child.c and child_state.c alone. */
#ifndef BP_HARNESS_SUPERVISE_CHILD_PARTS_H
#define BP_HARNESS_SUPERVISE_CHILD_PARTS_H

#include "harness/supervise/child.h"
#include "harness/supervise/conversation.h"
#include "harness/supervise/reaper.h"

struct bp_child {
    struct bp_loop *loop;
    const struct bp_child_handlers *handlers; /* null once released */
    void *context;
    char stage[BP_TEXT_SHORT];
    uint32_t fault_scope; /* base/fault.h */
    struct bp_reaper reaper;
    struct bp_conversation conversation;
    int log_fd, listener_fd, stage_pidfd;
    pid_t stage_pid; /* of stage_pidfd */
    struct bp_watch requests_watch, answers_watch, control_watch, log_watch, listener_watch;
    struct bp_timer deadline;

    struct bp_buffer log;
    uint64_t started_ns;
    bool dying;  /* cause decided, SIGKILL sent unless it was dead already */
    bool ended;  /* `ended` delivered */
    bool reaped; /* nothing more will happen to it: release may free */
    bool candidate_ran;
    struct bp_child_end end;
};

#endif
