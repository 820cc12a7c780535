/* Which devices a config comes to, where "auto" asks machines that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/evolve/device.h"

/* What each device answers; empty: it is well. */
struct machine {
    const char *hip, *cuda, *cpu;
    enum bp_errc code;
    char asked[64];
};

static int ask(void *context, const char *device, const struct bp_device_name *name,
               struct bp_error *err)
{
    struct machine *machine = context;
    const char *const answers[BP_DEVICE_KIND_COUNT] = {
        [BP_DEVICE_KIND_CPU] = machine->cpu,
        [BP_DEVICE_KIND_HIP] = machine->hip,
        [BP_DEVICE_KIND_CUDA] = machine->cuda,
    };
    size_t used = strlen(machine->asked);
    snprintf(machine->asked + used, sizeof machine->asked - used, "%s ", device);
    const char *answer = answers[name->kind];
    assert_non_null(answer);
    return answer[0] ? bp_fail(err, machine->code, "%s", answer) : 0;
}

static struct bp_config config;
static struct bp_host host;
static struct bp_slots slots;

static int choose(const char *device, struct machine *machine, struct bp_error *err)
{
    struct bp_device_asker asker = {ask, machine};
    bp_config_defaults(&config);
    bp_host_describe(&host);
    snprintf(config.device, sizeof config.device, "%s", device);
    return bp_session_devices_choose(&config, &host, &asker, &slots, err);
}

static void auto_asks_in_order(void **state)
{
    struct machine machine = {"the GPU hangs", "no driver", "", BP_ERR_UNAVAILABLE, ""};
    struct bp_error err;
    (void)state;
    assert_int_equal(choose("auto", &machine, &err), 0);
    assert_string_equal(machine.asked, "hip:0 cuda:0 cpu ");
    assert_int_equal(slots.count, 1);
    assert_string_equal(slots.list[0].device.name, "cpu");
    assert_string_equal(slots.title, host.cpu_name);
}

static void auto_takes_the_first_that_is_well(void **state)
{
    struct machine machine = {"", "", "", BP_ERR_UNAVAILABLE, ""};
    struct bp_error err;
    (void)state;
    /* There may be none here: then what is missed is said by name, and the CPU was not asked. */
    if (choose("auto", &machine, &err) == 0)
        assert_string_equal(slots.list[0].device.name, "hip:0");
    else
        assert_non_null(strstr(err.msg, "device hip:0 cannot be used"));
    assert_string_equal(machine.asked, "hip:0 ");
}

static void auto_finds_none_or_is_stopped(void **state)
{
    struct machine none = {"a", "b", "no compiler", BP_ERR_USAGE, ""};
    struct machine stopped = {"stopped", "", "", BP_ERR_INTERRUPTED, ""};
    struct bp_error err;
    (void)state;
    assert_int_equal(choose("auto", &none, &err), -1);
    assert_string_equal(err.msg, "no compiler");
    assert_int_equal(choose("auto", &stopped, &err), -1);
    assert_int_equal(err.code, BP_ERR_INTERRUPTED);
    assert_string_equal(stopped.asked, "hip:0 ");
}

static void named_ones_are_not_asked(void **state)
{
    struct machine machine = {0};
    struct bp_error err;
    (void)state;
    assert_int_equal(choose("emu:gfx1030,emu:gfx1030:1", &machine, &err), 0);
    assert_int_equal(slots.count, 2);
    assert_string_equal(slots.list[1].device.name, "emu:gfx1030:1");
    assert_string_equal(slots.list[1].device.arch, "gfx1030");
    assert_string_equal(machine.asked, "");
    assert_int_equal(choose("emu:gfx1030,cpu", &machine, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_int_equal(choose("emu:gfx90a", &machine, &err), -1);
    assert_non_null(strstr(err.msg, "no GPU 'gfx90a' is emulated"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_asks_in_order),
        cmocka_unit_test(auto_takes_the_first_that_is_well),
        cmocka_unit_test(auto_finds_none_or_is_stopped),
        cmocka_unit_test(named_ones_are_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
