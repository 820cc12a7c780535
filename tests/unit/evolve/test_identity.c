/* Which sources count as the same candidate, and where run directories may be made. */
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

#include "harness/evolve/identity.h"
#include "harness/evolve/run_dir.h"

static struct bp_space space = {.knob_count = 1,
                                .knobs = {{.name = "A", .value_count = 2, .values = {1, 2}}}};

static void hash_of(const char *source, uint16_t choice, enum bp_dtype dtype, char *hash)
{
    struct bp_evaluation *evaluation = bp_evaluation_new();
    struct bp_point point = {{choice}};
    struct bp_error err;
    assert_int_equal(
        bp_identity_set(evaluation, source, strlen(source), &space, &point, dtype, &err), 0);
    assert_string_equal(evaluation->source, source); /* kept as it was written */
    assert_string_equal(evaluation->knobs[0].value, choice ? "2" : "1");
    memcpy(hash, evaluation->source_hash, BP_HASH_TEXT);
    bp_evaluation_free(evaluation);
}

static void blanks_do_not_matter_and_knobs_do(void **state)
{
    char base[BP_HASH_TEXT], other[BP_HASH_TEXT];
    (void)state;
    hash_of("int a;\nint b;\n", 0, BP_DTYPE_F16, base);
    hash_of("int a;  \r\nint b;\t", 0, BP_DTYPE_F16, other);
    assert_string_equal(base, other);
    hash_of("int a;\nint c;\n", 0, BP_DTYPE_F16, other);
    assert_string_not_equal(base, other);
    hash_of("int a;\nint b;\n", 1, BP_DTYPE_F16, other);
    assert_string_not_equal(base, other);
    hash_of("int a;\nint b;\n", 0, BP_DTYPE_BF16, other);
    assert_string_not_equal(base, other);
}

static void run_directories_are_new_or_empty(void **state)
{
    char parent[] = "/tmp/bp-run-XXXXXX", wanted[64], path[256], file[300];
    struct bp_error err;
    (void)state;
    assert_non_null(mkdtemp(parent));
    snprintf(wanted, sizeof wanted, "%s/a/b", parent);
    assert_int_equal(bp_run_dir_create(wanted, NULL, "k", path, sizeof path, &err), 0);
    assert_int_equal(bp_run_dir_create(wanted, NULL, "k", path, sizeof path, &err), 0);
    snprintf(file, sizeof file, "%s/x", path);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(bp_run_dir_create(wanted, NULL, "k", path, sizeof path, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_non_null(strstr(err.msg, "not empty"));
    assert_int_equal(bp_run_dir_create("/proc/x/y", NULL, "k", path, sizeof path, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    snprintf(file, sizeof file, "rm -r '%s'", parent);
    assert_int_equal(system(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_do_not_matter_and_knobs_do),
        cmocka_unit_test(run_directories_are_new_or_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
