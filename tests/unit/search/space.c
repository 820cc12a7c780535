#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/search/spaces.h"

static struct bp_space *new_space(void)
{
    struct bp_space *space = calloc(1, sizeof *space);
    assert_non_null(space);
    return space;
}

static void delete_space(struct bp_space *space)
{
    bp_space_free(space);
    free(space);
}

static void product_saturates(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    char name[8];
    assert_int_equal(bp_space_product(space), 1);
    add_knob(space, "A", 3);
    add_knob(space, "B", 5);
    assert_int_equal(bp_space_product(space), 15);
    for (int i = 0; i < 62; i++) {
        snprintf(name, sizeof name, "K%d", i);
        add_knob(space, name, 64);
    }
    assert_true(bp_space_product(space) == UINT64_MAX);
    delete_space(space);
}

static void points_are_made_from_names_and_values(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    add_knob(space, "BM", 4);
    add_knob(space, "BN", 4);
    add_constraint(space, "BM % BN == 0");
    struct bp_point point, other;
    struct bp_error err;
    char text[32];

    const char *names[] = {"BN", "BM"};
    assert_int_equal(bp_space_point(space, 2, names, (int64_t[]){2, 4}, &point, &err), 0);
    bp_space_describe(space, &point, text, sizeof text);
    assert_string_equal(text, "BM=4 BN=2");
    bp_space_describe(space, &point, text, 6);
    assert_string_equal(text, "BM=4 ");
    assert_int_equal(bp_space_value(space, &point, 0), 4);
    assert_true(bp_space_allows(space, &point));
    assert_int_equal(bp_space_point(space, 2, names, (int64_t[]){2, 4}, &other, &err), 0);
    assert_true(bp_space_same(space, &point, &other));
    other.choice[1] = 0;
    assert_false(bp_space_same(space, &point, &other));
    delete_space(space);
}

static void wrong_points_are_explained(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    add_knob(space, "BM", 4);
    add_knob(space, "BN", 3);
    add_constraint(space, "BM % BN == 0");
    static const struct {
        uint32_t count;
        const char *names[3];
        int64_t values[3];
        const char *fragment;
    } cases[] = {
        {1, {"BX"}, {1}, "unknown knob 'BX' (knobs: BM, BN)"},
        {1, {"BM"}, {4}, "knob 'BN' is missing (values: 1, 2, 3)"},
        {0, {NULL}, {0}, "knob 'BM' is missing (values: 1, 2, 3, 4)"},
        {2, {"BM", "BN"}, {5, 1}, "BM=5 is not one of its values (1, 2, 3, 4)"},
        {3, {"BM", "BN", "BM"}, {4, 1, 4}, "knob 'BM' is given twice"},
        {2, {"BM", "BN"}, {4, 3}, "BM=4 BN=3 breaks the constraint 'BM % BN == 0'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bp_point point = {{9}};
        struct bp_error err = {0};
        assert_int_equal(
            bp_space_point(space, cases[i].count, cases[i].names, cases[i].values, &point, &err),
            -1);
        assert_int_equal(err.code, BP_ERR_USAGE);
        assert_string_equal(err.msg, cases[i].fragment);
        assert_int_equal(point.choice[0], 9);
    }
    delete_space(space);
}

/* Chi-square of the counts against a uniform draw over the cells that are allowed. */
static double chi_square(const uint32_t *counts, int cells, int allowed, int draws)
{
    double expected = (double)draws / allowed, sum = 0;
    for (int i = 0; i < cells; i++)
        if (counts[i])
            sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static void random_points_are_uniform_and_allowed(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    add_knob(space, "A", 8);
    add_knob(space, "B", 8);
    add_constraint(space, "A <= B");
    struct bp_random random;
    uint32_t counts[64] = {0};
    start_random(&random, 11);
    for (int i = 0; i < 36000; i++) {
        struct bp_point point;
        struct bp_error err;
        assert_int_equal(bp_space_random(space, &random, &point, &err), 0);
        assert_true(bp_space_allows(space, &point));
        counts[point.choice[0] * 8 + point.choice[1]]++;
    }
    int seen = 0;
    for (int i = 0; i < 64; i++)
        seen += counts[i] > 0;
    assert_int_equal(seen, 36);
    /* 35 degrees of freedom: beyond 66.6 with probability 0.001 (the seed is fixed) */
    assert_true(chi_square(counts, 64, 36, 36000) < 66.6);
    delete_space(space);
}

static bool skip_most(const void *context, const struct bp_point *point)
{
    const struct bp_space *space = context;
    return bp_space_value(space, point, 0) % 50 != 0 || bp_space_value(space, point, 1) % 30 != 0 ||
           bp_space_value(space, point, 2) % 20 != 0;
}

static void rare_points_are_found_uniformly(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    add_knob(space, "A", 60);
    add_knob(space, "B", 60);
    add_knob(space, "C", 60);
    struct bp_random random;
    uint32_t counts[6] = {0};
    start_random(&random, 12);
    /* 1 * 2 * 3 of 216 000 points remain: rejection rarely meets one */
    for (int i = 0; i < 300; i++) {
        struct bp_point point;
        struct bp_error err;
        assert_int_equal(bp_space_pick(space, &random, skip_most, space, &point, &err), 1);
        assert_false(skip_most(space, &point));
        counts[(bp_space_value(space, &point, 1) / 30 - 1) * 3 +
               bp_space_value(space, &point, 2) / 20 - 1]++;
    }
    for (int i = 0; i < 6; i++)
        assert_true(counts[i] > 0);
    /* 5 degrees of freedom: beyond 20.5 with probability 0.001 */
    assert_true(chi_square(counts, 6, 6, 300) < 20.5);
    delete_space(space);
}

static void a_needle_in_a_huge_space_is_found(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    char name[8], text[64];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "K%d", i);
        add_knob(space, name, 60);
        snprintf(text, sizeof text, i ? "K%d == K%d %% 60 + 1" : "K%d == 17", i, i - 1);
        add_constraint(space, text);
    }
    struct bp_random random;
    struct bp_point point;
    struct bp_error err;
    start_random(&random, 13);
    assert_true(bp_space_product(space) == UINT64_MAX);
    assert_int_equal(bp_space_random(space, &random, &point, &err), 0);
    assert_int_equal(bp_space_value(space, &point, 0), 17);
    assert_int_equal(bp_space_value(space, &point, 39), 56);
    assert_true(bp_space_allows(space, &point));
    delete_space(space);
}

