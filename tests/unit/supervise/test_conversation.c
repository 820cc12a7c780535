/* What may be said when: one right answer to each request, and every other frame the worker's doing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "evaluator/channel.h"
#include "harness/supervise/conversation.h"

/* As the worker would have written it. */
static void say(struct bp_conversation *conversation, enum bp_message_type type, uint32_t sequence,
                uint64_t nonce)
{
    struct bp_error err;
    BP_AUTO_FREE void *message = calloc(1, bp_message_size(type));
    assert_int_equal(bp_message_encode(type, message, sequence, nonce, &conversation->in, &err), 0);
}

static int hear(struct bp_conversation *conversation, struct bp_error *err)
{
    BP_AUTO_FREE void *message = NULL;
    enum bp_message_type type;
    return bp_conversation_next(conversation, &type, &message, err);
}

static void ask(struct bp_conversation *conversation)
{
    struct bp_error err;
    struct bp_msg_batch_request request = {.calls = 1};
    assert_int_equal(
        bp_conversation_ask(conversation, BP_MESSAGE_batch_request, &request, NULL, 0, &err), 0);
}

static void begin(struct bp_conversation *conversation, size_t frames_max_bytes)
{
    struct bp_error err;
    bp_conversation_init(conversation, frames_max_bytes);
    say(conversation, BP_MESSAGE_ready, 0, 0);
    assert_int_equal(hear(conversation, &err), 1);
}

static void each_request_gets_its_answer(void **state)
{
    struct bp_conversation conversation;
    struct bp_error err;
    uint64_t last = 0;
    (void)state;
    begin(&conversation, 0);
    for (uint32_t i = 1; i <= 3; i++) {
        ask(&conversation);
        assert_true(conversation.awaiting);
        assert_int_not_equal(conversation.nonce, last);
        last = conversation.nonce;
        assert_int_equal(hear(&conversation, &err), 0);
        say(&conversation, i == 2 ? BP_MESSAGE_failure : BP_MESSAGE_batch_result, i, last);
        assert_int_equal(hear(&conversation, &err), 1);
        assert_false(conversation.awaiting);
    }
    assert_true(conversation.busy_ns > 0);
    bp_conversation_free(&conversation);
}

static void any_other_frame_is_refused(void **state)
{
    static const struct {
        bool asked;
        enum bp_message_type type;
        uint32_t sequence;
        uint64_t nonce_off;
        const char *why;
    } frames[] = {
        {true, BP_MESSAGE_batch_result, 0, 0, "frame 0 out of sequence"},
        {true, BP_MESSAGE_batch_result, 2, 0, "frame 2 out of sequence"},
        {true, BP_MESSAGE_batch_result, 1, 1, "answer to another request"},
        {true, BP_MESSAGE_cases_result, 1, 0, "where batch_result was due"},
        {true, BP_MESSAGE_ready, 1, 0, "where batch_result was due"},
        {false, BP_MESSAGE_batch_result, 1, 0, "a frame nobody asked for"},
        {false, BP_MESSAGE_failure, 1, 0, "a frame nobody asked for"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct bp_conversation conversation;
        struct bp_error err;
        begin(&conversation, 0);
        if (frames[i].asked)
            ask(&conversation);
        say(&conversation, frames[i].type, frames[i].sequence,
            conversation.nonce + frames[i].nonce_off);
        assert_int_equal(hear(&conversation, &err), -1);
        assert_int_equal(err.code, BP_ERR_PROTOCOL);
        assert_non_null(strstr(err.msg, frames[i].why));
        bp_conversation_free(&conversation);
    }
}

static void requests_are_kept_whole_or_not(void **state)
{
    struct bp_conversation conversation;
    struct bp_error err;
    (void)state;
    begin(&conversation, 1 << 20);
    ask(&conversation);
    size_t one = conversation.out.size;
    assert_memory_equal(conversation.frames.data, conversation.out.data, one);
    bp_conversation_free(&conversation);
    begin(&conversation, one + one / 2);
    for (uint32_t i = 1; i <= 2; i++) {
        ask(&conversation);
        say(&conversation, BP_MESSAGE_batch_result, i, conversation.nonce);
        assert_int_equal(hear(&conversation, &err), 1);
    }
    assert_true(conversation.out.size > one);
    assert_int_equal(conversation.frames.size, one);
    bp_conversation_free(&conversation);
}

static void a_descriptor_comes_with_its_senders_pid(void **state)
{
    struct bp_conversation conversation;
    struct bp_error err;
    int ends[2], fd = -1, yes = 1;
    pid_t pid;
    (void)state;
    bp_conversation_init(&conversation, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    conversation.control_fd = ends[0];
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
    assert_int_equal(bp_conversation_descriptor(&conversation, &fd, &pid, &err), BP_HEARD_ALL);
    assert_int_equal(bp_fds_send(ends[1], &ends[1], 1, &err), 0);
    assert_int_equal(bp_conversation_descriptor(&conversation, &fd, &pid, &err), BP_HEARD_MORE);
    assert_true(fd >= 0);
    assert_int_equal(pid, getpid());
    close(fd);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(bp_conversation_descriptor(&conversation, &fd, &pid, &err), BP_HEARD_ERROR);
    assert_int_equal(err.code, BP_ERR_PROTOCOL);
    close(ends[1]);
    assert_int_equal(bp_conversation_descriptor(&conversation, &fd, &pid, &err), BP_HEARD_END);
    bp_conversation_free(&conversation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_its_answer),
        cmocka_unit_test(any_other_frame_is_refused),
        cmocka_unit_test(requests_are_kept_whole_or_not),
        cmocka_unit_test(a_descriptor_comes_with_its_senders_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
