/* The families: pure functions of the key, distinct per head, and with the structure promised. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/inputs.h"

#define DTYPE BP_DTYPE_BF16

struct made {
    struct bp_input_layout in;
    struct bp_shape shape;
    uint8_t *slot;
};

static struct made make(const struct bp_shape *shape, enum bp_family family, uint64_t seed)
{
    struct made made = {.shape = *shape};
    struct bp_key key;
    bp_layout_inputs(shape, DTYPE, &made.in);
    made.slot = calloc(1, made.in.bytes);
    bp_key_from_seed(seed, &key);
    bp_inputs_make(shape, family, DTYPE, &key, made.slot);
    return made;
}

/* A saved failure is replayed with its key: on another machine, in years. */
static void test_same_bytes_everywhere(void **state)
{
    static const struct bp_shape shape = {"h", 2, 4, 2, 6, 150, 64, .causal = 1};
    char hash[BP_FAMILY_COUNT][BP_HASH_TEXT], all[BP_HASH_TEXT];
    (void)state;
    for (int family = 0; family < BP_FAMILY_COUNT; family++) {
        struct made a = make(&shape, (enum bp_family)family, 5);
        bp_hash_text(a.slot, a.in.bytes, hash[family]);
        free(a.slot);
    }
    bp_hash_text(hash, sizeof hash, all);
    assert_string_equal(all, "3779221b2c2849833b537e86bec19cdc32c49dcd31c731f40a2b6afe2621718e");
}

static double at(const struct made *made, struct bp_extent extent, size_t index)
{
    return bp_dtype_load(DTYPE, made->slot + extent.offset + 2 * index);
}

static const struct bp_shape small = {"s", 2, 4, 2, 6, 50, 64, .causal = 1};

static void test_function_of_key(void **state)
{
    (void)state;
    for (int family = 0; family < BP_FAMILY_COUNT; family++) {
        struct made a = make(&small, (enum bp_family)family, 1);
        struct made b = make(&small, (enum bp_family)family, 1);
        struct made c = make(&small, (enum bp_family)family, 2);
        assert_memory_equal(a.slot, b.slot, a.in.bytes);
        assert_memory_not_equal(a.slot + a.in.q.offset, c.slot + a.in.q.offset, a.in.q.bytes);
        assert_memory_not_equal(a.slot + a.in.k.offset, c.slot + a.in.k.offset, a.in.k.bytes);
        for (size_t i = 0; i < a.in.q.offset; i++)
            assert_int_equal(a.slot[i], 0); /* guards are someone else's */
        free(a.slot);
        free(b.slot);
        free(c.slot);
    }
}

static void test_heads_differ(void **state)
{
    (void)state;
    for (int family = 0; family < BP_FAMILY_COUNT; family++) {
        struct made a = make(&small, (enum bp_family)family, 3);
        size_t kv_head = 50 * 64 * 2, q_head = 6 * 64 * 2;
        for (int i = 0; i < 4; i++) {
            for (int k = 0; k < i; k++) {
                assert_memory_not_equal(a.slot + a.in.k.offset + i * kv_head,
                                        a.slot + a.in.k.offset + k * kv_head, kv_head);
                if (family != BP_FAMILY_onehot)
                    assert_memory_not_equal(a.slot + a.in.v.offset + i * kv_head,
                                            a.slot + a.in.v.offset + k * kv_head, kv_head);
            }
        }
        for (int i = 1; i < 8; i++)
            assert_memory_not_equal(a.slot + a.in.q.offset, a.slot + a.in.q.offset + i * q_head,
                                    q_head);
        free(a.slot);
    }
}

static void moments(const struct made *made, struct bp_extent extent, double *mean,
                    double *deviation)
{
    size_t count = extent.bytes / 2;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double x = at(made, extent, i);
        sum += x;
        squares += x * x;
    }
    *mean = sum / (double)count;
    *deviation = sqrt(squares / (double)count - *mean * *mean);
}

static void expect_moments(enum bp_family family, double q_mean, double q_dev, double k_mean,
                           double k_dev, double v_mean, double v_dev)
{
    static const struct bp_shape shape = {"m", 1, 4, 4, 256, 256, 64};
    struct made a = make(&shape, family, 4);
    const struct bp_extent extents[] = {a.in.q, a.in.k, a.in.v};
    const double means[] = {q_mean, k_mean, v_mean}, devs[] = {q_dev, k_dev, v_dev};
    for (int i = 0; i < 3; i++) {
        double mean, deviation;
        moments(&a, extents[i], &mean, &deviation);
        assert_true(fabs(mean - means[i]) < 0.02 * (fabs(means[i]) + devs[i]));
        assert_true(fabs(deviation - devs[i]) < 0.02 * devs[i]);
    }
    free(a.slot);
}

static void test_moments(void **state)
{
    (void)state;
    expect_moments(BP_FAMILY_gauss, 0, 1, 0, 1, 0, 1);
    expect_moments(BP_FAMILY_shift, 0.5, 1, 0.5, 1, 2, 1);
    expect_moments(BP_FAMILY_x8, 0, 8, 0, 1, 0, 1);
    expect_moments(BP_FAMILY_x30, 0, 30, 0, 1, 0, 1);
    expect_moments(BP_FAMILY_small, 0, 0x1p-6, 0, 0x1p-6, 0, 0x1p-13);
}

