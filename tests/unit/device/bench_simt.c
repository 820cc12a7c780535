/* What the SIMT runtime costs: a fiber switch, the dispatch of a block, a trivial compile. Prints
 * medians of interleaved rounds; `meson test --benchmark` runs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "evaluator/simt.h"
#include "tests/unit/device/fixture.h"

#define ROUNDS 15
#define BARRIERS 100

static const char empty[] = FIXTURE_PLAN FIXTURE_KERNEL "{}\n";
static const char barriers[] =
    FIXTURE_PLAN FIXTURE_KERNEL "{ for (int i = 0; i < 100; i++) __syncthreads(); }\n";
static const char shuffles[] = FIXTURE_PLAN FIXTURE_KERNEL
    "{ int x = 0; for (int i = 0; i < 100; i++) x += __shfl_xor(x, 1);\n"
    "  if (x) o->bits = 1; }\n";

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

static double launch_ns(struct bp_device_module *module, uint32_t blocks, uint32_t threads)
{
    static float memory[4];
    char message[BP_TEXT_LINE];
    struct gqa_launch launch = {{blocks, 1, 1}, {threads, 1, 1}, 0};
    uint64_t start = bp_clock_ns();
    assert_int_equal(fixture_launch(module, launch, memory, memory, memory, message),
                     BP_VERDICT_PASS);
    return (double)(bp_clock_ns() - start);
}

static void measure_runtime(void **state)
{
    (void)state;
    struct bp_error err;
    struct bp_device_module *none = fixture_load(empty, BP_DTYPE_F32);
    struct bp_device_module *barrier = fixture_load(barriers, BP_DTYPE_F32);
    struct bp_device_module *shuffle = fixture_load(shuffles, BP_DTYPE_F32);
    double dispatch[ROUNDS], parallel[ROUNDS], one[ROUNDS], barrier256[ROUNDS], barrier1024[ROUNDS],
        exchange[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(bp_simt_open(1, &err), 0);
        dispatch[i] = launch_ns(none, 100000, 1) / 100000;
        one[i] = launch_ns(none, 1, 1);
        barrier256[i] = launch_ns(barrier, 4, 256) / (4.0 * 256 * BARRIERS);
        barrier1024[i] = launch_ns(barrier, 1, 1024) / (1.0 * 1024 * BARRIERS);
        exchange[i] = launch_ns(shuffle, 4, 256) / (4.0 * 256 * BARRIERS);
        assert_int_equal(bp_simt_open(2, &err), 0);
        launch_ns(none, 1000, 1);
        parallel[i] = launch_ns(none, 100000, 1) / 100000;
    }
    printf("block of one thread      %8.1f ns, on two OS threads %.1f ns\n", median(dispatch),
           median(parallel));
    printf("launch of one block      %8.1f ns\n", median(one));
    printf("barrier, per thread      %8.1f ns of 256, %.1f ns of 1024\n", median(barrier256),
           median(barrier1024));
    printf("shuffle, per thread      %8.1f ns\n", median(exchange));
    bp_device_cpu.unload(none);
    bp_device_cpu.unload(barrier);
    bp_device_cpu.unload(shuffle);
}

static void measure_compile(void **state)
{
    (void)state;
    struct bp_msg_compile_request request = fixture_request(empty);
    struct bp_msg_compile_result *result = malloc(sizeof *result);
    double ms[ROUNDS], first = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int fd;
        uint64_t start = bp_clock_ns();
        fixture_compile(&request, empty, result, &fd);
        ms[i] = bp_ns_to_ms(bp_clock_ns() - start);
        first = i == 0 ? ms[i] : first;
        close(fd);
    }
    printf("compile of an empty kernel %6.1f ms (the first in the process %.1f ms)\n", median(ms),
           first);
    free(result);
}

static int leave(void **state)
{
    bp_simt_close();
    return fixture_leave_directory(state);
}

int main(void)
{
    const struct CMUnitTest benches[] = {
        cmocka_unit_test(measure_compile),
        cmocka_unit_test(measure_runtime),
    };
    return cmocka_run_group_tests(benches, fixture_enter_directory, leave);
}
