#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/layout.h"

static const struct bp_shape odd = {"odd", 3, 5, 1, 7, 11, 24};
static const uint64_t canary = 0x0123456789abcdef;

static void test_extents(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct bp_input_layout in;
        struct bp_output_layout out;
        bp_layout_inputs(&odd, (enum bp_dtype)dtype, &in);
        bp_layout_outputs(&odd, (enum bp_dtype)dtype, &out);
        const struct bp_extent *extents[] = {&in.q, &in.k, &in.v, &in.kv_lens};
        size_t end = 0;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(extents[i]->offset % BP_TENSOR_ALIGN, 0);
            assert_true(extents[i]->offset >= end + BP_GUARD_BYTES);
            end = extents[i]->offset + extents[i]->bytes;
        }
        assert_true(in.bytes >= end + BP_GUARD_BYTES);
        assert_int_equal(in.bytes % 4096, 0);
        assert_int_equal(in.q.bytes, 3 * 5 * 7 * 24 * bp_dtype_size((enum bp_dtype)dtype));
        assert_int_equal(in.v.bytes, 3 * 11 * 24 * bp_dtype_size((enum bp_dtype)dtype));
        assert_int_equal(in.kv_lens.bytes, 3 * 4);
        assert_int_equal(out.o.bytes, in.q.bytes);
        assert_int_equal(out.bytes % 4096, 0);
    }
}

/* Every byte of the slot: a change is seen exactly when it is outside the tensors. */
static void test_input_guards(void **state)
{
    (void)state;
    struct bp_input_layout in;
    bp_layout_inputs(&odd, BP_DTYPE_F16, &in);
    uint8_t *slot = calloc(1, in.bytes);
    const struct bp_extent extents[] = {in.q, in.k, in.v, in.kv_lens};
    bp_layout_guard_inputs(&in, canary, slot);
    assert_true(bp_layout_check_inputs(&in, canary, slot) == SIZE_MAX);
    assert_true(bp_layout_check_inputs(&in, canary + 1, slot) != SIZE_MAX);
    for (size_t i = 0; i < in.bytes; i++) {
        bool tensor = false;
        for (int e = 0; e < 4; e++)
            tensor |= i >= extents[e].offset && i < extents[e].offset + extents[e].bytes;
        slot[i] ^= 0x10;
        assert_true(bp_layout_check_inputs(&in, canary, slot) == (tensor ? SIZE_MAX : i));
        slot[i] ^= 0x10;
    }
    free(slot);
}

static void test_output_guards(void **state)
{
    (void)state;
    struct bp_output_layout out;
    bp_layout_outputs(&odd, BP_DTYPE_F32, &out);
    uint8_t *slot = calloc(1, out.bytes);
    bp_layout_guard_outputs(&out, canary, slot);
    bp_layout_poison_output(&out, BP_POISON_LARGE, slot);
    assert_true(bp_layout_check_outputs(&out, canary, slot) == SIZE_MAX);
    size_t end = out.o.offset + out.o.bytes;
    const size_t edges[] = {0, out.o.offset - 1, end, out.bytes - 1};
    for (int i = 0; i < 4; i++) {
        slot[edges[i]]++;
        assert_true(bp_layout_check_outputs(&out, canary, slot) == edges[i]);
        slot[edges[i]]--;
    }
    free(slot);
}

static void test_poison(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct bp_output_layout out;
        bp_layout_outputs(&odd, (enum bp_dtype)dtype, &out);
        uint8_t *slot = calloc(1, out.bytes);
        size_t step = bp_dtype_size((enum bp_dtype)dtype);
        bp_layout_poison_output(&out, BP_POISON_LARGE, slot);
        for (size_t i = 0; i < out.o.bytes; i += step) {
            double value = bp_dtype_load((enum bp_dtype)dtype, slot + out.o.offset + i);
            assert_true(value > 6e4 && value < 1e38);
        }
        bp_layout_poison_output(&out, BP_POISON_NAN, slot);
        double value = bp_dtype_load((enum bp_dtype)dtype, slot + out.o.offset);
        assert_true(value != value);
        assert_int_equal(slot[out.o.offset - 1], 0);
        assert_int_equal(slot[out.o.offset + out.o.bytes], 0);
        free(slot);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extents),
        cmocka_unit_test(test_input_guards),
        cmocka_unit_test(test_output_guards),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
