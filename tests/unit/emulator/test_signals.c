/* Signals: waits, values that are written behind the runtime's back, handlers, copies that wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/signals.h"

#define SECOND 1000000000u

static hsa_signal_t make(int64_t value)
{
    hsa_signal_t signal;
    assert_int_equal(hsa_signal_create(value, 0, NULL, &signal), HSA_STATUS_SUCCESS);
    return signal;
}

static int64_t wait_for(hsa_signal_t signal, int64_t value, uint64_t timeout)
{
    return hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_EQ, value, timeout,
                                     HSA_WAIT_STATE_BLOCKED);
}

static void *store_later(void *signal)
{
    usleep(20000);
    hsa_signal_store_screlease(*(hsa_signal_t *)signal, 5);
    return NULL;
}

/* As a kernel does, or libamdhip64 through the value's address. */
static void *write_later(void *signal)
{
    volatile hsa_signal_value_t *value;
    usleep(20000);
    hsa_amd_signal_value_pointer(*(hsa_signal_t *)signal, &value);
    *value = 5;
    return NULL;
}

static void waits_end(void **state)
{
    (void)state;
    void *(*const writers[])(void *) = {store_later, write_later};
    for (size_t n = 0; n < 2; n++) {
        hsa_signal_t signal = make(1);
        pthread_t thread;
        uint64_t start = emu_now();
        assert_int_equal(wait_for(signal, 5, 1000000), 1);
        assert_true(emu_now() - start >= 1000000);
        pthread_create(&thread, NULL, writers[n], &signal);
        assert_int_equal(wait_for(signal, 5, 20ull * SECOND), 5);
        pthread_join(thread, NULL);
        hsa_signal_destroy(signal);
    }
}

static void conditions_hold(void **state)
{
    (void)state;
    assert_true(emu_condition_holds(-1, HSA_SIGNAL_CONDITION_LT, 0));
    assert_false(emu_condition_holds(0, HSA_SIGNAL_CONDITION_LT, 0));
    assert_true(emu_condition_holds(0, HSA_SIGNAL_CONDITION_GTE, 0));
    assert_true(emu_condition_holds(3, HSA_SIGNAL_CONDITION_NE, 0));
    assert_true(emu_condition_holds(3, HSA_SIGNAL_CONDITION_EQ, 3));
}

/* More signals than a slab holds, none of them twice; what was destroyed is used again. */
static void signals_are_many(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    static hsa_signal_t signals[MANY];
    for (int n = 0; n < MANY; n++)
        signals[n] = make(n);
    for (int n = 0; n < MANY; n++)
        assert_int_equal(hsa_signal_load_relaxed(signals[n]), n);
    struct emu_reach reach = {0};
    assert_true(emu_reach_allows(&reach, signals[MANY - 1].handle, sizeof(amd_signal_t), true));
    for (int n = 0; n < MANY; n++)
        assert_int_equal(hsa_signal_destroy(signals[n]), HSA_STATUS_SUCCESS);
    assert_int_equal(hsa_signal_destroy(signals[0]), HSA_STATUS_ERROR_INVALID_SIGNAL);
    assert_int_equal(make(7).handle, signals[MANY - 1].handle);
}

static hsa_signal_t handled; /* taken one off for each call of a handler */

static bool take_one(hsa_signal_value_t value, void *calls)
{
    (void)value;
    int *left = calls;
    hsa_signal_subtract_relaxed(handled, 1);
    return --*left > 0;
}

static void handlers_are_called(void **state)
{
    (void)state;
    hsa_signal_t signal = make(0);
    handled = make(3);
    int again = 3;
    hsa_amd_signal_async_handler(signal, HSA_SIGNAL_CONDITION_GTE, 1, take_one, &again);
    usleep(10000);
    assert_int_equal(again, 3);
    hsa_signal_add_relaxed(signal, 1);
    assert_int_equal(wait_for(handled, 0, 20ull * SECOND), 0);
    hsa_signal_add_relaxed(signal, 1); /* it asked not to be called any more */
    usleep(10000);
    assert_int_equal(hsa_signal_load_relaxed(handled), 0);
}

static void handlers_go_with_their_signal(void **state)
{
    (void)state;
    hsa_signal_t signal = make(0);
    handled = make(1);
    int once = 1;
    hsa_amd_signal_async_handler(signal, HSA_SIGNAL_CONDITION_EQ, 1, take_one, &once);
    hsa_signal_destroy(signal);
    hsa_signal_t again = make(1);
    assert_int_equal(again.handle, signal.handle);
    usleep(10000);
    assert_int_equal(hsa_signal_load_relaxed(handled), 1);
}

static void copies_wait_and_complete(void **state)
{
    (void)state;
    void *memory;
    assert_int_equal(emu_range_allocate(EMU_RANGE_DEVICE, 4096, &memory), HSA_STATUS_SUCCESS);
    char *bytes = memory;
    strcpy(bytes, "copied");
    hsa_signal_t before = make(1), after = make(1);
    assert_int_equal(hsa_amd_memory_async_copy(bytes + 100, emu_agent_gpu, bytes, emu_agent_gpu, 7,
                                               1, &before, after),
                     HSA_STATUS_SUCCESS);
    assert_int_equal(wait_for(after, 0, 10000000), 1);
    assert_int_equal(bytes[100], 0);
    hsa_signal_store_relaxed(before, 0);
    assert_int_equal(wait_for(after, 0, 20ull * SECOND), 0);
    assert_string_equal(bytes + 100, "copied");
    hsa_amd_profiling_async_copy_time_t time;
    hsa_amd_profiling_get_async_copy_time(after, &time);
    assert_true(time.start > 0 && time.end >= time.start && time.end <= emu_now());
    emu_range_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_end),
        cmocka_unit_test(conditions_hold),
        cmocka_unit_test(signals_are_many),
        cmocka_unit_test(handlers_are_called),
        cmocka_unit_test(handlers_go_with_their_signal),
        cmocka_unit_test(copies_wait_and_complete),
    };
    emu_ranges_limit(1 << 20);
    return cmocka_run_group_tests_name("emulator/signals", tests, NULL, NULL);
}
