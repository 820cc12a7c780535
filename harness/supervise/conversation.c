#include "harness/supervise/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/weaken.h"
#include "evaluator/channel.h"

#define CONTROL_ROOM (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))

/* Which answer a request allows; `failure` is always allowed beside it. */
static const enum bp_message_type answer_of[BP_MESSAGE_COUNT] = {
    [BP_MESSAGE_compile_request] = BP_MESSAGE_compile_result,
    [BP_MESSAGE_arenas_request] = BP_MESSAGE_arenas_result,
    [BP_MESSAGE_make_request] = BP_MESSAGE_make_result,
    [BP_MESSAGE_fill_request] = BP_MESSAGE_fill_result,
    [BP_MESSAGE_run_request] = BP_MESSAGE_plan_result,
    [BP_MESSAGE_cases_request] = BP_MESSAGE_cases_result,
    [BP_MESSAGE_upload_request] = BP_MESSAGE_upload_result,
    [BP_MESSAGE_batch_request] = BP_MESSAGE_batch_result,
    [BP_MESSAGE_fetch_request] = BP_MESSAGE_fetch_result,
    [BP_MESSAGE_judge_request] = BP_MESSAGE_judge_result,
    [BP_MESSAGE_sample_request] = BP_MESSAGE_sample_result,
    [BP_MESSAGE_device_request] = BP_MESSAGE_device_result,
    [BP_MESSAGE_probe_request] = BP_MESSAGE_probe_result,
    [BP_MESSAGE_gate_request] = BP_MESSAGE_gate_result,
    [BP_MESSAGE_lines_request] = BP_MESSAGE_lines_result,
    [BP_MESSAGE_canary_request] = BP_MESSAGE_canary_result,
    [BP_MESSAGE_count_request] = BP_MESSAGE_count_result,
};

void bp_conversation_init(struct bp_conversation *conversation, size_t frames_max_bytes)
{
    *conversation = (struct bp_conversation){.requests_fd = -1,
                                             .answers_fd = -1,
                                             .control_fd = -1,
                                             .awaiting = true,
                                             .expected = BP_MESSAGE_ready};
    bp_key_random(&conversation->nonce_key);
    bp_buffer_init(&conversation->out, 2 * (BP_FRAME_HEADER + BP_FRAME_MAX));
    bp_buffer_init(&conversation->in, 2 * (BP_FRAME_HEADER + BP_FRAME_MAX));
    bp_buffer_init(&conversation->frames, frames_max_bytes);
}

void bp_conversation_free(struct bp_conversation *conversation)
{
    bp_close_fd(&conversation->requests_fd);
    bp_close_fd(&conversation->answers_fd);
    bp_close_fd(&conversation->control_fd);
    bp_buffer_free(&conversation->out);
    bp_buffer_free(&conversation->in);
    bp_buffer_free(&conversation->frames);
}

/* ---- requests ---- */

/* Not from a stream of bp_random: whoever has seen four numbers of one knows the fifth. */
static void set_nonce(struct bp_conversation *conversation)
{
    struct bp_key key;
    bp_key_derive(&conversation->nonce_key, "nonce", conversation->sent, &key);
    memcpy(&conversation->nonce, key.bytes, sizeof conversation->nonce);
}

static void keep_frame(struct bp_buffer *frames, const struct bp_buffer *out, size_t from)
{
    if (out->size - from <= frames->max - frames->size)
        bp_buffer_add_capped(frames, out->data + from, out->size - from);
}

int bp_conversation_ask(struct bp_conversation *conversation, enum bp_message_type type,
                        const void *message, const int *fds, uint32_t fd_count,
                        struct bp_error *err)
{
    struct bp_buffer *out = &conversation->out;
    size_t before = out->size;
    if (fd_count > 0 && bp_fds_send(conversation->control_fd, fds, fd_count, err) < 0)
        return -1;
    set_nonce(conversation);
    if (bp_message_encode(type, message, conversation->sent++, conversation->nonce, out, err) < 0)
        return -1;
    keep_frame(&conversation->frames, out, before);
    conversation->awaiting = true;
    conversation->expected = answer_of[type];
    conversation->requested_ns = bp_clock_ns();
    return 0;
}

