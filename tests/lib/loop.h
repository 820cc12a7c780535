/* loop.h: a supervisor's loop for a group of tests that start children. */
#ifndef BP_TESTS_LIB_LOOP_H
#define BP_TESTS_LIB_LOOP_H

#include "harness/supervise/loop.h"

extern struct bp_loop loop;

/* Setup and teardown of a cmocka group; the second waits until every child is reaped. */
int open_loop(void **state);
int close_loop(void **state);

/* One turn of the loop; the test fails when it does. */
void step_loop(void);

#endif
