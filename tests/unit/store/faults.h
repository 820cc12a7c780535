/* faults.h: a record that something happens to, looked at afterwards. */
#ifndef BP_TESTS_STORE_FAULTS_H
#define BP_TESTS_STORE_FAULTS_H

#include "tests/unit/store/sample.h"

/* Records evaluations from first on until one fails; returns how many were committed. */
uint32_t fill_until_failure(struct bp_store *store, uint32_t first, uint32_t most,
                            struct bp_error *err);

/* Every evaluation that is there has all its rows and its event, and no row is without one. */
void assert_whole(const char *dir, int64_t at_least);

/* The cause is gone: the record opens, holds what was reported, and takes more. */
void go_on_after(const char *dir, uint32_t reported);

/* A visitor that counts into a uint32_t. */
int count_recorded(void *context, const struct bp_recorded *recorded, struct bp_error *err);

#endif
