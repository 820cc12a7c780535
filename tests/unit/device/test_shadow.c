/* The rules of shadow memory, without a kernel: accesses by hand, who is told of and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/shadow.h"

#define INPUT 0x10000u
#define OUTPUT 0x20000u
#define WORKSPACE 0x30000u
#define LDS 0x40000u
#define BYTES 256u

static struct bp_shadow *shadow;
static struct bp_msg_gate_result finding;

static const uint32_t grid[3] = {4, 1, 1};

static void launch(void)
{
    struct bp_error err;
    bp_shadow_begin_launch(shadow, grid, 64);
    assert_int_equal(bp_shadow_add(shadow, BP_SHADOW_LDS, "LDS", LDS, BYTES, &err), 0);
}

static int open_shadow(void **state)
{
    struct bp_error err;
    (void)state;
    if (bp_shadow_open(BP_GATES_OF_MEMORY, &shadow, &err) < 0 ||
        bp_shadow_add(shadow, BP_SHADOW_INPUT, "k", INPUT, BYTES, &err) < 0 ||
        bp_shadow_add(shadow, BP_SHADOW_OUTPUT, "o", OUTPUT, BYTES, &err) < 0 ||
        bp_shadow_add(shadow, BP_SHADOW_WORKSPACE, "workspace", WORKSPACE, BYTES, &err) < 0)
        return -1;
    launch();
    return 0;
}

static int close_shadow(void **state)
{
    (void)state;
    bp_shadow_close(&shadow);
    return 0;
}

static bool touch(uint64_t block, uint32_t thread, enum bp_shadow_access access, uintptr_t address,
                  uint64_t bytes)
{
    bp_shadow_enter(shadow, block, thread);
    return bp_shadow_check(shadow, access, false, address, bytes, thread + 1, &finding);
}

static bool reads(uint64_t block, uint32_t thread, uintptr_t address)
{
    return touch(block, thread, BP_SHADOW_READ, address, 4);
}

static bool writes(uint64_t block, uint32_t thread, uintptr_t address)
{
    return touch(block, thread, BP_SHADOW_WRITE, address, 4);
}

static bool adds(uint64_t block, uint32_t thread, uintptr_t address)
{
    bp_shadow_enter(shadow, block, thread);
    return bp_shadow_check(shadow, BP_SHADOW_UPDATE, true, address, 4, thread + 1, &finding);
}

static void each_passes(void (*pass)(struct bp_shadow *shadow), uint64_t block, uint32_t from,
                        uint32_t to)
{
    for (uint32_t thread = from; thread < to; thread++) {
        bp_shadow_enter(shadow, block, thread);
        pass(shadow);
    }
}

static void expect_finding(enum bp_verdict verdict, const char *cause, const char *text)
{
    assert_int_equal(finding.verdict, verdict);
    assert_string_equal(finding.cause, cause);
    assert_string_equal(finding.sites[0].text, text);
}

static void a_barrier_orders_a_block(void **state)
{
    (void)state;
    assert_true(writes(0, 3, LDS));
    assert_true(reads(0, 3, LDS));
    each_passes(bp_shadow_barrier, 0, 0, 64);
    assert_true(reads(0, 40, LDS));
    assert_true(reads(0, 5, LDS));
    assert_false(writes(0, 5, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "read of 4 bytes at LDS+0 by thread 40");
    assert_string_equal(finding.sites[1].text, "write by thread 5 of block (0,0,0)");
    assert_int_equal(finding.sites[0].code, 41);
    assert_int_equal(finding.sites[1].code, 6);
    each_passes(bp_shadow_barrier, 0, 0, 64);
    assert_true(writes(0, 5, LDS));
    assert_false(reads(0, 6, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "write of 4 bytes at LDS+0 by thread 5");
}

/* Threads of a wave come out of a barrier one by one: the first of them is not yet a second barrier. */
static void a_barrier_is_passed_once(void **state)
{
    (void)state;
    each_passes(bp_shadow_barrier, 0, 0, 1);
    assert_true(writes(0, 0, LDS));
    each_passes(bp_shadow_barrier, 0, 1, 2);
    assert_false(reads(0, 1, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "write of 4 bytes at LDS+0 by thread 0");
}

static void a_wave_operation_orders_its_wave_only(void **state)
{
    (void)state;
    assert_true(writes(0, 0, LDS));
    each_passes(bp_shadow_wave, 0, 0, 32);
    assert_true(reads(0, 31, LDS));
    each_passes(bp_shadow_wave, 0, 32, 64);
    assert_false(reads(0, 32, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "write of 4 bytes at LDS+0 by thread 0");
}

static void bytes_are_told_apart(void **state)
{
    (void)state;
    assert_true(touch(0, 0, BP_SHADOW_WRITE, LDS, 2));
    assert_true(touch(0, 1, BP_SHADOW_WRITE, LDS + 2, 2));
    assert_true(touch(0, 2, BP_SHADOW_WRITE, LDS + 5, 1));
    assert_true(touch(0, 3, BP_SHADOW_WRITE, LDS + 4, 1));
    assert_false(touch(0, 4, BP_SHADOW_WRITE, LDS + 3, 2));
    expect_finding(BP_VERDICT_RACE, "race", "write of 2 bytes at LDS+3 by thread 1");
}

static void a_reader_of_another_wave_is_remembered(void **state)
{
    (void)state;
    assert_true(writes(0, 0, LDS));
    each_passes(bp_shadow_barrier, 0, 0, 64);
    assert_true(reads(0, 40, LDS));
    for (uint32_t thread = 0; thread < 32; thread++)
        assert_true(reads(0, thread, LDS));
    each_passes(bp_shadow_wave, 0, 0, 32);
    assert_false(writes(0, 0, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "read of 4 bytes at LDS+0 by thread 40");
}

static void blocks_of_a_launch_have_no_order(void **state)
{
    (void)state;
    assert_true(writes(0, 0, OUTPUT));
    each_passes(bp_shadow_barrier, 0, 0, 64);
    assert_true(writes(1, 0, OUTPUT + 4));
    assert_false(writes(1, 1, OUTPUT));
    expect_finding(BP_VERDICT_RACE, "race", "write of 4 bytes at o+0 by thread 0 of block (0,0,0)");
    assert_true(writes(2, 0, LDS));
    assert_true(writes(3, 9, LDS));
}

static void launches_are_ordered(void **state)
{
    (void)state;
    assert_true(writes(0, 0, WORKSPACE));
    launch();
    assert_true(reads(3, 5, WORKSPACE));
    assert_false(writes(2, 5, WORKSPACE));
    expect_finding(BP_VERDICT_RACE, "race",
                   "read of 4 bytes at workspace+0 by thread 5 of block (3,0,0)");
}

/* A ticket in workspace + 16: what was written before it may be read by who has drawn a later one. */
static void atomics_order(void **state)
{
    (void)state;
    assert_true(writes(0, 0, WORKSPACE + 16));
    launch();
    assert_true(writes(0, 1, WORKSPACE));
    assert_true(adds(0, 0, WORKSPACE + 16));
    assert_true(writes(0, 1, WORKSPACE + 4));
    assert_false(reads(1, 0, WORKSPACE));
    assert_true(adds(1, 0, WORKSPACE + 16));
    assert_true(reads(1, 0, WORKSPACE));
    assert_false(reads(1, 0, WORKSPACE + 4));
    expect_finding(BP_VERDICT_RACE, "race",
                   "write of 4 bytes at workspace+4 by thread 1 of block (0,0,0)");
}

static void atomics_do_not_race_with_each_other(void **state)
{
    (void)state;
    assert_true(writes(0, 0, LDS));
    each_passes(bp_shadow_barrier, 0, 0, 64);
    assert_true(adds(0, 1, LDS));
    assert_true(adds(0, 2, LDS));
    assert_false(reads(0, 3, LDS));
    expect_finding(BP_VERDICT_RACE, "race", "atomic write of 4 bytes at LDS+0 by thread 2");
}

static void outside_is_named_by_the_nearest(void **state)
{
    (void)state;
    assert_true(reads(0, 0, INPUT + BYTES - 4));
    assert_false(reads(2, 17, INPUT + BYTES + 8));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "read of 4 bytes, 8 bytes past the end of k, by thread 17 of block (2,0,0)");
    assert_false(reads(0, 0, INPUT + BYTES - 2));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "read of 4 bytes, across the end of k, by thread 0 of block (0,0,0)");
    assert_false(writes(0, 0, OUTPUT - 1));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "write of 4 bytes, 1 byte before the start of o, by thread 0 of block (0,0,0)");
    assert_false(writes(0, 0, (uintptr_t)1 << 40));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "write of 4 bytes, far from everything, by thread 0 of block (0,0,0)");
    assert_false(writes(0, 0, INPUT + 8));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "write of 4 bytes at k+8, which is an input, by thread 0 of block (0,0,0)");
    assert_false(reads(0, 0, 16));
    expect_finding(BP_VERDICT_CRASH, "bounds",
                   "read of 4 bytes, through a null pointer, by thread 0 of block (0,0,0)");
    assert_false(touch(0, 0, BP_SHADOW_READ, INPUT + 8, UINT64_MAX - 4));
}

