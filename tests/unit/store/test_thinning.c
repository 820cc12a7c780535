/* Which failure bundles go, and that they go whole. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "harness/report/thinning.h"
#include "tests/unit/store/sample.h"

enum { MANY = 40 };

static const struct bp_thinning_caps wide = {.max_bytes = UINT64_MAX, .max_count = UINT32_MAX};

static void nothing_goes_within_the_caps(void **state)
{
    struct bp_bundle bundles[MANY];
    bool gone[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        bundles[i] = (struct bp_bundle){i + 1, BP_VERDICT_CRASH, 100};
    assert_int_equal(bp_thinning_plan(bundles, MANY, &wide, gone), 0);
    struct bp_thinning_caps exact = {.max_bytes = MANY * 100, .max_count = MANY};
    assert_int_equal(bp_thinning_plan(bundles, MANY, &exact, gone), 0);
    assert_int_equal(bp_thinning_plan(bundles, 0, &exact, gone), 0);
}

static void oldest_go_first(void **state)
{
    struct bp_bundle bundles[MANY];
    bool gone[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        bundles[i] = (struct bp_bundle){i + 1, BP_VERDICT_CRASH, 100};
    struct bp_thinning_caps by_count = {.max_bytes = UINT64_MAX, .max_count = 30};
    assert_int_equal(bp_thinning_plan(bundles, MANY, &by_count, gone), 10);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(gone[i], i < 10);
    struct bp_thinning_caps by_bytes = {.max_bytes = 550, .max_count = UINT32_MAX};
    assert_int_equal(bp_thinning_plan(bundles, MANY, &by_bytes, gone), MANY - 5);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(gone[i], i < MANY - 5);
}

static void newest_of_each_verdict_stay(void **state)
{
    struct bp_bundle bundles[MANY];
    bool gone[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        bundles[i] = (struct bp_bundle){i + 1,
                                        i < 5    ? BP_VERDICT_RACE
                                        : i == 5 ? BP_VERDICT_COUNT
                                                 : BP_VERDICT_CRASH,
                                        100};
    struct bp_thinning_caps nothing = {.max_bytes = 0, .max_count = 0};
    assert_int_equal(bp_thinning_plan(bundles, MANY, &nothing, gone),
                     MANY - 2 * BP_THINNING_SPARED - 1);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(gone[i], i < 2 || (i > 5 && i < MANY - BP_THINNING_SPARED));
}

/* ---- on disk ---- */

static void make_bundle(const char *dir, uint32_t number, const char *verdict)
{
    char path[4400], data[8192] = {0};
    snprintf(path, sizeof path, "%s/failures/%05u", dir, number);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/failures/%05u/evaluation.json", dir, number);
    int length = snprintf(data, sizeof data, "{\"verdict\": \"%s\"}", verdict);
    memset(data + length, ' ', sizeof data - (size_t)length);
    BP_AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, data, sizeof data), sizeof data);
    fsync(fd);
}

static bool is_there(const char *dir, const char *name)
{
    char path[4400];
    snprintf(path, sizeof path, "%s/failures/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void stock_is_taken_and_thinned(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_thinning thinning;
    struct bp_thinning_caps caps = {.max_bytes = UINT64_MAX, .max_count = 6};
    assert_int_equal(mkdir(sample_path(dir, "failures"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "failures/00007.tmp"), 0755), 0);
    assert_int_equal(mkdir(sample_path(dir, "failures/notes"), 0755), 0);
    make_bundle(dir, 1, "RACE");
    for (uint32_t i = 2; i < 8; i++)
        make_bundle(dir, i, "CRASH");
    must(bp_thinning_open(&thinning, dir, &caps, &err), &err);
    assert_int_equal(thinning.count, 7);
    assert_int_equal(thinning.bundles[0].verdict, BP_VERDICT_RACE);
    assert_int_equal(thinning.bundles[6].verdict, BP_VERDICT_CRASH);
    assert_true(thinning.bundles[6].bytes >= 8192);
    assert_false(is_there(dir, "00007.tmp"));

    bp_thinning_added(&thinning, 9, BP_VERDICT_CRASH); /* nobody wrote it */
    assert_int_equal(thinning.count, 7);
    make_bundle(dir, 8, "CRASH");
    bp_thinning_added(&thinning, 8, BP_VERDICT_CRASH);
    assert_int_equal(thinning.count, 6);
    assert_true(is_there(dir, "00001"));
    assert_false(is_there(dir, "00002"));
    assert_false(is_there(dir, "00003"));
    assert_true(is_there(dir, "00004"));
    assert_true(is_there(dir, "00008"));
    assert_true(is_there(dir, "notes"));
    assert_false(is_there(dir, "00002.tmp"));
    bp_thinning_added(&thinning, 8, BP_VERDICT_TAMPER); /* the same again */
    assert_int_equal(thinning.count, 6);
    assert_int_equal(thinning.bundles[5].verdict, BP_VERDICT_TAMPER);
    bp_thinning_close(&thinning);
}

static void no_failures_are_no_error(void **state)
{
    const char *dir = *state;
    struct bp_error err;
    struct bp_thinning thinning;
    must(bp_thinning_open(&thinning, dir, &wide, &err), &err);
    assert_int_equal(thinning.count, 0);
    bp_thinning_added(&thinning, 3, BP_VERDICT_CRASH);
    assert_int_equal(thinning.count, 0);
    bp_thinning_close(&thinning);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_within_the_caps),
        cmocka_unit_test(oldest_go_first),
        cmocka_unit_test(newest_of_each_verdict_stay),
        cmocka_unit_test_setup_teardown(stock_is_taken_and_thinned, sample_setup, sample_teardown),
        cmocka_unit_test_setup_teardown(no_failures_are_no_error, sample_setup, sample_teardown),
    };
    return cmocka_run_group_tests_name("store/thinning", tests, NULL, NULL);
}