static void an_empty_space_says_so(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    struct bp_random random;
    struct bp_point point;
    struct bp_error err;
    start_random(&random, 14);
    add_knob(space, "A", 64);
    add_knob(space, "B", 64);
    add_knob(space, "C", 64);
    add_constraint(space, "A + B + C > 192");
    assert_int_equal(bp_space_random(space, &random, &point, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_string_equal(err.msg, "no choice of knobs satisfies every constraint");
    add_knob(space, "D", 64);
    add_knob(space, "E", 64);
    assert_int_equal(bp_space_random(space, &random, &point, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    delete_space(space);
}

static void a_search_that_gives_up_does_not_claim_emptiness(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    struct bp_random random;
    struct bp_point point;
    struct bp_error err;
    char name[8];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "K%d", i);
        add_knob(space, name, 64);
    }
    add_constraint(space, "K0 * K19 == 3 * 67 * 71");
    start_random(&random, 15);
    assert_int_equal(bp_space_random(space, &random, &point, &err), -1);
    assert_int_equal(err.code, BP_ERR_LIMIT);
    delete_space(space);
}

static void a_space_without_knobs_has_one_point(void **state)
{
    (void)state;
    struct bp_space *space = new_space();
    struct bp_random random;
    struct bp_point point;
    struct bp_error err;
    char text[8] = "x";
    start_random(&random, 16);
    assert_int_equal(bp_space_random(space, &random, &point, &err), 0);
    assert_int_equal(bp_space_point(space, 0, NULL, NULL, &point, &err), 0);
    bp_space_describe(space, &point, text, sizeof text);
    assert_string_equal(text, "");
    add_constraint(space, "1 == 2");
    assert_int_equal(bp_space_random(space, &random, &point, &err), -1);
    delete_space(space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(product_saturates),
        cmocka_unit_test(points_are_made_from_names_and_values),
        cmocka_unit_test(wrong_points_are_explained),
        cmocka_unit_test(random_points_are_uniform_and_allowed),
        cmocka_unit_test(rare_points_are_found_uniformly),
        cmocka_unit_test(a_needle_in_a_huge_space_is_found),
        cmocka_unit_test(an_empty_space_says_so),
        cmocka_unit_test(a_search_that_gives_up_does_not_claim_emptiness),
        cmocka_unit_test(a_space_without_knobs_has_one_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
