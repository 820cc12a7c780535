/* Which occurrences a campaign strikes: the seed says, the phases share them, and what comes and goes
 * elsewhere in a phase changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/inject/places.h"

#define POINT BP_FAULT_frame_bit
#define PHASES 5
#define SCOPES 6

static struct bp_fault_census census;

static int setup(void **state)
{
    static const char *const names[SCOPES] = {"harness", "record", "prepare.0.1",
                                              "run.0.1", "run.2",  "judge.1"};
    (void)state;
    memset(&census, 0, sizeof census);
    for (uint32_t scope = 0; scope < SCOPES; scope++) {
        snprintf(census.scopes[scope], BP_FAULT_SCOPE_TEXT, "%s", names[scope]);
        for (uint32_t phase = 0; scope >= 2 && phase < PHASES; phase++)
            census.counted[POINT][scope][phase] = 3;
    }
    return 0;
}

static uint32_t choose(struct bp_places_options options, struct bp_fault_place **places)
{
    struct bp_error err;
    uint32_t count;
    options.census = &census;
    options.point = POINT;
    assert_int_equal(bp_places_choose(&options, places, &count, &err), 0);
    return count;
}

static void phases_share_the_places(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bp_fault_place *places;
        uint32_t count = choose((struct bp_places_options){.seed = seed, .wanted = 2}, &places);
        assert_int_equal(count, 2);
        assert_in_range(places[0].phase, 0, 1);
        assert_in_range(places[1].phase, 2, PHASES - 1);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(places[i].nth, 1);
            assert_string_not_equal(places[i].scope, "run.0.2");
            assert_non_null(strchr(places[i].scope, '.'));
        }
        free(places);
    }
}

static void earlier_phases_can_be_left_out(void **state)
{
    struct bp_fault_place *places;
    (void)state;
    assert_int_equal(choose((struct bp_places_options){.from = 3, .wanted = 9}, &places), 2);
    assert_int_equal(places[0].phase, 3);
    assert_int_equal(places[1].phase, 4);
    free(places);
}

static void the_seed_decides(void **state)
{
    uint32_t differing = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bp_fault_place *one, *again, *other;
        uint32_t count = choose((struct bp_places_options){.seed = seed, .wanted = PHASES}, &one);
        choose((struct bp_places_options){.seed = seed, .wanted = PHASES}, &again);
        choose((struct bp_places_options){.seed = seed + 1, .wanted = PHASES}, &other);
        assert_int_equal(count, PHASES);
        assert_memory_equal(one, again, count * sizeof *one);
        differing += memcmp(one, other, count * sizeof *one) != 0;
        free(one);
        free(again);
        free(other);
    }
    assert_true(differing > 15);
}

static void another_child_changes_a_choice_only_as_the_first_of_its_stage(void **state)
{
    static const char *const more[] = {"judge.0.2", "probe.0.1"};
    struct bp_fault_place *before[20], *after;
    uint32_t taken = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        choose((struct bp_places_options){.seed = seed, .wanted = PHASES}, &before[seed]);
    for (uint32_t i = 0; i < 2; i++) {
        strcpy(census.scopes[SCOPES + i], more[i]);
        for (uint32_t phase = 0; phase < PHASES; phase++)
            census.counted[POINT][SCOPES + i][phase] = 1;
    }
    for (uint64_t seed = 0; seed < 20; seed++) {
        choose((struct bp_places_options){.seed = seed, .wanted = PHASES}, &after);
        for (uint32_t i = 0; i < PHASES; i++)
            if (strcmp(after[i].scope, "probe.0.1") == 0)
                taken++;
            else
                assert_string_equal(after[i].scope, before[seed][i].scope);
        free(after);
        free(before[seed]);
    }
    assert_in_range(taken, 1, 20 * PHASES - 1);
}

static void what_lasts_begins_with_a_phase_everywhere(void **state)
{
    struct bp_fault_place *places;
    (void)state;
    uint32_t count =
        choose((struct bp_places_options){.mode = BP_FAULT_STICKY, .wanted = 2}, &places);
    for (uint32_t i = 0; i < count; i++) {
        assert_string_equal(places[i].scope, "");
        assert_int_equal(places[i].nth, 1);
    }
    assert_int_equal(count, 2);
    free(places);
}

static void every_one_is_every_one(void **state)
{
    struct bp_fault_place *places;
    (void)state;
    assert_int_equal(choose((struct bp_places_options){.every = true}, &places), PHASES * 4 * 3);
    assert_string_equal(places[0].scope, "prepare.0.1");
    assert_int_equal(places[2].nth, 3);
    assert_string_equal(places[3].scope, "run.0.1");
    free(places);
    assert_int_equal(
        choose((struct bp_places_options){.every = true, .mode = BP_FAULT_STICKY}, &places),
        PHASES * 4 * 3);
    assert_int_equal(places[11].nth, 12);
    free(places);
}

static void a_point_that_is_never_met_has_none(void **state)
{
    struct bp_fault_place *places;
    (void)state;
    memset(census.counted, 0, sizeof census.counted);
    assert_int_equal(choose((struct bp_places_options){.wanted = 2}, &places), 0);
    assert_null(places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(phases_share_the_places, setup),
        cmocka_unit_test_setup(earlier_phases_can_be_left_out, setup),
        cmocka_unit_test_setup(the_seed_decides, setup),
        cmocka_unit_test_setup(another_child_changes_a_choice_only_as_the_first_of_its_stage,
                               setup),
        cmocka_unit_test_setup(what_lasts_begins_with_a_phase_everywhere, setup),
        cmocka_unit_test_setup(every_one_is_every_one, setup),
        cmocka_unit_test_setup(a_point_that_is_never_met_has_none, setup),
    };
    return cmocka_run_group_tests_name("inject/places", tests, NULL, NULL);
}
