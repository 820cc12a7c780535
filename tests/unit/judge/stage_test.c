/* The prepare and judge stages, served over a channel that hands out prepared requests: a whole
 * evaluation without processes, and the traces that a tampering candidate leaves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"
#include "base/cleanup.h"
#include "stage_fixture.h"

static void test_pass(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    run_honestly(&e);
    const struct bp_msg_judge_result *result = judge(&e);
    assert_int_equal(result->verdict, BP_VERDICT_PASS);
    assert_string_equal(result->message, "");
    assert_int_equal(result->case_count, 2);
    assert_string_equal(result->cases[1].shape, "second");
    assert_int_equal(result->cases[0].rows, 20);
    assert_int_equal(result->cases[1].rows, 24);
    assert_true(result->cases[0].max_ratio > 0 && result->cases[0].max_ratio < 0.5);
    finish(&e);
}

static void test_untouched_output_is_wrong(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    const struct bp_msg_judge_result *result = judge(&e);
    assert_int_equal(result->verdict, BP_VERDICT_WRONG_RESULT);
    assert_non_null(strstr(result->message, "shape first, family gauss: rule 1"));
    finish(&e);
}

/* One bit of any element counts, judged row or not; so does the sign of a zero. */
static void test_second_call_differs(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    run_honestly(&e);
    const struct bp_shape *shape = &shapes[1];
    uint32_t row = 1 * shape->q_len + 2; /* head 1, token 2 */
    for (uint32_t d = 0; d < shape->head_dim; d += 7) {
        uint16_t *element = &again_of(&e, 1)[(size_t)row * shape->head_dim + d];
        char words[96];
        snprintf(words, sizeof words,
                 "shape second, family needle: a second identical call differs: row (batch 0, head "
                 "1, token 2) element %u:",
                 d);
        *element ^= 1;
        const struct bp_msg_judge_result *result = judge(&e);
        assert_int_equal(result->verdict, BP_VERDICT_NONDETERMINISTIC);
        assert_int_equal(result->cases[0].verdict, BP_VERDICT_PASS);
        assert_int_equal(result->cases[1].verdict, BP_VERDICT_NONDETERMINISTIC);
        assert_non_null(strstr(result->message, words));
        *element ^= 1;
    }
    uint16_t *last = again_of(&e, 0) + e.out[0].o.bytes / 2 - 1;
    *last ^= 0x8000;
    assert_int_equal(judge(&e)->verdict, BP_VERDICT_NONDETERMINISTIC);
    *last ^= 0x8000;
    assert_int_equal(judge(&e)->verdict, BP_VERDICT_PASS);
    finish(&e);
}

/* Which of several failures is told does not hang on the order of the cases. */
static void test_gravest_verdict(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    run_honestly(&e);
    again_of(&e, 0)[0] ^= 1;
    uint16_t *wrong = (uint16_t *)(e.output + e.output_at[1] + e.out[1].o.offset);
    bp_dtype_store(BP_DTYPE_BF16, wrong, 1000);
    assert_int_equal(judge(&e)->verdict, BP_VERDICT_WRONG_RESULT);
    e.output[e.again_at[1] + e.out[1].bytes - 1] ^= 1;
    assert_int_equal(judge(&e)->verdict, BP_VERDICT_TAMPER);
    finish(&e);
}

/* Flips one byte, expects the verdict and words, flips it back. */
static void expect_tamper(struct evaluation *e, uint8_t *byte, const char *words)
{
    *byte ^= 1;
    const struct bp_msg_judge_result *result = judge(e);
    assert_int_equal(result->verdict, BP_VERDICT_TAMPER);
    assert_non_null(strstr(result->message, words));
    *byte ^= 1;
}

static void test_tamper(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    run_honestly(&e);
    uint8_t *in = e.input + e.input_at[1], *out = e.output + e.output_at[1];
    expect_tamper(&e, out + e.out[1].o.offset + e.out[1].o.bytes,
                  "shape second, family needle: wrote past the output: 1 bytes behind it");
    expect_tamper(&e, out + e.out[1].o.offset - 8, "wrote past the output: 8 bytes before it");
    uint8_t *again = (uint8_t *)again_of(&e, 1);
    expect_tamper(&e, again + e.out[1].o.bytes,
                  "past the output of the second call: 1 bytes behind");
    expect_tamper(&e, again - 1, "past the output of the second call: 1 bytes before it");
    expect_tamper(&e, in + e.in[1].q.offset + 3, "input changed");
    expect_tamper(&e, in + e.in[1].k.offset + 3, "input changed");
    expect_tamper(&e, in + e.in[1].v.offset + e.in[1].v.bytes - 1, "input changed");
    expect_tamper(&e, in + e.in[1].kv_lens.offset, "input changed");
    expect_tamper(&e, in + e.in[1].k.offset - 1, "wrote past an input: the guard beside q");
    expect_tamper(&e, in + e.in[1].bytes - 1, "wrote past an input: the guard beside kv_lens");

    /* A wrong first case does not hide the tampered second. */
    memset(e.output + e.output_at[0] + e.out[0].o.offset, 0, e.out[0].o.bytes);
    expect_tamper(&e, in + e.in[1].q.offset, "shape second");
    assert_int_equal(judge(&e)->verdict, BP_VERDICT_WRONG_RESULT);
    finish(&e);
}

