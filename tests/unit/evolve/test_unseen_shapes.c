/* Shapes that nobody has seen: valid, not the suite's, admitted, and a function of the key alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "harness/evolve/unseen_shapes.h"

#define KEYS 500

static bool every(const void *context, const struct bp_shape *shape)
{
    (void)context, (void)shape;
    return true;
}

static bool decode_only(const void *context, const struct bp_shape *shape)
{
    (void)context;
    return shape->q_len == 1;
}

static void find(const char *name, struct bp_suite *suite)
{
    struct bp_error err;
    if (bp_suite_find(name, BP_DEVICE_CLASS_CPU, suite, &err) < 0)
        fail_msg("%s", err.msg);
}

static void check_against_suite(const struct bp_suite *suite, const struct bp_shape *shape)
{
    struct bp_error err;
    if (bp_shape_check(shape, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(shape->head_dim, suite->timed[0].head_dim);
    for (uint32_t i = 0; i < suite->case_count; i++)
        assert_false(suite->cases[i].shape.q_len == shape->q_len &&
                     suite->cases[i].shape.kv_len == shape->kv_len);
}

static uint32_t longest_of(const struct bp_suite *suite)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < suite->case_count; i++)
        longest = suite->cases[i].shape.kv_len > longest ? suite->cases[i].shape.kv_len : longest;
    return longest;
}

/* Little beside the largest tensors that the suite itself makes. */
static void check_long(const struct bp_suite *suite, const struct bp_shape *shape)
{
    uint32_t longest = longest_of(suite);
    if (strncmp(shape->name, "unseen_long_", 12) != 0)
        fail_msg("%s", shape->name);
    assert_in_range(shape->kv_len, longest + 1, longest + longest / 4 + 64);
    assert_int_equal(shape->batch, 1);
    assert_in_range(shape->kv_heads, 1, 2);
    assert_in_range(shape->q_len, 1, 3);
}

static void test_every_kind(void **state)
{
    (void)state;
    static const char *const suites[] = {"quick", "full", "tiny", "odd_17", "l4_shape"};
    struct bp_suite suite;
    struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES];
    struct bp_key key;
    for (size_t s = 0; s < sizeof suites / sizeof *suites; s++) {
        find(suites[s], &suite);
        for (uint64_t seed = 0; seed < KEYS; seed++) {
            bp_key_from_seed(seed, &key);
            uint32_t count = bp_unseen_shapes_draw(&key, &suite, every, NULL, shapes);
            assert_int_equal(count, BP_UNSEEN_MAX_SHAPES);
            for (uint32_t i = 0; i < count; i++)
                check_against_suite(&suite, &shapes[i]);
            check_long(&suite, &shapes[count - 1]);
        }
    }
}

static void test_the_key_decides(void **state)
{
    (void)state;
    struct bp_suite suite;
    struct bp_shape one[BP_UNSEEN_MAX_SHAPES], again[BP_UNSEEN_MAX_SHAPES];
    struct bp_key key;
    uint32_t same = 0;
    find("quick", &suite);
    for (uint64_t seed = 0; seed < KEYS; seed++) {
        bp_key_from_seed(seed, &key);
        uint32_t count = bp_unseen_shapes_draw(&key, &suite, every, NULL, one);
        assert_int_equal(bp_unseen_shapes_draw(&key, &suite, every, NULL, again), count);
        assert_memory_equal(one, again, count * sizeof *one);
        bp_key_from_seed(seed + KEYS, &key);
        bp_unseen_shapes_draw(&key, &suite, every, NULL, again);
        for (uint32_t i = 0; i < count; i++)
            same += strcmp(one[i].name, again[i].name) == 0;
    }
    assert_in_range(same, 0, KEYS / 50);
}

/* What a kernel does not support is not drawn. */
static void test_only_admitted(void **state)
{
    (void)state;
    struct bp_suite suite;
    struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES];
    struct bp_key key;
    find("long_generation", &suite);
    for (uint64_t seed = 0; seed < KEYS; seed++) {
        bp_key_from_seed(seed, &key);
        uint32_t count = bp_unseen_shapes_draw(&key, &suite, decode_only, NULL, shapes);
        assert_int_equal(count, 4); /* near, decode, a ragged batch of decodes, and a long one */
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(shapes[i].q_len, 1);
    }
}

/* Nor what is longer than a kernel says it can. */
static bool as_long_as_the_suite(const void *context, const struct bp_shape *shape)
{
    return shape->kv_len <= longest_of(context);
}

static void test_none_longer_than_admitted(void **state)
{
    (void)state;
    struct bp_suite suite;
    struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES];
    struct bp_key key;
    find("quick", &suite);
    bp_key_from_seed(7, &key);
    uint32_t count = bp_unseen_shapes_draw(&key, &suite, as_long_as_the_suite, &suite, shapes);
    assert_int_equal(count, BP_UNSEEN_MAX_SHAPES - 1);
    for (uint32_t i = 0; i < count; i++)
        assert_true(shapes[i].kv_len <= longest_of(&suite));
}

static void test_a_suite_of_one(void **state)
{
    (void)state;
    struct bp_suite suite, own;
    struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES];
    struct bp_key key;
    find("quick", &suite);
    bp_key_from_seed(7, &key);
    bp_unseen_shapes_draw(&key, &suite, every, NULL, shapes);
    bp_unseen_shapes_suite(&key, &shapes[1], &own);
    assert_int_equal(own.timed_count, 0);
    assert_in_range(own.case_count, 2, 4);
    for (uint32_t i = 0; i < own.case_count; i++)
        assert_memory_equal(&own.cases[i].shape, &shapes[1], sizeof shapes[1]);
    assert_string_equal(own.name, shapes[1].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),     cmocka_unit_test(test_the_key_decides),
        cmocka_unit_test(test_only_admitted),  cmocka_unit_test(test_none_longer_than_admitted),
        cmocka_unit_test(test_a_suite_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
