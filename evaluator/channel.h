/* channel.h: the worker's half of the conversation: blocking frames in and out, and descriptors
 * over the control socket. The supervisor's half is harness/supervise/child.h. */
#ifndef BP_EVALUATOR_CHANNEL_H
#define BP_EVALUATOR_CHANNEL_H

#include "evaluator/messages.h"
#include "sandbox/policy.h"
#include "sandbox/worker_fd.h"

struct bp_channel {
    int requests, answers, control; /* owned */
    uint32_t received, sent;        /* sequence numbers */
    uint64_t nonce;                 /* of the last request */
    enum bp_policy_id policy;       /* that this process is confined by */
    struct bp_buffer in, out;
};

void bp_channel_open(struct bp_channel *channel);

/* Waits for the next request, which must be of one of the types in allowed (ended by
 * BP_MESSAGE_COUNT). Returns 1 with *type set and *message pointing at a decoded struct owned by
 * the caller (free), 0 at end of file, -1 on error. */
int bp_channel_receive(struct bp_channel *channel, const enum bp_message_type *allowed,
                       enum bp_message_type *type, void **message, struct bp_error *err)
    BP_MUST_CHECK;

/* The same where only one type of request is taken. */
int bp_channel_receive_only(struct bp_channel *channel, enum bp_message_type only, void **message,
                            struct bp_error *err) BP_MUST_CHECK;

int bp_channel_send(struct bp_channel *channel, enum bp_message_type type, const void *message,
                    struct bp_error *err) BP_MUST_CHECK;

/* Sends BP_MESSAGE_failure; ignores errors, as the child is about to end. */
void bp_channel_fail(struct bp_channel *channel, enum bp_verdict verdict, const char *fmt, ...)
    BP_PRINTF(3, 4);

/* Receives exactly count descriptors, close-on-exec, owned by the caller. */
int bp_channel_receive_fds(struct bp_channel *channel, int *fds, uint32_t count,
                           struct bp_error *err) BP_MUST_CHECK;

/* No descriptor comes or goes any more; called before a candidate's first instruction. */
void bp_channel_close_control(struct bp_channel *channel);

/* One SCM_RIGHTS message of count descriptors (1 to 16) on a control socket; both halves use it. */
int bp_fds_send(int socket, const int *fds, uint32_t count, struct bp_error *err) BP_MUST_CHECK;

#endif
