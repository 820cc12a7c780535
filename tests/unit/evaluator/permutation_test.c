#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/layout.h"
#include "evaluator/permutation.h"

static const struct bp_shape shape = {"p", 2, 12, 4, 3, 5, 8};

static void test_is_a_permutation(void **state)
{
    (void)state;
    struct bp_key key;
    struct bp_permutation p, again;
    unsigned moved = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        unsigned kv_seen = 0, q_seen = 0;
        bp_key_from_seed(seed, &key);
        bp_permutation_make(&shape, &key, &p);
        bp_permutation_make(&shape, &key, &again);
        for (int g = 0; g < 4; g++)
            kv_seen |= 1u << p.kv_head[g];
        for (int h = 0; h < 12; h++) {
            q_seen |= 1u << p.q_head[h];
            assert_int_equal(p.q_head[h], again.q_head[h]);
            /* A query head keeps its KV head. */
            assert_int_equal(p.q_head[h] / 3, p.kv_head[h / 3]);
            moved += p.q_head[h] != h;
        }
        assert_int_equal(kv_seen, 0xf);
        assert_int_equal(q_seen, 0xfff);
    }
    assert_true(moved > 500); /* of 600; 550 expected */
}

static void test_copy_and_compare(void **state)
{
    (void)state;
    struct bp_input_layout in;
    struct bp_key key;
    struct bp_permutation p;
    bp_layout_inputs(&shape, BP_DTYPE_BF16, &in);
    uint8_t *master = calloc(1, in.bytes), *slot = calloc(1, in.bytes);
    for (size_t i = 0; i < in.bytes; i++)
        master[i] = (uint8_t)(i * 131 + i / 251);
    bp_key_from_seed(7, &key);
    bp_permutation_make(&shape, &key, &p);
    bp_permutation_copy(&shape, BP_DTYPE_BF16, &p, master, slot);
    assert_true(bp_permutation_unchanged(&shape, BP_DTYPE_BF16, &p, master, slot));

    size_t head = 5 * 8 * 2;
    for (size_t g = 0; g < 4; g++)
        assert_memory_equal(slot + in.v.offset + (4 + g) * head,
                            master + in.v.offset + (4 + p.kv_head[g]) * head, head);

    const struct bp_extent extents[] = {in.q, in.k, in.v, in.kv_lens};
    size_t end = 0;
    for (int e = 0; e < 4; e++) {
        for (size_t i = end; i < extents[e].offset; i++)
            assert_int_equal(slot[i], 0); /* guards are not copied */
        for (size_t i = extents[e].offset; i < extents[e].offset + extents[e].bytes; i++) {
            slot[i] ^= 1;
            assert_false(bp_permutation_unchanged(&shape, BP_DTYPE_BF16, &p, master, slot));
            slot[i] ^= 1;
        }
        end = extents[e].offset + extents[e].bytes;
    }
    free(master);
    free(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_a_permutation),
        cmocka_unit_test(test_copy_and_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
