/* must.h: a call that has to succeed, or the test fails with its error. */
#ifndef BP_TESTS_LIB_MUST_H
#define BP_TESTS_LIB_MUST_H

#include "base/error.h"

void must(int result, const struct bp_error *err);

#endif