bool bp_conversation_write(struct bp_conversation *conversation)
{
    struct bp_buffer *out = &conversation->out;
    while (out->size > 0) {
        size_t size = bp_fault(BP_FAULT_short_write) ? 1 : out->size;
        ssize_t put = write(conversation->requests_fd, out->data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return false;
        if (put < 0) { /* EPIPE: it is ending; the exit status tells the story */
            bp_buffer_clear(out);
            break;
        }
        bp_buffer_consume(out, (size_t)put);
    }
    return true;
}

/* ---- answers ---- */

enum bp_heard bp_conversation_read(struct bp_conversation *conversation,
                                   const struct bp_sabotage *target, struct bp_error *err)
{
    char chunk[65536];
    size_t size = bp_fault(BP_FAULT_short_read) ? 1 : sizeof chunk;
    ssize_t got = bp_fault(BP_FAULT_read_error) ? -1 : read(conversation->answers_fd, chunk, size);
    if (got < 0 && errno == EINTR)
        return BP_HEARD_MORE;
    if (got < 0 && errno == EAGAIN)
        return BP_HEARD_ALL;
    if (got < 0) {
        (void)bp_fail_errno(err, "read of answers");
        return BP_HEARD_ERROR;
    }
    if (got == 0)
        return BP_HEARD_END;
    got = bp_sabotage_answer(target, chunk, got, sizeof chunk);
    if (bp_buffer_add(&conversation->in, chunk, (size_t)got, err) < 0) {
        (void)bp_fail(err, BP_ERR_PROTOCOL, "frame flood");
        return BP_HEARD_ERROR;
    }
    return got < (ssize_t)sizeof chunk ? BP_HEARD_ALL : BP_HEARD_MORE;
}

/* Whether the frame may be said now. */
static int check_frame(struct bp_conversation *conversation, const struct bp_frame *frame,
                       struct bp_error *err)
{
    if (frame->sequence != conversation->received++ && !bp_weakened(BP_DEFENCE_sequence))
        return bp_fail(err, BP_ERR_PROTOCOL, "frame %u out of sequence", frame->sequence);
    if (!conversation->awaiting && !bp_weakened(BP_DEFENCE_one_result))
        return bp_fail(err, BP_ERR_PROTOCOL, "a frame nobody asked for");
    if (frame->nonce != conversation->nonce && !bp_weakened(BP_DEFENCE_nonce))
        return bp_fail(err, BP_ERR_PROTOCOL, "answer to another request");
    if (frame->type != conversation->expected && frame->type != BP_MESSAGE_failure &&
        !bp_weakened(BP_DEFENCE_answer_table))
        return bp_fail(err, BP_ERR_PROTOCOL, "type %u where %s was due", frame->type,
                       bp_message_name(conversation->expected));
    return 0;
}

static void count_work(struct bp_conversation *conversation)
{
    if (conversation->requested_ns)
        conversation->busy_ns += bp_clock_ns() - conversation->requested_ns;
}

int bp_conversation_next(struct bp_conversation *conversation, enum bp_message_type *type,
                         void **message, struct bp_error *err)
{
    struct bp_frame frame;
    int got = bp_frame_decode(&conversation->in, &frame, err);
    if (got <= 0)
        return got;
    BP_AUTO_FREE void *decoded = NULL;
    int result = check_frame(conversation, &frame, err);
    if (result == 0 && !(decoded = bp_fault_malloc(bp_message_size(frame.type))))
        result = bp_fail(err, BP_ERR_MEMORY, "no memory for an answer");
    if (result == 0)
        result = bp_message_decode(&frame, decoded, err);
    *type = (enum bp_message_type)frame.type;
    bp_frame_release(&frame, &conversation->in);
    if (result < 0)
        return -1;
    conversation->awaiting = false;
    count_work(conversation);
    *message = bp_steal_pointer(&decoded);
    return 1;
}

void bp_conversation_end(struct bp_conversation *conversation)
{
    if (conversation->awaiting)
        count_work(conversation);
}

/* ---- descriptors from the worker, with its credentials ---- */

/* Alignment leaves room for more descriptors than one: those that nobody wanted are ours to close. */
static int only_descriptor(const struct cmsghdr *item)
{
    int fds[CONTROL_ROOM / sizeof(int)];
    size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(item), count * sizeof *fds);
    if (count == 1)
        return fds[0];
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return -1;
}

enum bp_heard bp_conversation_descriptor(struct bp_conversation *conversation, int *fd, pid_t *pid,
                                         struct bp_error *err)
{
    char byte;
    struct iovec part = {&byte, 1};
    char space[CONTROL_ROOM];
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    ssize_t got = recvmsg(conversation->control_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got <= 0)
        return got < 0 && errno == EAGAIN ? BP_HEARD_ALL : BP_HEARD_END;
    *fd = -1;
    *pid = -1;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_type == SCM_RIGHTS)
            *fd = only_descriptor(item);
        if (item->cmsg_type == SCM_CREDENTIALS)
            *pid = ((struct ucred *)(void *)CMSG_DATA(item))->pid;
    }
    if (*fd >= 0)
        return BP_HEARD_MORE;
    (void)bp_fail(err, BP_ERR_PROTOCOL, "control message without a descriptor");
    return BP_HEARD_ERROR;
}
