#include "evaluator/channel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

#define BP_MAX_FDS 16

void bp_channel_open(struct bp_channel *channel)
{
    *channel = (struct bp_channel){
        .requests = BP_FD_REQUESTS, .answers = BP_FD_ANSWERS, .control = BP_FD_CONTROL};
    bp_buffer_init(&channel->in, BP_FRAME_HEADER + BP_FRAME_MAX);
    bp_buffer_init(&channel->out, BP_FRAME_HEADER + BP_FRAME_MAX);
}

/* Reads until one whole frame is in channel->in; 1, 0 at end of file between frames, -1. */
static int read_frame(struct bp_channel *channel, struct bp_frame *frame, struct bp_error *err)
{
    char chunk[16384];
    for (;;) {
        int result = bp_frame_decode(&channel->in, frame, err);
        if (result != 0)
            return result;
        ssize_t got = read(channel->requests, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return bp_fail_errno(err, "read of a request");
        if (got == 0 && channel->in.size == 0)
            return 0;
        if (got == 0)
            return bp_fail(err, BP_ERR_PROTOCOL, "end of file inside a request");
        if (bp_buffer_add(&channel->in, chunk, (size_t)got, err) < 0)
            return -1;
    }
}

static bool is_allowed(const enum bp_message_type *allowed, uint32_t type)
{
    for (; *allowed != BP_MESSAGE_COUNT; allowed++)
        if (*allowed == type)
            return true;
    return false;
}

int bp_channel_receive(struct bp_channel *channel, const enum bp_message_type *allowed,
                       enum bp_message_type *type, void **message, struct bp_error *err)
{
    struct bp_frame frame;
    int result = read_frame(channel, &frame, err);
    if (result != 1)
        return result;
    BP_AUTO_FREE void *decoded = NULL;
    if (frame.sequence != channel->received++)
        result = bp_fail(err, BP_ERR_PROTOCOL, "request %u out of sequence", frame.sequence);
    else if (!is_allowed(allowed, frame.type))
        result = bp_fail(err, BP_ERR_PROTOCOL, "request type %u not allowed now", frame.type);
    else if (!(decoded = malloc(bp_message_size(frame.type))))
        result = bp_fail(err, BP_ERR_MEMORY, "no memory for a request");
    else if (bp_message_decode(&frame, decoded, err) < 0)
        result = -1;
    channel->nonce = frame.nonce;
    *type = (enum bp_message_type)frame.type;
    bp_frame_release(&frame, &channel->in);
    if (result == 1)
        *message = bp_steal_pointer(&decoded);
    return result;
}

int bp_channel_receive_only(struct bp_channel *channel, enum bp_message_type only, void **message,
                            struct bp_error *err)
{
    const enum bp_message_type allowed[] = {only, BP_MESSAGE_COUNT};
    enum bp_message_type type;
    return bp_channel_receive(channel, allowed, &type, message, err);
}

int bp_channel_send(struct bp_channel *channel, enum bp_message_type type, const void *message,
                    struct bp_error *err)
{
    bp_buffer_clear(&channel->out);
    if (bp_message_encode(type, message, channel->sent, channel->nonce, &channel->out, err) < 0)
        return -1;
    channel->sent++;
    return bp_io_write_full(channel->answers, channel->out.data, channel->out.size, err);
}

void bp_channel_fail(struct bp_channel *channel, enum bp_verdict verdict, const char *fmt, ...)
{
    struct bp_msg_failure failure = {.verdict = verdict};
    struct bp_error ignored;
    va_list args;
    va_start(args, fmt);
    vsnprintf(failure.message, sizeof failure.message, fmt, args);
    va_end(args);
    if (bp_channel_send(channel, BP_MESSAGE_failure, &failure, &ignored) < 0)
        fprintf(stderr, "failure not sent: %s\n", failure.message);
}

int bp_channel_receive_fds(struct bp_channel *channel, int *fds, uint32_t count,
                           struct bp_error *err)
{
    char byte;
    struct iovec part = {&byte, 1};
    char control[CMSG_SPACE(sizeof(int) * BP_MAX_FDS)];
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(channel->control, &header, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return bp_fail_errno(err, "no descriptors");
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (got == 0 || !rights || rights->cmsg_type != SCM_RIGHTS ||
        rights->cmsg_len != CMSG_LEN(sizeof(int) * count))
        return bp_fail(err, BP_ERR_PROTOCOL, "expected %u descriptors", count);
    memcpy(fds, CMSG_DATA(rights), sizeof(int) * count);
    return 0;
}

void bp_channel_close_control(struct bp_channel *channel)
{
    bp_close_fd(&channel->control);
}

int bp_fds_send(int socket, const int *fds, uint32_t count, struct bp_error *err)
{
    if (count == 0 || count > BP_MAX_FDS)
        return bp_fail(err, BP_ERR_STATE, "%u descriptors in one message", count);
    char byte = 'F';
    struct iovec part = {&byte, 1};
    char control[CMSG_SPACE(sizeof(int) * BP_MAX_FDS)] = {0};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
    if (sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
        return bp_fail_errno(err, "cannot send %u descriptors", count);
    return 0;
}
