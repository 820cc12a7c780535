/* conversation.h: what the supervisor and one worker say to each other, frame by frame.
 *
 * One request at a time. Which answer a request allows is a table in conversation.c; any other frame,
 * a wrong sequence or nonce, or a second answer is BP_ERR_PROTOCOL: the worker's doing. Any other
 * error is ours. Nothing here blocks, waits or kills; the worker's life is child.c's. */
#ifndef BP_HARNESS_SUPERVISE_CONVERSATION_H
#define BP_HARNESS_SUPERVISE_CONVERSATION_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/random.h"
#include "evaluator/messages.h"
#include "harness/supervise/sabotage.h"

struct bp_conversation {
    int requests_fd, answers_fd, control_fd; /* owned, -1 before they are there */
    struct bp_buffer out, in;
    struct bp_buffer frames; /* requests as sent, whole ones, as many as there is room for */
    uint32_t sent, received;
    struct bp_key nonce_key;
    uint64_t nonce;                /* secret: an answer cannot be sent before its request */
    bool awaiting;                 /* an answer is owed */
    enum bp_message_type expected; /* that answer */
    uint64_t requested_ns;         /* bp_clock_ns() of the last request; 0 before the first */
    uint64_t busy_ns;              /* between requests and their answers */
};

enum bp_heard {
    BP_HEARD_MORE, /* something, and there may be more */
    BP_HEARD_ALL,  /* nothing more for now */
    BP_HEARD_END,  /* the other end is closed */
    BP_HEARD_ERROR,
};

/* Until the first request the worker owes BP_MESSAGE_ready. */
void bp_conversation_init(struct bp_conversation *conversation, size_t frames_max_bytes);
void bp_conversation_free(struct bp_conversation *conversation);

/* Sends the descriptors (borrowed, may be none) and queues the request behind them. Only while no
 * answer is owed. */
int bp_conversation_ask(struct bp_conversation *conversation, enum bp_message_type type,
                        const void *message, const int *fds, uint32_t fd_count,
                        struct bp_error *err) BP_MUST_CHECK;

/* Writes what is queued; false when the pipe is full before all is written. To a worker that is
 * ending nothing is left to write. */
bool bp_conversation_write(struct bp_conversation *conversation);

/* Reads one piece of what there is of answers; `target` is who says it. */
enum bp_heard bp_conversation_read(struct bp_conversation *conversation,
                                   const struct bp_sabotage *target, struct bp_error *err);

/* The next answer that was read whole: 1 with *message, which the caller frees; 0 when there is none. */
int bp_conversation_next(struct bp_conversation *conversation, enum bp_message_type *type,
                         void **message, struct bp_error *err) BP_MUST_CHECK;

/* With BP_HEARD_MORE a descriptor, which the caller owns, and the pid of its sender. */
enum bp_heard bp_conversation_descriptor(struct bp_conversation *conversation, int *fd, pid_t *pid,
                                         struct bp_error *err);

/* It will answer no more: the time it has been at its last request counts as work. */
void bp_conversation_end(struct bp_conversation *conversation);

#endif