/* Scaled score of query row with key j of its KV head; head_dim is 64. */
static double score(const struct made *made, size_t row, uint32_t j)
{
    const struct bp_shape *s = &made->shape;
    size_t head = row / s->q_len, group = head / (s->q_heads / s->kv_heads);
    double dot = 0;
    for (size_t d = 0; d < s->head_dim; d++)
        dot += at(made, made->in.q, row * s->head_dim + d) *
               at(made, made->in.k, (group * s->kv_len + j) * s->head_dim + d);
    return dot / sqrt(s->head_dim);
}

static uint32_t best_key(const struct made *made, size_t row, double *best)
{
    uint32_t found = 0;
    *best = -INFINITY;
    for (uint32_t j = 0; j < made->shape.kv_len; j++) {
        double s = score(made, row, j);
        if (s > *best) {
            *best = s;
            found = j;
        }
    }
    return found;
}

/* Needles hit every tile of 64 keys, both ends and the first masked key. */
static void test_needle(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"n", 1, 2, 1, 64, 400, 64, .causal = 1};
    struct made a = make(&shape, BP_FAMILY_needle, 5);
    unsigned tiles = 0, first = 0, last = 0, masked = 0;
    for (size_t row = 0; row < 128; row++) {
        double best;
        uint32_t key = best_key(&a, row, &best), end = 400 - 64 + (uint32_t)(row % 64) + 1;
        tiles |= 1u << key / 64;
        first += key == 0;
        last += key == end - 1;
        masked += key == end;
    }
    assert_int_equal(tiles, 0x7f);
    assert_true(first >= 3 && last >= 3 && masked >= 3);
    free(a.slot);
}

/* Every key is in a group that some query asks for. */
static void test_code(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"c", 1, 2, 1, 32, 512, 64};
    struct made a = make(&shape, BP_FAMILY_code, 6);
    bool asked[512] = {false};
    for (size_t row = 0; row < 64; row++) {
        unsigned hit = 0;
        for (uint32_t j = 0; j < 512; j++) {
            if (fabs(score(&a, row, j) - (log(512) + 1.5)) < 0.05) {
                asked[j] = true;
                hit++;
            }
        }
        assert_int_equal(hit, 16);
    }
    for (int j = 0; j < 512; j++)
        assert_true(asked[j]);
    free(a.slot);
}

static void test_exact(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"e", 1, 2, 2, 40, 300, 64, .causal = 1};
    struct made a = make(&shape, BP_FAMILY_exact, 7);
    for (size_t row = 0; row < 80; row++) {
        double best, second = -INFINITY;
        uint32_t key = best_key(&a, row, &best), end = 300 - 40 + (uint32_t)(row % 40) + 1;
        assert_true(key < end && fabs(best - 120) < 1);
        for (uint32_t j = 0; j < end; j++)
            second = j == key ? second : fmax(second, score(&a, row, j));
        assert_true(best - second > 20);
    }
    free(a.slot);
}

static void test_ramp(void **state)
{
    (void)state;
    static const struct bp_shape shape = {"r", 1, 2, 2, 8, 640, 64};
    struct made a = make(&shape, BP_FAMILY_ramp, 8);
    for (size_t row = 0; row < 16; row++) {
        double low = 0, high = 0;
        for (uint32_t j = 0; j < 64; j++) {
            low += score(&a, row, j) / 64;
            high += score(&a, row, 576 + j) / 64;
        }
        assert_true(high - low > 7 && high - low < 15);
    }
    free(a.slot);
}

static void test_onehot_and_constv(void **state)
{
    (void)state;
    struct made a = make(&small, BP_FAMILY_onehot, 9), b = make(&small, BP_FAMILY_constv, 9);
    for (size_t j = 0; j < 50; j++) {
        for (size_t d = 0; d < 64; d++) {
            assert_true(at(&a, a.in.v, j * 64 + d) == (d == j ? 4 : 0));
            assert_true(at(&b, b.in.v, j * 64 + d) == at(&b, b.in.v, d));
        }
    }
    free(a.slot);
    free(b.slot);
}

/* Lengths of one key, rows without keys, empty sequences: finite inputs and the true lengths. */
static void test_degenerate(void **state)
{
    (void)state;
    static const struct bp_shape shapes[] = {
        {"1", 1, 2, 1, 1, 1, 64},
        {"masked", 1, 2, 1, 9, 3, 64, .causal = 1},
        {"ragged", 3, 2, 1, 2, 5, 64, .ragged = 1, .kv_lens = {5, 0, 2}},
        {"window", 1, 2, 2, 30, 30, 64, .causal = 1, .window = 1},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int family = 0; family < BP_FAMILY_COUNT; family++) {
            struct made a = make(&shapes[s], (enum bp_family)family, 10);
            for (size_t i = 0; i < a.in.q.bytes / 2; i++)
                assert_true(isfinite(at(&a, a.in.q, i)));
            for (size_t i = 0; i < a.in.k.bytes / 2; i++)
                assert_true(isfinite(at(&a, a.in.k, i)) && isfinite(at(&a, a.in.v, i)));
            for (uint32_t b = 0; b < shapes[s].batch; b++) {
                gqa_i32 length;
                memcpy(&length, a.slot + a.in.kv_lens.offset + 4 * b, 4);
                assert_int_equal(length, bp_shape_kv_len(&shapes[s], b));
            }
            free(a.slot);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_of_key),
        cmocka_unit_test(test_same_bytes_everywhere),
        cmocka_unit_test(test_heads_differ),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_needle),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_onehot_and_constv),
        cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