static void what_was_not_written_is_not_read(void **state)
{
    (void)state;
    assert_false(reads(0, 0, LDS));
    expect_finding(BP_VERDICT_CRASH, "uninitialised",
                   "read of 4 bytes by thread 0 of block (0,0,0): LDS+0 was never written");
    assert_true(touch(0, 0, BP_SHADOW_WRITE, LDS, 3));
    assert_false(reads(0, 0, LDS));
    expect_finding(BP_VERDICT_CRASH, "uninitialised",
                   "read of 4 bytes by thread 0 of block (0,0,0): LDS+3 was never written");
    assert_false(adds(0, 0, WORKSPACE));
    assert_false(reads(0, 0, OUTPUT));
    assert_true(writes(0, 0, WORKSPACE));
    assert_true(writes(0, 0, LDS));
    assert_true(reads(0, 0, LDS));
    assert_false(reads(1, 0, LDS)); /* another block's LDS */
    launch();
    assert_true(reads(0, 0, WORKSPACE));
    assert_false(reads(0, 0, LDS));
}

static void gates_that_are_off_say_nothing(void **state)
{
    struct bp_error err;
    struct bp_shadow *bounds;
    (void)state;
    assert_int_equal(bp_shadow_open(1u << BP_GATE_bounds, &bounds, &err), 0);
    assert_int_equal(bp_shadow_add(bounds, BP_SHADOW_OUTPUT, "o", OUTPUT, BYTES, &err), 0);
    bp_shadow_begin_launch(bounds, grid, 64);
    for (uint32_t thread = 0; thread < 2; thread++) {
        bp_shadow_enter(bounds, 0, thread);
        assert_true(bp_shadow_check(bounds, BP_SHADOW_UPDATE, false, OUTPUT, 4, 0, &finding));
        assert_false(bp_shadow_check(bounds, BP_SHADOW_READ, false, OUTPUT - 4, 4, 0, &finding));
    }
    bp_shadow_close(&bounds);
}

