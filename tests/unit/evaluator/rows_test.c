#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "evaluator/rows.h"

static struct bp_shape shape_of(uint32_t batch, uint32_t heads, uint32_t q_len)
{
    return (struct bp_shape){"rows", batch, heads, 1, q_len, 1000, 64};
}

static uint64_t position(const struct bp_shape *shape, struct bp_row row)
{
    assert_true(row.batch < shape->batch && row.head < shape->q_heads && row.token < shape->q_len);
    return ((uint64_t)row.batch * shape->q_heads + row.head) * shape->q_len + row.token;
}

static void test_all(void **state)
{
    (void)state;
    struct bp_key key;
    struct bp_shape shape = shape_of(2, 3, 70);
    bp_key_from_seed(1, &key);
    assert_int_equal(bp_rows_count(&shape, 420), 420);
    for (uint64_t i = 0; i < 420; i++)
        assert_int_equal(position(&shape, bp_rows_at(&shape, &key, 420, i)), i);
}

/* Every tile of 64 tokens is hit, no row comes twice, the order is that of memory up to a tile. */
static void test_every_tile(void **state)
{
    (void)state;
    static const struct {
        uint32_t q_len;
        uint64_t max_rows;
    } cases[] = {{333, 24}, {333, 100}, {333, 1331}, {64, 200}, {65, 16}, {4096, 256}, {100, 399}};
    struct bp_key key;
    bp_key_from_seed(2, &key);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct bp_shape shape = shape_of(2, 2, cases[c].q_len);
        uint64_t count = bp_rows_count(&shape, cases[c].max_rows);
        uint64_t tiles = (shape.q_len + 63) / 64;
        assert_true(count <= cases[c].max_rows && count >= 4 * tiles);
        unsigned char *seen = calloc(4, shape.q_len), *hit = calloc(4, tiles);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t at = position(&shape, bp_rows_at(&shape, &key, cases[c].max_rows, i));
            assert_int_equal(seen[at]++, 0);
            hit[at / shape.q_len * tiles + at % shape.q_len / 64] = 1;
        }
        for (uint64_t t = 0; t < 4 * tiles; t++)
            assert_int_equal(hit[t], 1);
        free(seen);
        free(hit);
    }
}

static void test_thinned(void **state)
{
    (void)state;
    struct bp_key key;
    struct bp_shape shape = shape_of(4, 8, 640);
    bp_key_from_seed(3, &key);
    assert_int_equal(bp_rows_count(&shape, 50), 50);
    uint64_t last = 0;
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t at = position(&shape, bp_rows_at(&shape, &key, 50, i));
        assert_true(i == 0 || at > last);
        last = at;
    }
    assert_true(last >= 31 * 640); /* evenly: the last head is reached */
}

static void test_secret(void **state)
{
    (void)state;
    struct bp_key a, b;
    struct bp_shape shape = shape_of(1, 4, 4096);
    bp_key_from_seed(4, &a);
    bp_key_from_seed(5, &b);
    unsigned same = 0;
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t at = position(&shape, bp_rows_at(&shape, &a, 256, i));
        assert_int_equal(position(&shape, bp_rows_at(&shape, &a, 256, i)), at);
        same += position(&shape, bp_rows_at(&shape, &b, 256, i)) == at;
    }
    assert_true(same < 30); /* 4 expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_every_tile),
        cmocka_unit_test(test_thinned),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
