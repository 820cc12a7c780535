/* Fresh inputs: normal deviates without repeats or correlations, the same bytes everywhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/fresh.h"

#define SLOTS 3
#define KEYS 512
#define DIM 64
#define HEADS 4

static const struct bp_shape shape = {
    "fresh", 2, HEADS, 2, 128, KEYS, DIM, .ragged = 1, .kv_lens = {KEYS, 9}};

struct made {
    enum bp_dtype dtype;
    struct bp_input_layout in;
    uint8_t *slots; /* owned */
};

static struct made make(enum bp_dtype dtype, const struct bp_shape *of, uint64_t seed)
{
    static struct bp_fresh fresh;
    struct made made = {.dtype = dtype};
    struct bp_key key;
    bp_layout_inputs(of, dtype, &made.in);
    made.slots = aligned_alloc(4096, SLOTS * made.in.bytes);
    memset(made.slots, 0, SLOTS * made.in.bytes);
    bp_key_from_seed(seed, &key);
    bp_fresh_open(&fresh, dtype);
    bp_fresh_fill(&fresh, of, &key, SLOTS, made.slots);
    return made;
}

static const uint8_t *tensor(const struct made *made, int slot, int number, size_t *count)
{
    const struct bp_extent *tensors[] = {&made->in.q, &made->in.k, &made->in.v};
    *count = tensors[number]->bytes / bp_dtype_size(made->dtype);
    return made->slots + slot * made->in.bytes + tensors[number]->offset;
}

static double value(const struct made *made, const uint8_t *of, size_t index)
{
    return bp_dtype_load(made->dtype, of + index * bp_dtype_size(made->dtype));
}

/* Each tensor alone: 65536 deviates at least. */
static void expect_normal(const struct made *made, const uint8_t *of, size_t count)
{
    double powers[5] = {0}, largest = 0,
           smallest_normal = made->dtype == BP_DTYPE_F16 ? 0x1p-14 : 0x1p-126;
    size_t beyond_two = 0, beyond_three = 0, subnormal = 0;
    for (size_t i = 0; i < count; i++) {
        double x = value(made, of, i), power = 1;
        assert_true(isfinite(x));
        for (int p = 1; p < 5; p++)
            powers[p] += power *= x;
        largest = fmax(largest, fabs(x));
        beyond_two += fabs(x) > 2;
        beyond_three += fabs(x) > 3;
        subnormal += fabs(x) < smallest_normal;
    }
    double n = (double)count;
    assert_true(fabs(powers[1] / n) < 0.02);
    assert_true(fabs(powers[2] / n - 1) < 0.03);
    assert_true(fabs(powers[3] / n) < 0.08);
    assert_true(fabs(powers[4] / n - 3) < 0.2);
    assert_true(fabs((double)beyond_two / n - 0.0455) < 0.006);
    assert_true(fabs((double)beyond_three / n - 0.0027) < 0.0012);
    assert_true(largest > 3.5 && largest < 5);
    assert_true((double)subnormal / n < 0.0005);
}

static void every_tensor_is_normal(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct made made = make((enum bp_dtype)dtype, &shape, 1);
        for (int slot = 0; slot < SLOTS; slot++)
            for (int t = 0; t < 3; t++) {
                size_t count;
                const uint8_t *at = tensor(&made, slot, t, &count);
                expect_normal(&made, at, count);
            }
        free(made.slots);
    }
}

static double correlation(const struct made *made, const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value(made, a, i) * value(made, b, i);
    return sum / (double)count;
}

/* Five standard deviations of a mean of products of unit variance. */
static void expect_unrelated(const struct made *made, const uint8_t *a, const uint8_t *b,
                             size_t count)
{
    double r = correlation(made, a, b, count);
    if (!(fabs(r) < 5 / sqrt((double)count)))
        fail_msg("correlation %g of %zu values", r, count);
}

static void nothing_is_related(void **state)
{
    static const size_t lags[] = {1, 2, 4, 8, 16, 31, 32, 33, DIM, 4 * DIM, 1024, 16384};
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct made made = make((enum bp_dtype)dtype, &shape, 2);
        size_t count, other_count, element = bp_dtype_size(made.dtype);
        for (int one = 0; one < 3 * SLOTS; one++) {
            const uint8_t *a = tensor(&made, one / 3, one % 3, &count);
            for (size_t i = 0; i < sizeof lags / sizeof *lags; i++)
                expect_unrelated(&made, a, a + lags[i] * element, count - lags[i]);
            for (int other = 0; other < one; other++) {
                const uint8_t *b = tensor(&made, other / 3, other % 3, &other_count);
                expect_unrelated(&made, a, b, count < other_count ? count : other_count);
            }
        }
        free(made.slots);
    }
}

static int compare_blocks(const void *a, const void *b)
{
    return memcmp(a, b, BP_FRESH_BLOCK_BYTES);
}

