/* odd_worker: launched by test_child in the worker's place, confined as the judge stage is; its stage
 * name says how it misbehaves when it is asked for a batch. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "evaluator/channel.h"
#include "sandbox/worker_fd.h"
#include "tests/lib/confined.h"

static struct bp_channel channel;

static void put(const void *data, size_t size)
{
    struct bp_error err;
    if (bp_io_write_full(BP_FD_ANSWERS, data, size, &err) < 0)
        _exit(0);
}

/* Appends an answer to a request that is still to come, if requests were numbered. */
static void add_answer(struct bp_buffer *wire, uint32_t sequence, uint64_t nonce)
{
    struct bp_error err;
    struct bp_msg_batch_result result = {.calls = 1};
    if (bp_message_encode(BP_MESSAGE_batch_result, &result, sequence, nonce, wire, &err) < 0)
        _exit(99);
}

static void answer_ahead(uint32_t count)
{
    struct bp_buffer wire;
    bp_buffer_init(&wire, 1 << 20);
    for (uint32_t i = 0; i < count; i++)
        add_answer(&wire, channel.sent + i, channel.nonce + i);
    put(wire.data, wire.size);
    for (;;)
        sched_yield();
}

/* A frame of one byte objects: as many as fit, each many times its size once unpacked. */
static void answer_hugely(void)
{
    static unsigned char frame[BP_FRAME_HEADER + BP_FRAME_MAX];
    const unsigned char head[] = {BP_FRAME_MAX >> 24,
                                  BP_FRAME_MAX >> 16 & 0xff,
                                  BP_FRAME_MAX >> 8 & 0xff,
                                  BP_FRAME_MAX & 0xff,
                                  0xdd,
                                  (BP_FRAME_MAX - 5) >> 24,
                                  (BP_FRAME_MAX - 5) >> 16 & 0xff,
                                  (BP_FRAME_MAX - 5) >> 8 & 0xff,
                                  (BP_FRAME_MAX - 5) & 0xff};
    memcpy(frame, head, sizeof head);
    put(frame, sizeof frame);
    for (;;)
        sched_yield();
}

static void send_two_descriptors(void)
{
    struct bp_error err;
    const int fds[2] = {1, 2};
    if (bp_fds_send(BP_FD_CONTROL, fds, 2, &err) < 0)
        _exit(97);
    for (;;)
        sched_yield();
}

static void flood(int fd)
{
    static char bytes[65536];
    for (;;)
        if (write(fd, bytes, sizeof bytes) < 0)
            _exit(0);
}

static void misbehave(const char *how)
{
    struct bp_error err;
    struct bp_msg_batch_result result = {.calls = 1};
    if (strcmp(how, "ahead") == 0)
        answer_ahead(2);
    else if (strcmp(how, "far_ahead") == 0)
        answer_ahead(1000);
    else if (strcmp(how, "huge") == 0)
        answer_hugely();
    else if (strcmp(how, "log_flood") == 0)
        flood(STDOUT_FILENO);
    else if (strcmp(how, "frame_flood") == 0)
        flood(BP_FD_ANSWERS);
    else if (strcmp(how, "two_descriptors") == 0)
        send_two_descriptors();
    else if (strcmp(how, "half") == 0)
        put("\0\0\0\40\224", 5), flood(STDOUT_FILENO);
    else if (strcmp(how, "silent") == 0)
        close(BP_FD_ANSWERS), close(BP_FD_REQUESTS), close(1), close(2), flood(1), pause();
    else if (bp_channel_send(&channel, BP_MESSAGE_batch_result, &result, &err) < 0)
        _exit(99);
}

int main(int argc, char **argv)
{
    static const enum bp_message_type allowed[] = {BP_MESSAGE_batch_request, BP_MESSAGE_COUNT};
    struct bp_error err;
    if (!confined_start(argc, argv, "odd", &channel))
        return 98;
    for (;;) {
        enum bp_message_type type;
        void *request = NULL;
        if (bp_channel_receive(&channel, allowed, &type, &request, &err) <= 0)
            return 0;
        free(request);
        misbehave(argv[1]);
    }
}