static void words_are_read_as_sets(void **state)
{
    uint32_t gates = 0;
    (void)state;
    assert_true(bp_gates_parse("race,barrier", &gates));
    assert_int_equal(gates, 1u << BP_GATE_race | 1u << BP_GATE_barrier);
    assert_true(bp_gates_parse("all", &gates));
    assert_int_equal(gates, BP_GATES_ALL);
    gates = 77;
    assert_false(bp_gates_parse("race,", &gates));
    assert_false(bp_gates_parse("", &gates));
    assert_false(bp_gates_parse("races", &gates));
    assert_false(bp_gates_parse("race, bounds", &gates));
    assert_int_equal(gates, 77);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shadow, close_shadow)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_barrier_orders_a_block),
        TEST(a_barrier_is_passed_once),
        TEST(a_wave_operation_orders_its_wave_only),
        TEST(bytes_are_told_apart),
        TEST(a_reader_of_another_wave_is_remembered),
        TEST(blocks_of_a_launch_have_no_order),
        TEST(launches_are_ordered),
        TEST(atomics_order),
        TEST(atomics_do_not_race_with_each_other),
        TEST(outside_is_named_by_the_nearest),
        TEST(what_was_not_written_is_not_read),
        TEST(gates_that_are_off_say_nothing),
        cmocka_unit_test(words_are_read_as_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
