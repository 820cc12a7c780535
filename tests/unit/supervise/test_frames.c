/* Frames and messages: round trips, and everything a hostile child could put on the pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "evaluator/messages.h"

static struct bp_buffer encode_failure(uint32_t verdict, const char *text)
{
    struct bp_msg_failure failure = {.verdict = verdict};
    struct bp_buffer out;
    struct bp_error err;
    snprintf(failure.message, sizeof failure.message, "%s", text);
    bp_buffer_init(&out, 1 << 20);
    assert_int_equal(bp_message_encode(BP_MESSAGE_failure, &failure, 7, 99, &out, &err), 0);
    return out;
}

static void message_survives_the_trip(void **state)
{
    struct bp_buffer wire = encode_failure(BP_VERDICT_CRASH, "it fell over");
    struct bp_frame frame;
    struct bp_error err;
    struct bp_msg_failure got;
    (void)state;
    assert_int_equal(bp_frame_decode(&wire, &frame, &err), 1);
    assert_int_equal(frame.sequence, 7);
    assert_int_equal(frame.nonce, 99);
    assert_int_equal(frame.type, BP_MESSAGE_failure);
    assert_int_equal(bp_message_decode(&frame, &got, &err), 0);
    assert_int_equal(got.verdict, BP_VERDICT_CRASH);
    assert_string_equal(got.message, "it fell over");
    bp_frame_release(&frame, &wire);
    assert_int_equal(wire.size, 0);
    bp_buffer_free(&wire);
}

static void fill_lists(enum bp_message_type type, void *message)
{
    struct bp_msg_run_request *run = message;
    switch (type) {
    case BP_MESSAGE_compile_request:
        ((struct bp_msg_compile_request *)message)->define_count = BP_MAX_DEFINES;
        break;
    case BP_MESSAGE_compile_result:
        ((struct bp_msg_compile_result *)message)->profile.kernel_count = BP_PROFILE_KERNELS;
        break;
    case BP_MESSAGE_fill_request:
        ((struct bp_msg_fill_request *)message)->fill_count = BP_MAX_FILLS;
        break;
    case BP_MESSAGE_run_request:
        run->case_count = BP_SUITE_MAX_CASES;
        run->timed_count = BP_SUITE_MAX_TIMED;
        break;
    case BP_MESSAGE_plan_result:
        ((struct bp_msg_plan_result *)message)->plan_count = BP_MAX_PLANS;
        break;
    case BP_MESSAGE_judge_request:
        ((struct bp_msg_judge_request *)message)->item_count = BP_SUITE_MAX_CASES;
        break;
    case BP_MESSAGE_judge_result:
        ((struct bp_msg_judge_result *)message)->case_count = BP_SUITE_MAX_CASES;
        break;
    case BP_MESSAGE_gate_request:
        ((struct bp_msg_gate_request *)message)->shape_count = BP_GATE_MAX_SHAPES;
        break;
    case BP_MESSAGE_gate_result:
        ((struct bp_msg_gate_result *)message)->site_count = BP_GATE_SITES;
        break;
    case BP_MESSAGE_lines_request:
        ((struct bp_msg_lines_request *)message)->code_count = BP_GATE_SITES;
        break;
    case BP_MESSAGE_lines_result:
        ((struct bp_msg_lines_result *)message)->line_count = BP_GATE_SITES;
        break;
    default:
        break;
    }
}

static void largest_messages_fit_a_frame(void **state)
{
    struct bp_error err;
    (void)state;
    for (int type = 0; type < BP_MESSAGE_COUNT; type++) {
        BP_AUTO_FREE char *message = calloc(1, bp_message_size((enum bp_message_type)type));
        struct bp_buffer wire;
        bp_buffer_init(&wire, BP_FRAME_HEADER + BP_FRAME_MAX);
        /* Every number at its longest, every text and every list full. */
        memset(message, 0xff, bp_message_size((enum bp_message_type)type));
        fill_lists((enum bp_message_type)type, message);
        assert_int_equal(bp_message_encode((enum bp_message_type)type, message, 0, 0, &wire, &err),
                         0);
        bp_buffer_free(&wire);
    }
}

static void every_prefix_asks_for_more(void **state)
{
    struct bp_buffer whole = encode_failure(BP_VERDICT_CRASH, "x");
    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        struct bp_buffer part;
        struct bp_frame frame;
        struct bp_error err;
        bp_buffer_init(&part, 1 << 20);
        assert_int_equal(bp_buffer_add(&part, whole.data, size, &err), 0);
        assert_int_equal(bp_frame_decode(&part, &frame, &err), 0);
        bp_buffer_free(&part);
    }
    bp_buffer_free(&whole);
}

