/* Honest kernels are accepted: every family, several lengths and masks, every dtype and class. With
 * --rows N every kernel has at least N rows judged, of ever new problems (scripts/judge-matrix). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention.h"

#define F16 (1u << BP_DTYPE_F16)
#define HALVES (F16 | 1u << BP_DTYPE_BF16)
#define EVERY (HALVES | 1u << BP_DTYPE_F32)

struct honest {
    struct kernel kernel;
    unsigned dtypes; /* in which it is honest */
};

static const struct honest strict[] = {
    {{"naive", .normalise_p = true}, EVERY},
    {{"flash 16", .tile = 16}, EVERY},
    {{"flash 128", .tile = 128}, EVERY},
    {{"flash 64, sum of rounded P", .tile = 64, .sum_rounded_p = true}, EVERY},
    {{"flash 32, lazy rescale", .tile = 32, .lazy = 5}, EVERY},
    {{"flash 64, exp2 with folded scale", .tile = 64, .exponential = EXP2}, EVERY},
    {{"flash 128, polynomial exp2", .tile = 128, .exponential = EXP2_POLYNOMIAL}, HALVES},
    {{"flash 64, truncated P", .tile = 64, .truncate_p = true}, EVERY},
    {{"flash 64, f16 sums promoted every tile", .tile = 64, .f16_tiles = true}, F16},
    {{"split 2", .tile = 64, .splits = 2}, EVERY},
    {{"split 4", .tile = 32, .splits = 4}, EVERY},
    {{"split 32", .tile = 64, .splits = 32, .exponential = EXP2}, EVERY},
    {{"split 8, rounded partials", .tile = 64, .splits = 8, .round_partials = true}, EVERY},
};
static const struct honest lenient[] = {
    {{"flash 64, scaled Q rounded (lenient)", .tile = 64, .round_q = true}, EVERY},
};
enum { STRICT = sizeof strict / sizeof *strict, LENIENT = sizeof lenient / sizeof *lenient };

static const struct bp_shape shapes[] = {
    {"one key", 1, 4, 2, 1, 1, 128},
    {"17 causal", 1, 4, 4, 17, 17, 128, .causal = 1},
    {"64", 1, 4, 2, 8, 64, 128},
    {"100 causal offset", 1, 5, 1, 9, 100, 128, .causal = 1},
    {"333 window", 1, 4, 2, 10, 333, 128, .causal = 1, .window = 70},
    {"777", 1, 4, 2, 8, 777, 128},
    {"ragged", 3, 2, 1, 5, 90, 64, .ragged = 1, .kv_lens = {90, 33, 0}},
    {"masked", 1, 2, 1, 40, 24, 128, .causal = 1},
};
/* Enough rows for the pooled rules to speak. */
static const struct bp_shape pooled_shape = {"pooled", 1, 8, 4, 130, 150, 128};

#define CI_ROWS 20000
static uint64_t rows_wanted = CI_ROWS;

/* The largest a kernel came to. */
struct worst {
    double max_ratio, rms_ratio, pooled, alpha;
    uint64_t rows;
};

static void raise_to(double *largest, double value)
{
    value = value < 0 ? -value : value;
    *largest = value > *largest ? value : *largest;
}

static void accept(struct problem *problem, const struct kernel *kernel, struct worst *worst)
{
    struct bp_judgement j = problem_judge(problem, kernel);
    if (j.verdict != BP_VERDICT_PASS)
        fail_msg("%s, %s, %s, %s, after %llu rows: %s", kernel->name, problem->item.shape.name,
                 bp_family_name(problem->item.family), bp_dtype_name(problem->dtype),
                 (unsigned long long)worst->rows, j.message);
    raise_to(&worst->max_ratio, j.max_ratio);
    raise_to(&worst->rms_ratio, j.rms_ratio);
    raise_to(&worst->pooled, j.pooled);
    raise_to(&worst->alpha, j.alpha);
    worst->rows += j.rows;
}

/* Kernels of one class, and how far they are. */
struct field {
    const struct honest *kernels;
    size_t count;
    enum bp_strictness strictness;
    bool wanted[STRICT]; /* in this round; a round is never broken off */
    struct worst worst[STRICT];
};

static bool runs_in(const struct field *field, size_t i, enum bp_dtype dtype)
{
    return field->wanted[i] && field->kernels[i].dtypes & 1u << dtype;
}

static void accept_problem(struct field *field, const struct bp_shape *shape, enum bp_family family,
                           enum bp_dtype dtype, uint64_t seed)
{
    struct problem problem;
    bool any = false;
    for (size_t i = 0; i < field->count; i++)
        any |= runs_in(field, i, dtype);
    if (!any)
        return;
    problem_make_seeded(&problem, shape, family, dtype, field->strictness, seed);
    for (size_t i = 0; i < field->count; i++)
        if (runs_in(field, i, dtype))
            accept(&problem, &field->kernels[i].kernel, &field->worst[i]);
    problem_free(&problem);
}

static void accept_round(struct field *field, uint64_t seed)
{
    static const enum bp_family pooled[] = {BP_FAMILY_gauss, BP_FAMILY_ramp, BP_FAMILY_needle,
                                            BP_FAMILY_tilt};
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++)
        for (size_t f = 0; f < sizeof pooled / sizeof *pooled; f++)
            accept_problem(field, &pooled_shape, pooled[f], (enum bp_dtype)dtype, seed++);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int family = 0; family < BP_FAMILY_COUNT; family++)
            for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++)
                accept_problem(field, &shapes[s], (enum bp_family)family, (enum bp_dtype)dtype,
                               seed++);
}

/* Kernels that lack rows; false when there are none. */
static bool choose_wanted(struct field *field)
{
    bool any = false;
    for (size_t i = 0; i < field->count; i++)
        any |= field->wanted[i] = field->worst[i].rows < rows_wanted;
    return any;
}

static void print_heading(void)
{
    printf(
        "| honest kernel | rows | rules 1, 5: error / bound | rule 2: rms / bound | rule 3 (0.85) "
        "| rule 4 (0.004) |\n|---|---|---|---|---|---|\n");
}

static void print_field(const struct field *field)
{
    for (size_t i = 0; i < field->count; i++) {
        const struct worst *worst = &field->worst[i];
        printf("| %s | %llu | %.3f | %.3f | %.3f | %.5f |\n", field->kernels[i].kernel.name,
               (unsigned long long)worst->rows, worst->max_ratio, worst->rms_ratio, worst->pooled,
               worst->alpha);
    }
    fflush(stdout);
}

static void accept_all(struct field *field)
{
    for (uint64_t seed = 1; choose_wanted(field); seed += 10000)
        accept_round(field, seed);
    print_field(field);
    for (size_t i = 0; i < field->count; i++) {
        assert_true(field->worst[i].max_ratio > 0.01); /* it does round */
        assert_true(field->worst[i].pooled > 0 && field->worst[i].alpha > 0);
    }
}

static void test_strict(void **state)
{
    (void)state;
    struct field field = {strict, STRICT, BP_STRICT};
    accept_all(&field);
}

static void test_lenient(void **state)
{
    (void)state;
    struct field field = {lenient, LENIENT, BP_LENIENT};
    accept_all(&field);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_lenient),
    };
    if (argc == 3 && strcmp(argv[1], "--rows") == 0)
        rows_wanted = strtoull(argv[2], NULL, 10);
    print_heading();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
