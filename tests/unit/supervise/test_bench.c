/* The bench with its real prepare child: what one candidate leaves in the arenas the next does not
 * find, batches get inputs of their own, and orders may be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "evaluator/layout.h"
#include "harness/supervise/bench.h"
#include "tests/lib/loop.h"

#define RING_BYTES (256u << 10)

static struct bp_suite suite;
static struct bp_bench *bench;

struct done {
    uint32_t count;
    bool failed;
};

static void order_done(void *context, const struct bp_error *err)
{
    struct done *done = context;
    done->count++;
    done->failed |= err != NULL;
}

static void wait_for(const struct done *done, uint32_t count)
{
    struct bp_error err;
    while (done->count < count)
        assert_int_equal(bp_loop_step(&loop, &err), 0);
    assert_false(done->failed);
}

struct mapped {
    uint8_t *base;
    size_t size;
};

static struct mapped map(int fd, int protection)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    struct mapped mapped = {.size = (size_t)info.st_size};
    mapped.base = mmap(NULL, mapped.size, protection, MAP_SHARED, fd, 0);
    assert_true(mapped.base != MAP_FAILED);
    return mapped;
}

static const char secret[16] = "a kept answer #1";

static void leave_secrets(const struct mapped *arena)
{
    for (size_t at = 0; at + sizeof secret <= arena->size; at += sizeof secret)
        memcpy(arena->base + at, secret, sizeof secret);
}

static void expect_no_secret(const struct mapped *arena)
{
    if (memmem(arena->base, arena->size, secret, sizeof secret))
        fail_msg("what a candidate left is still there");
}

/* Arenas outlive candidates; everything that one may write is a way to talk to the next. */
static void nothing_is_left_for_the_next_candidate(void **state)
{
    struct bp_error err;
    struct done done = {0};
    int fds[5];
    (void)state;
    bp_bench_run_fds(bench, 0, BP_RING_A, -1, fds);
    struct mapped arenas[3];
    for (int i = 0; i < 3; i++) {
        arenas[i] = map(fds[i == 2 ? 4 : i + 1], PROT_READ | PROT_WRITE);
        leave_secrets(&arenas[i]);
    }
    for (uint32_t i = 0; i < suite.case_count; i++)
        assert_int_equal(bp_bench_make(bench, i, order_done, &done, &err), 0);
    assert_int_equal(bp_bench_fill_cases(bench, 0, 1, order_done, &done, &err), 0);
    assert_int_equal(bp_bench_scrub_ring(bench, BP_RING_A, order_done, &done, &err), 0);
    wait_for(&done, suite.case_count + 2);
    for (int i = 0; i < 3; i++) {
        expect_no_secret(&arenas[i]);
        munmap(arenas[i].base, arenas[i].size);
    }
    /* And the inputs of the ring cannot be written at all. */
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[3], 0) == MAP_FAILED);
}

static void every_batch_has_inputs_of_its_own(void **state)
{
    struct bp_error err;
    struct done done = {0};
    const struct bp_bench_timed *place = bp_bench_timed(bench, 0);
    struct bp_input_layout in;
    struct bp_output_layout out;
    int fds[5];
    (void)state;
    bp_layout_inputs(&suite.timed[0], BP_DTYPE_F16, &in);
    bp_layout_outputs(&suite.timed[0], BP_DTYPE_F16, &out);
    bp_bench_run_fds(bench, 0, BP_RING_B, -1, fds);
    struct mapped inputs = map(fds[3], PROT_READ), outputs = map(fds[4], PROT_READ | PROT_WRITE);
    uint32_t slots = place->slots;
    assert_true(slots > 2);
    BP_AUTO_FREE uint8_t *seen = calloc(4 * slots, 64);
    for (uint32_t batch = 0; batch < 4; batch++) {
        leave_secrets(&outputs);
        /* Round the ring's end, too. */
        assert_int_equal(
            bp_bench_fill_batch(bench, 0, BP_RING_B, batch % slots, slots, order_done, &done, &err),
            0);
        wait_for(&done, batch + 1);
        for (uint32_t i = 0; i < slots; i++) {
            const uint8_t *q = inputs.base + place->input_offset + i * in.bytes + in.q.offset;
            const uint8_t *o = outputs.base + place->output_offset + i * out.bytes + out.o.offset;
            uint32_t known = batch * slots + i;
            for (uint32_t k = 0; k < known; k++)
                assert_memory_not_equal(q, seen + 64 * k, 64);
            memcpy(seen + 64 * known, q, 64);
            assert_null(memmem(o, out.o.bytes, secret, sizeof secret));
        }
    }
    assert_int_equal(
        bp_bench_fill_batch(bench, 0, BP_RING_B, 0, slots + 1, order_done, &done, &err), -1);
    munmap(inputs.base, inputs.size);
    munmap(outputs.base, outputs.size);
}