/* A head's keys are many blocks: when no two blocks are alike, no head of any slot is an earlier one. */
static void no_block_comes_twice(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct made first = make((enum bp_dtype)dtype, &shape, 3);
        struct made second = make((enum bp_dtype)dtype, &shape, 4);
        size_t total = 2 * SLOTS * first.in.bytes, used = 0, count;
        uint8_t *blocks = malloc(total);
        for (int fill = 0; fill < 2; fill++)
            for (int i = 0; i < 3 * SLOTS; i++) {
                struct made *made = fill ? &second : &first;
                const uint8_t *at = tensor(made, i / 3, i % 3, &count);
                size_t bytes = count * bp_dtype_size(made->dtype);
                memcpy(blocks + used, at, bytes);
                used += bytes;
            }
        qsort(blocks, used / BP_FRESH_BLOCK_BYTES, BP_FRESH_BLOCK_BYTES, compare_blocks);
        for (size_t i = BP_FRESH_BLOCK_BYTES; i < used; i += BP_FRESH_BLOCK_BYTES)
            assert_memory_not_equal(blocks + i - BP_FRESH_BLOCK_BYTES, blocks + i,
                                    BP_FRESH_BLOCK_BYTES);
        free(blocks);
        free(first.slots);
        free(second.slots);
    }
}

/* Of 16 random bits an element's own share is four; each of them must toggle by itself. */
static void random_bits_are_even(void **state)
{
    static const int bits[BP_DTYPE_COUNT][4] = {[BP_DTYPE_F16] = {15, 2, 1, 0},
                                                [BP_DTYPE_BF16] = {15, 2, 1, 0},
                                                [BP_DTYPE_F32] = {31, 18, 17, 16}};
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct made made = make((enum bp_dtype)dtype, &shape, 5);
        size_t count, element = bp_dtype_size(made.dtype), seen[16] = {0};
        const uint8_t *at = tensor(&made, 0, 1, &count);
        for (size_t i = 0; i < count; i++) {
            uint32_t word = 0;
            int pattern = 0;
            memcpy(&word, at + i * element, element);
            for (int b = 0; b < 4; b++)
                pattern = 2 * pattern + (int)(word >> bits[dtype][b] & 1);
            seen[pattern]++;
        }
        double expected = (double)count / 16;
        for (int pattern = 0; pattern < 16; pattern++)
            assert_true(fabs((double)seen[pattern] - expected) < 0.05 * expected);
        free(made.slots);
    }
}

/* Not a byte beside the tensors is touched; lengths are there; the key decides. */
static void only_tensors_are_written(void **state)
{
    static const struct bp_shape odd = {"odd", 1, 3, 1, 5, 7, 24};
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct made a = make((enum bp_dtype)dtype, &odd, 6),
                    b = make((enum bp_dtype)dtype, &odd, 7);
        for (int slot = 0; slot < SLOTS; slot++) {
            uint8_t *at = a.slots + slot * a.in.bytes;
            const struct bp_extent *all[] = {&a.in.q, &a.in.k, &a.in.v, &a.in.kv_lens};
            gqa_i32 length;
            memcpy(&length, at + a.in.kv_lens.offset, sizeof length);
            assert_int_equal(length, 7);
            for (int t = 0; t < 3; t++)
                assert_memory_not_equal(at + all[t]->offset,
                                        b.slots + slot * b.in.bytes + all[t]->offset, 16);
            for (int t = 0; t < 4; t++)
                memset(at + all[t]->offset, 0, all[t]->bytes);
            for (size_t i = 0; i < a.in.bytes; i++)
                assert_int_equal(at[i], 0);
        }
        free(a.slots);
        free(b.slots);
    }
}

/* A saved failure is replayed with its key: on another machine, in years. */
static void same_bytes_everywhere(void **state)
{
    static const char *const expected[BP_DTYPE_COUNT] = {

        [BP_DTYPE_F16] = "d0547f5cef2e66857d1ae5d044861c5bd1b007519cf577e9524c432ff6ba6a42",
        [BP_DTYPE_BF16] = "c7a1354ebc9dc9ac9d6a42a4f008f9fd170931b3eab3f5fcbcb8a7ef389f7d2c",
        [BP_DTYPE_F32] = "b68785844902baf5fcdbdf96ee4c513966a264bf34334d8e60ec79fecab89598",
    };
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        char hash[BP_HASH_TEXT];
        struct made made = make((enum bp_dtype)dtype, &shape, 8);
        bp_hash_text(made.slots, SLOTS * made.in.bytes, hash);
        assert_string_equal(hash, expected[dtype]);
        free(made.slots);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_is_normal),   cmocka_unit_test(nothing_is_related),
        cmocka_unit_test(no_block_comes_twice),     cmocka_unit_test(random_bits_are_even),
        cmocka_unit_test(only_tensors_are_written), cmocka_unit_test(same_bytes_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