/* Slots of one fill are the same problem in different orders. */
static void test_slots_differ(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    unsigned differing = 0;
    for (uint32_t slot = 1; slot < SLOTS; slot++)
        differing +=
            memcmp(e.input + e.in[0].q.offset, e.input + slot * e.in[0].bytes + e.in[0].q.offset,
                   e.in[0].q.bytes) != 0;
    assert_true(differing > 0);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        assert_true(bp_layout_check_inputs(&e.in[0], CANARY, e.input + slot * e.in[0].bytes) ==
                    SIZE_MAX);
        assert_true(bp_layout_check_outputs(&e.out[0], CANARY, e.output + slot * e.out[0].bytes) ==
                    SIZE_MAX);
    }
    finish(&e);
}

/* A second fill of the outputs alone: poison again, inputs as they were. The masters stay mapped
 * within one stage, so they are told again; what was made is still there. */
static void test_fill_of_outputs_alone(void **state)
{
    (void)state;
    static struct bp_msg_fill_request fill;
    struct evaluation e;
    prepare(&e);
    run_honestly(&e);
    uint8_t *in = e.input + e.input_at[1] + e.in[1].q.offset;
    uint8_t kept = *in ^= 1;

    channel_reset();
    push_fd(e.masters);
    push_fd(e.references);
    push_fd(e.inputs);
    push_fd(e.outputs);
    push(BP_MESSAGE_arenas_request, &arenas, sizeof arenas);
    fill_request(&e, &fill);
    fill.fills[0].parts = fill.fills[1].parts = BP_FILL_OUTPUTS | BP_FILL_AGAIN;
    push(BP_MESSAGE_fill_request, &fill, sizeof fill);
    assert_int_equal(bp_stage_prepare(NULL), EXIT_SUCCESS);
    assert_int_equal(answer.last.fill.bytes, e.output_bytes);
    assert_int_equal(*in, kept);
    uint16_t word;
    memcpy(&word, e.output + e.output_at[1] + e.out[1].o.offset, sizeof word);
    assert_int_equal(word, 0x7bff);
    assert_int_equal(again_of(&e, 1)[0], 0x7fff);
    finish(&e);
}

/* Fresh inputs for slots 1 and 2 of the second shape, as before a timed batch. */
static void fill_fresh(struct evaluation *e, uint64_t key)
{
    static struct bp_msg_fill_request fill;
    memset(&fill, 0, sizeof fill);
    fill.fill_count = 1;
    fill.fills[0] = (struct bp_fill){
        .shape = shapes[1],
        .dtype = BP_DTYPE_BF16,
        .slots = 2,
        .parts = BP_FILL_FRESH,
        .input_offset = e->input_at[1] + e->in[1].bytes,
        .output_offset = e->output_at[1] + e->out[1].bytes,
    };
    bp_key_from_seed(key, &fill.fills[0].permutation_key);
    channel_reset();
    push_fd(e->inputs);
    push_fd(e->outputs);
    push(BP_MESSAGE_fill_request, &fill, sizeof fill);
    assert_int_equal(bp_stage_prepare(NULL), EXIT_SUCCESS);
    assert_int_equal(answer.last.fill.bytes, 2 * (e->in[1].bytes + e->out[1].bytes));
}

static void test_fresh(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    size_t stride = e.in[1].bytes, words = e.in[1].k.bytes / 2;
    uint8_t *slot = e.input + e.input_at[1] + stride;
    BP_AUTO_FREE uint8_t *before = malloc(e.input_bytes);
    BP_AUTO_FREE uint8_t *first = malloc(2 * stride);
    memcpy(before, e.input, e.input_bytes);
    run_honestly(&e);
    fill_fresh(&e, 7);
    memcpy(first, slot, 2 * stride);
    fill_fresh(&e, 8);

    /* Neither an earlier fill's nor the other slot's; standard normal; lengths as they must be. */
    const struct bp_extent tensors[] = {e.in[1].q, e.in[1].k, e.in[1].v};
    for (int t = 0; t < 3; t++) {
        const uint8_t *at = slot + tensors[t].offset;
        assert_memory_not_equal(at, first + tensors[t].offset, 64);
        assert_memory_not_equal(at, at + stride, 64);
        assert_memory_not_equal(at, before + (slot - e.input) + tensors[t].offset, 64);
    }
    double sum = 0, squares = 0;
    for (size_t i = 0; i < words; i++) {
        double value = bp_dtype_load(BP_DTYPE_BF16, slot + e.in[1].k.offset + 2 * i);
        sum += value;
        squares += value * value;
    }
    assert_true(fabs(sum / (double)words) < 0.1);
    assert_true(fabs(squares / (double)words - 1) < 0.1);
    static const gqa_i32 lengths[2] = {33, 9};
    assert_memory_equal(slot + e.in[1].kv_lens.offset, lengths, sizeof lengths);
    /* No earlier answer is left, and nothing outside the two slots changed. */
    const uint8_t *out = e.output + e.output_at[1] + e.out[1].bytes;
    const uint16_t poison = 0x7bff;
    for (size_t i = 0; i < e.out[1].o.bytes; i += sizeof poison)
        assert_memory_equal(out + e.out[1].o.offset + i, &poison, sizeof poison);
    assert_memory_equal(e.input, before, (size_t)(slot - e.input));
    finish(&e);
}

