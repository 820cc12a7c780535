#include "tests/unit/store/faults.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t fill_until_failure(struct bp_store *store, uint32_t first, uint32_t most,
                            struct bp_error *err)
{
    for (uint32_t done = 0; done < most; done++) {
        struct bp_evaluation *e = sample_evaluation(first + done, BP_VERDICT_PASS);
        e->number = first + done;
        int result = bp_store_evaluation(store, e, err);
        bp_evaluation_free(e);
        if (result < 0 || bp_store_flush(store, err) < 0)
            return done;
    }
    return most;
}

void assert_whole(const char *dir, int64_t at_least)
{
    char sql[600];
    char *check = sample_text(dir, "PRAGMA integrity_check");
    assert_string_equal(check, "ok");
    free(check);
    int64_t count = sample_integer(dir, "SELECT count(*) FROM evaluation");
    assert_true(count >= at_least);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM evaluation e WHERE"
             " (SELECT count(*) FROM attempt WHERE evaluation=e.number)=%d AND"
             " (SELECT count(*) FROM timing WHERE evaluation=e.number)=%d AND"
             " (SELECT count(*) FROM correctness WHERE evaluation=e.number)=%d AND"
             " EXISTS(SELECT 1 FROM event WHERE kind='evaluation' AND"
             " json_extract(json,'$.number')=e.number) AND"
             " EXISTS(SELECT 1 FROM candidate WHERE source_hash=e.source_hash)",
             SAMPLE_ATTEMPTS, SAMPLE_TIMINGS, SAMPLE_CASES);
    assert_int_equal(sample_integer(dir, sql), count);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM event WHERE kind='evaluation'"),
                     count);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM attempt"), count * SAMPLE_ATTEMPTS);
    assert_int_equal(sample_integer(dir, "SELECT count(*) FROM candidate"), count);
}

int count_recorded(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    (void)recorded, (void)err;
    ++*(uint32_t *)context;
    return 0;
}

void go_on_after(const char *dir, uint32_t reported)
{
    struct bp_store *store;
    struct bp_error err;
    uint32_t count = 0;
    if (bp_store_open(dir, &store, &err) < 0 ||
        bp_store_load_evaluations(store, count_recorded, &count, &err) < 0)
        fail_msg("%s", err.msg);
    assert_in_range(count, reported, reported + 1);
    assert_int_equal(fill_until_failure(store, count + 1, 3, &err), 3);
    assert_int_equal(bp_store_close(store, &err), 0);
    assert_whole(dir, count + 3);
}