static void refuse(const char *bytes, size_t size)
{
    struct bp_buffer wire;
    struct bp_frame frame;
    struct bp_error err = {0};
    bp_buffer_init(&wire, 1 << 20);
    assert_int_equal(bp_buffer_add(&wire, bytes, size, &err), 0);
    assert_int_equal(bp_frame_decode(&wire, &frame, &err), -1);
    assert_int_equal(err.code, BP_ERR_PROTOCOL);
    bp_buffer_free(&wire);
}
#define REFUSE(literal) refuse(literal, sizeof literal - 1)

static void bombs_are_refused_before_unpacking(void **state)
{
    (void)state;
    REFUSE("\xff\xff\xff\xff");                   /* length of 4 GiB */
    REFUSE("\0\0\0\x05\xdd\x0f\xff\xff\xff");     /* array of 268 million: 8 GiB in msgpack-c 4 */
    REFUSE("\0\0\0\x05\xdf\x0f\xff\xff\xff");     /* map likewise */
    REFUSE("\0\0\0\x05\xdb\xff\xff\xff\xff");     /* text longer than the message */
    REFUSE("\0\0\0\x05\xc6\xff\xff\xff\xff");     /* blob likewise */
    REFUSE("\0\0\0\x06\xc9\xff\xff\xff\xff\x01"); /* ext likewise */
    REFUSE("\0\0\0\x01\xc1");                     /* the unused type */
    REFUSE("\0\0\0\x02\xc0\xc0");                 /* two objects */
    REFUSE("\0\0\0\x01\x93");                     /* elements missing */
    REFUSE("\0\0\0\x00");                         /* nothing */
    REFUSE("\0\0\0\x01\xc0");                     /* not an array */
    char deep[4 + 1000];
    memcpy(deep, "\0\0\x03\xe8", 4);
    memset(deep + 4, 0x91, 1000);
    refuse(deep, sizeof deep);
}

/* Replaces one byte sequence by another of the same length in an encoded failure and decodes it. */
static int decode_with(const char *from, const char *to, size_t size, struct bp_error *err)
{
    struct bp_buffer wire = encode_failure(BP_VERDICT_CRASH, "text");
    struct bp_frame frame;
    struct bp_msg_failure got;
    char *at = memmem(wire.data, wire.size, from, size);
    assert_non_null(at);
    memcpy(at, to, size);
    int result = bp_frame_decode(&wire, &frame, err);
    if (result == 1) {
        result = bp_message_decode(&frame, &got, err);
        bp_frame_release(&frame, &wire);
    }
    bp_buffer_free(&wire);
    return result;
}

static void fields_are_checked(void **state)
{
    struct bp_error err = {0};
    (void)state;
    assert_int_equal(decode_with("verdict", "verdikt", 7, &err), -1);
    assert_non_null(strstr(err.msg, "unknown field"));
    assert_int_equal(decode_with("message", "verdict", 7, &err), -1);
    assert_non_null(strstr(err.msg, "given twice"));
    assert_int_equal(decode_with("\xa4text", "\xa4te\0t", 5, &err), -1);
    assert_non_null(strstr(err.msg, "NUL"));
    assert_int_equal(decode_with("verdict\x10", "verdict\x7f", 8, &err), -1);
    assert_non_null(strstr(err.msg, "range"));
    assert_int_equal(decode_with("verdict\x10", "verdict\xc3", 8, &err), -1);
}

static void random_bytes_never_crash(void **state)
{
    struct bp_buffer sample = encode_failure(BP_VERDICT_CRASH, "a longer text to be damaged");
    (void)state;
    unsigned seed = 20260101;
    print_message("seed %u\n", seed);
    for (int i = 0; i < 100000; i++) {
        struct bp_buffer wire;
        struct bp_frame frame;
        struct bp_error err;
        BP_AUTO_FREE char *bytes = malloc(sample.size);
        memcpy(bytes, sample.data, sample.size);
        for (int flips = rand_r(&seed) % 4; flips >= 0; flips--)
            bytes[4 + (unsigned)rand_r(&seed) % (sample.size - 4)] = (char)rand_r(&seed);
        bp_buffer_init(&wire, 1 << 16);
        assert_int_equal(bp_buffer_add(&wire, bytes, sample.size, &err), 0);
        if (bp_frame_decode(&wire, &frame, &err) == 1) {
            if (frame.type < BP_MESSAGE_COUNT) {
                BP_AUTO_FREE void *message = malloc(bp_message_size(frame.type));
                int result = bp_message_decode(&frame, message, &err);
                assert_in_range(result + 1, 0, 1);
            }
            bp_frame_release(&frame, &wire);
        }
        bp_buffer_free(&wire);
    }
    bp_buffer_free(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_survives_the_trip),
        cmocka_unit_test(largest_messages_fit_a_frame),
        cmocka_unit_test(every_prefix_asks_for_more),
        cmocka_unit_test(bombs_are_refused_before_unpacking),
        cmocka_unit_test(fields_are_checked),
        cmocka_unit_test(random_bytes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