static void judge_sample(struct evaluation *e, const struct bp_msg_sample_request *request,
                         int status)
{
    channel_reset();
    push_judge_fds(e);
    push(BP_MESSAGE_sample_request, request, sizeof *request);
    assert_int_equal(bp_stage_judge(NULL), status);
}

static void test_sample(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    fill_fresh(&e, 7);
    struct bp_msg_sample_request request = {
        .shape = shapes[1],
        .dtype = BP_DTYPE_BF16,
        .batch = 1,
        .head = 2,
        .token = 3,
        .input_offset = e.input_at[1] + 2 * e.in[1].bytes,
    };
    /* What an honest kernel writes for that row. */
    struct bp_case item = {shapes[1], BP_FAMILY_gauss, 1};
    struct bp_row row = {1, 2, 3};
    BP_AUTO_FREE void *block = malloc(bp_reference_one_row_bytes(64));
    bp_reference_make_row(&item, BP_DTYPE_BF16, BP_STRICT, row, e.input + request.input_offset,
                          block);
    for (uint32_t d = 0; d < 64; d++)
        bp_dtype_store(BP_DTYPE_BF16, e.sample + 2 * d, bp_reference_row(block, 0).o[d]);
    judge_sample(&e, &request, EXIT_SUCCESS);
    assert_int_equal(answer.type, BP_MESSAGE_sample_result);
    assert_int_equal(answer.last.sample.verdict, BP_VERDICT_PASS);

    request.token = 2;
    judge_sample(&e, &request, EXIT_SUCCESS);
    assert_int_equal(answer.last.sample.verdict, BP_VERDICT_WRONG_RESULT);
    assert_non_null(strstr(answer.last.sample.message, "shape second, timed call: rule"));
    request.token = 3;
    fill_fresh(&e, 8); /* the answer to the inputs of an earlier batch */
    judge_sample(&e, &request, EXIT_SUCCESS);
    assert_int_equal(answer.last.sample.verdict, BP_VERDICT_WRONG_RESULT);

    request.head = 3;
    judge_sample(&e, &request, EXIT_FAILURE);
    assert_non_null(strstr(answer.failure, "not in shape"));
    request.head = 0;
    request.input_offset = e.input_bytes;
    judge_sample(&e, &request, EXIT_FAILURE);
    assert_non_null(strstr(answer.failure, "ring inputs"));
    finish(&e);
}

static void expect_make_failure(struct evaluation *e, struct bp_msg_make_request *request,
                                const char *words)
{
    channel_reset();
    push_fd(e->masters);
    push_fd(e->references);
    push(BP_MESSAGE_arenas_request, &arenas, sizeof arenas);
    push(BP_MESSAGE_make_request, request, sizeof *request);
    assert_int_equal(bp_stage_prepare(NULL), EXIT_FAILURE);
    assert_int_equal(answer.results, 1);
    assert_non_null(strstr(answer.failure, words));
    close_left_fds();
}

static void test_bounds(void **state)
{
    (void)state;
    struct evaluation e;
    prepare(&e);
    struct bp_msg_make_request request = make_request(&e, 0);
    request.master_offset = e.input_bytes - e.in[0].bytes + 8;
    expect_make_failure(&e, &request, "arena of masters");
    request = make_request(&e, 0);
    request.master_offset = UINT64_MAX - 7;
    expect_make_failure(&e, &request, "arena of masters");
    request = make_request(&e, 0);
    request.reference_offset = 1u << 30;
    expect_make_failure(&e, &request, "arena of references");
    request = make_request(&e, 0);
    request.reference_offset = 4;
    expect_make_failure(&e, &request, "arena of references");
    request = make_request(&e, 0);
    request.shape.q_heads = 3;
    expect_make_failure(&e, &request, "q_heads");
    request = make_request(&e, 0);
    request.family = BP_FAMILY_COUNT;
    expect_make_failure(&e, &request, "unknown");
    channel_reset();
    push_fd(e.masters);
    push_fd(e.references);
    struct bp_msg_arenas_request larger = {e.input_bytes + (1u << 30), 1};
    push(BP_MESSAGE_arenas_request, &larger, sizeof larger);
    assert_int_equal(bp_stage_prepare(NULL), EXIT_FAILURE);
    assert_non_null(strstr(answer.failure, "smaller than announced"));
    finish(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_untouched_output_is_wrong),
        cmocka_unit_test(test_second_call_differs),
        cmocka_unit_test(test_gravest_verdict),
        cmocka_unit_test(test_tamper),
        cmocka_unit_test(test_slots_differ),
        cmocka_unit_test(test_fill_of_outputs_alone),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