static void forgotten_orders_tell_nobody(void **state)
{
    struct bp_error err;
    struct done gone = {0}, done = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(bp_bench_fill_batch(bench, 0, BP_RING_A, 0, 1, order_done, &gone, &err),
                         0);
    bp_bench_forget(bench, &gone);
    assert_int_equal(bp_bench_fill_batch(bench, 0, BP_RING_A, 0, 1, order_done, &done, &err), 0);
    wait_for(&done, 1);
    assert_int_equal(gone.count, 0);
}

/* ---- replaying ---- */

struct digests {
    char case_inputs[BP_HASH_TEXT], case_outputs[BP_HASH_TEXT], ring[BP_HASH_TEXT];
};

static void digest(int fd, uint64_t offset, uint64_t bytes, char text[BP_HASH_TEXT])
{
    struct mapped arena = map(fd, PROT_READ);
    bp_hash_text(arena.base + offset, bytes ? bytes : arena.size, text);
    munmap(arena.base, arena.size);
}

/* Everything that a candidate of that evaluation gets to see: case arenas (inputs in their secret
 * order, canaries, poison), then a batch over the whole ring. */
static void make_inputs(struct bp_bench *of, uint32_t lane, uint64_t evaluation,
                        const struct bp_secret_position *from, struct digests *digests)
{
    struct bp_error err;
    struct done done = {0};
    int fds[5];
    const struct bp_bench_timed *place = bp_bench_timed(of, 0);
    struct bp_input_layout in;
    bp_layout_inputs(&suite.timed[0], BP_DTYPE_F16, &in);
    bp_bench_seek(of, from);
    assert_int_equal(bp_bench_fill_cases(of, lane, evaluation, order_done, &done, &err), 0);
    assert_int_equal(
        bp_bench_fill_batch(of, 0, BP_RING_A, 1, place->slots, order_done, &done, &err), 0);
    wait_for(&done, 2);
    bp_bench_run_fds(of, lane, BP_RING_A, -1, fds);
    digest(fds[1], 0, 0, digests->case_inputs);
    digest(fds[2], 0, 0, digests->case_outputs);
    digest(fds[3], place->input_offset, place->slots * in.bytes, digests->ring);
}

/* Another bench, with another number of lanes, that knows no more than key and counters. */
static void the_same_position_gives_the_same_bytes(void **state)
{
    struct bp_error err;
    struct done done = {0};
    struct bp_secret_position then;
    struct digests before, again, later;
    struct bp_bench *second;
    (void)state;
    bp_bench_position(bench, &then);
    struct bp_bench_options options = *bp_bench_options(bench);
    options.run_key = then.key;
    options.lanes = 3;
    assert_int_equal(bp_bench_open(&options, &second, &err), 0);
    for (uint32_t i = 0; i < suite.case_count; i++)
        assert_int_equal(bp_bench_make(second, i, order_done, &done, &err), 0);
    wait_for(&done, suite.case_count);
    make_inputs(bench, 0, 7, &then, &before);
    make_inputs(second, 2, 7, &then, &again);
    bp_bench_position(bench, &then);
    make_inputs(second, 1, 8, &then, &later);
    bp_bench_close(&second);
    assert_memory_equal(&before, &again, sizeof before);
    /* And no other does. */
    assert_string_not_equal(before.case_inputs, later.case_inputs);
    assert_string_not_equal(before.case_outputs, later.case_outputs);
    assert_string_not_equal(before.ring, later.ring);
}

static int open_bench(void **state)
{
    struct bp_error err;
    struct bp_bench_options options = {
        .children = {.loop = &loop,
                     .worker_path = WORKER,
                     .prepare_ms = 20000,
                     .log_max_bytes = 4096},
        .suite = &suite,
        .device = "cpu",
        .arch = "native",
        .dtype = BP_DTYPE_F16,
        .threads = 1,
        .lanes = 1,
        .ring_bytes = RING_BYTES,
    };
    bp_key_random(&options.run_key);
    if (open_loop(state) < 0)
        return -1;
    if (bp_suite_find("tiny", BP_DEVICE_CLASS_CPU, &suite, &err) < 0 ||
        bp_bench_open(&options, &bench, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    return 0;
}

static int close_bench(void **state)
{
    bp_bench_close(&bench);
    return close_loop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_for_the_next_candidate),
        cmocka_unit_test(every_batch_has_inputs_of_its_own),
        cmocka_unit_test(forgotten_orders_tell_nobody),
        cmocka_unit_test(the_same_position_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, open_bench, close_bench);
}
