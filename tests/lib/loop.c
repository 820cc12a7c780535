#include "tests/lib/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "sandbox/launch.h"
#include "tests/lib/must.h"

struct bp_loop loop;

int open_loop(void **state)
{
    struct bp_error err;
    char layers[256];
    (void)state;
    if (bp_launch_prepare_supervisor(layers, sizeof layers, &err) == 0 &&
        bp_loop_open(&loop, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return -1;
}

int close_loop(void **state)
{
    struct bp_error err;
    (void)state;
    while (loop.child_count > 0)
        if (bp_loop_step(&loop, &err) < 0)
            return -1;
    bp_loop_close(&loop);
    bp_launch_close_supervisor();
    return 0;
}

void step_loop(void)
{
    struct bp_error err;
    must(bp_loop_step(&loop, &err), &err);
}
