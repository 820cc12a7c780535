/* The ceilings of this machine: measured, kept, found again, and not taken for another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/evolve/ceilings_cache.h"

static char folder[] = "/tmp/bp-ceilings-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) && setenv("XDG_CACHE_HOME", folder, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char path[256];
    for (unsigned threads = 1; threads <= 2; threads++) {
        snprintf(path, sizeof path, "%s/bulletproof/ceilings-%u.json", folder, threads);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/bulletproof", folder);
    rmdir(path);
    return rmdir(folder);
}

static void test_obtain(void **state)
{
    (void)state;
    struct bp_host host;
    struct bp_ceilings measured, found;
    struct stat status;
    struct bp_error err;
    char path[4096];
    bp_host_describe(&host);
    assert_int_equal(bp_ceilings_path(1, path, sizeof path, &err), 0);
    assert_memory_equal(path, folder, strlen(folder));
    bp_ceilings_obtain(&host, 1, &measured);
    assert_true(bp_ceilings_are_sound(&measured));
    assert_true(measured.gflops > 0.1 && measured.gflops < 1e5);
    assert_int_equal(stat(path, &status), 0);

    /* Read, not measured: no second measurement comes to the same figures. */
    bp_ceilings_obtain(&host, 1, &found);
    assert_int_equal(found.stream_count, measured.stream_count);
    assert_true(found.gflops / measured.gflops > 0.999999);
    assert_true(found.gflops / measured.gflops < 1.000001);
    assert_true(found.streams[2].bytes == measured.streams[2].bytes);
}

static void expect_refused(const struct bp_host *host, uint32_t threads, const char *path)
{
    struct bp_ceilings found = {.gflops = 7};
    struct bp_error err;
    assert_int_equal(bp_ceilings_load(path, host, threads, &found, &err), -1);
    assert_int_equal(err.code, BP_ERR_UNAVAILABLE);
    assert_true(found.gflops == 7);
}

static void test_of_another_machine(void **state)
{
    (void)state;
    struct bp_host host = {.cpu_name = "this one"}, other = {.cpu_name = "another"};
    struct bp_ceilings ceilings = {.isa = "base",
                                   .margin = BP_CEILING_MARGIN,
                                   .threads = 2,
                                   .gflops = 10,
                                   .half_factor = 1,
                                   .stream_count = 1,
                                   .streams = {{4096, 10}}};
    struct bp_ceilings found;
    struct bp_error err;
    char path[4096];
    assert_int_equal(bp_ceilings_path(2, path, sizeof path, &err), 0);
    assert_int_equal(bp_ceilings_save(path, &host, &ceilings, &err), 0);
    assert_int_equal(bp_ceilings_load(path, &host, 2, &found, &err), 0);
    expect_refused(&other, 2, path);
    expect_refused(&host, 3, path);
    ceilings.gflops = -1;
    assert_int_equal(bp_ceilings_save(path, &host, &ceilings, &err), 0);
    expect_refused(&host, 2, path);
    FILE *file = fopen(path, "w");
    fputs("{\"cpu\": 3}", file);
    fclose(file);
    expect_refused(&host, 2, path);
    unlink(path);
    expect_refused(&host, 2, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_obtain),
        cmocka_unit_test(test_of_another_machine),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
