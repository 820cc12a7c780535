/* The SIMT runtime: fibers, shuffles, shared memory, atomics and the faults it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator/simt.h"
#include "tests/unit/device/fixture.h"

static void open_pool(uint32_t threads)
{
    struct bp_error err;
    if (bp_simt_open(threads, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct gqa_launch geometry(uint32_t blocks, uint32_t threads, uint32_t dynamic_lds)
{
    return (struct gqa_launch){{blocks, 1, 1}, {threads, 1, 1}, dynamic_lds};
}

static void run(struct bp_device_module *module, struct gqa_launch launch, const void *q, void *o,
                void *workspace)
{
    char message[BP_TEXT_LINE];
    if (fixture_launch(module, launch, q, o, workspace, message) != BP_VERDICT_PASS)
        fail_msg("launch: %s", message);
}

/* A tree reduction in static shared memory: wrong unless every barrier holds. */
static const char reduction[] =
    FIXTURE_PLAN FIXTURE_KERNEL "{\n"
                                "    __shared__ float sums[1024];\n"
                                "    unsigned t = threadIdx.x, n = blockDim.x;\n"
                                "    sums[t] = q[blockIdx.x * n + t].bits;\n"
                                "    for (unsigned half = n / 2; half > 0; half /= 2) {\n"
                                "        __syncthreads();\n"
                                "        if (t < half) sums[t] += sums[t + half];\n"
                                "    }\n"
                                "    if (t == 0) o[blockIdx.x].bits = sums[0];\n"
                                "}\n";

static void reduces_through_barriers(void **state)
{
    (void)state;
    enum { BLOCKS = 300 };
    struct bp_device_module *module = fixture_load(reduction, BP_DTYPE_F32);
    float *q = malloc(sizeof(float) * BLOCKS * 1024), o[BLOCKS];
    for (int i = 0; i < BLOCKS * 1024; i++)
        q[i] = (float)(i % 997);
    for (uint32_t pool = 1; pool <= 3; pool++) {
        open_pool(pool);
        for (uint32_t threads = 2; threads <= 1024; threads *= 2) {
            run(module, geometry(BLOCKS, threads, 0), q, o, NULL);
            for (uint32_t b = 0; b < BLOCKS; b++) {
                float sum = 0; /* integers below 2^24: exact in any order */
                for (uint32_t t = 0; t < threads; t++)
                    sum += q[b * threads + t];
                assert_true(sum == o[b]);
            }
        }
    }
    free(q);
    bp_device_cpu.unload(module);
}

/* Every lane's value through every shuffle, for one width and argument. */
static const char shuffles[] = FIXTURE_PLAN FIXTURE_KERNEL
    "{\n"
    "    int *in = (int *)workspace, width = in[0], by = in[1], t = (int)threadIdx.x;\n"
    "    int *out = in + 2 + t * 5;\n"
    "    out[0] = __shfl(t * 3, by, width);\n"
    "    out[1] = __shfl_xor(t * 3, by, width);\n"
    "    out[2] = __shfl_up(t * 3, by, width);\n"
    "    out[3] = __shfl_down(t * 3, by, width);\n"
    "    double wide = __shfl_xor((double)t + 0.5, by, width);\n"
    "    out[4] = (int)(wide * 2);\n"
    "}\n";

static void check_shuffles(const int *out, int threads, int width, int by)
{
    for (int t = 0; t < threads; t++) {
        int lane = t % 32, base = t - lane, segment = lane / width * width;
        int direct = segment + (by & (width - 1));
        int xored = (lane ^ by) < segment + width ? lane ^ by : lane;
        int up = lane - by >= segment ? lane - by : lane;
        int down = lane + by < segment + width ? lane + by : lane;
        assert_int_equal(out[t * 5 + 0], 3 * (base + direct));
        assert_int_equal(out[t * 5 + 1], 3 * (base + xored));
        assert_int_equal(out[t * 5 + 2], 3 * (base + up));
        assert_int_equal(out[t * 5 + 3], 3 * (base + down));
        assert_int_equal(out[t * 5 + 4], 2 * (base + xored) + 1);
    }
}

static void shuffles_each_kind(void **state)
{
    (void)state;
    static int memory[2 + 96 * 5];
    struct bp_device_module *module = fixture_load(shuffles, BP_DTYPE_F32);
    open_pool(1);
    for (int width = 2; width <= 32; width *= 2) {
        for (int by = 0; by < 32; by++) {
            memory[0] = width;
            memory[1] = by;
            run(module, geometry(1, 96, 0), NULL, NULL, memory);
            check_shuffles(memory + 2, 96, width, by);
        }
    }
    bp_device_cpu.unload(module);
}

/* Lanes that have returned do not hold the wave up, and bring nothing. */
static const char partial_wave[] =
    FIXTURE_PLAN FIXTURE_KERNEL "{\n"
                                "    int *out = (int *)workspace, t = (int)threadIdx.x;\n"
                                "    if (t >= 20) return;\n"
                                "    __syncwarp();\n"
                                "    out[t] = __shfl_down(t, 10);\n"
                                "}\n";

static void finishes_partial_waves(void **state)
{
    (void)state;
    int out[20];
    struct bp_device_module *module = fixture_load(partial_wave, BP_DTYPE_F32);
    for (uint32_t threads = 20; threads <= 32; threads += 12) {
        run(module, geometry(1, threads, 0), NULL, NULL, out);
        for (int t = 0; t < 20; t++)
            assert_int_equal(out[t], t < 10 ? t + 10 : t);
    }
    bp_device_cpu.unload(module);
}

/* Reverses a block through dynamic shared memory, then through static at namespace scope. */
static const char shared_memory[] = FIXTURE_PLAN
    "struct __attribute__((aligned(64))) line { float x[16]; };\n"
    "__shared__ line lines[16];\n" FIXTURE_KERNEL "{\n"
    "    unsigned t = threadIdx.x, n = blockDim.x;\n"
    "    float *dynamic = (float *)gqa_lds;\n"
    "    float *fixed = lines[0].x;\n"
    "    if ((unsigned long long)gqa_lds % 16 || (unsigned long long)fixed % 64) return;\n"
    "    dynamic[t] = q[blockIdx.x * n + t].bits;\n"
    "    __syncthreads();\n"
    "    fixed[t] = dynamic[n - 1 - t] * 2.0f;\n"
    "    __syncthreads();\n"
    "    o[blockIdx.x * n + t].bits = fixed[n - 1 - t] + fixed[t];\n"
    "}\n";

static void keeps_shared_memory_apart(void **state)
{
    (void)state;
    enum { BLOCKS = 500, THREADS = 256 };
    static float q[BLOCKS * THREADS], o[BLOCKS * THREADS];
    struct bp_device_module *module = fixture_load(shared_memory, BP_DTYPE_F32);
    open_pool(3);
    for (int i = 0; i < BLOCKS * THREADS; i++)
        q[i] = (float)i;
    run(module, geometry(BLOCKS, THREADS, THREADS * sizeof(float)), q, o, NULL);
    for (int b = 0; b < BLOCKS; b++) {
        for (int t = 0; t < THREADS; t++) {
            float expected = 2 * q[b * THREADS + t] + 2 * q[b * THREADS + THREADS - 1 - t];
            assert_true(o[b * THREADS + t] == expected);
        }
    }
    bp_device_cpu.unload(module);
}

static const char atomics[] = FIXTURE_PLAN
    "struct totals { int sum, most, least, swapped; unsigned cas; float real; };\n" FIXTURE_KERNEL
    "{\n"
    "    totals *t = (totals *)workspace;\n"
    "    int id = (int)(blockIdx.x * blockDim.x + threadIdx.x);\n"
    "    atomicAdd(&t->sum, 1);\n"
    "    atomicMax(&t->most, id);\n"
    "    atomicMin(&t->least, -id);\n"
    "    atomicExch(&t->swapped, 7);\n"
    "    atomicAdd(&t->real, 0.5f);\n"
    "    unsigned seen = t->cas, expected;\n"
    "    do { expected = seen; seen = atomicCAS(&t->cas, expected, expected + 2u); }\n"
    "    while (seen != expected);\n"
    "}\n";

static void counts_with_atomics(void **state)
{
    (void)state;
    struct {
        int sum, most, least, swapped;
        unsigned cas;
        float real;
    } totals = {0};
    enum { ALL = 4000 * 64 };
    struct bp_device_module *module = fixture_load(atomics, BP_DTYPE_F32);
    open_pool(4);
    run(module, geometry(4000, 64, 0), NULL, NULL, &totals);
    assert_int_equal(totals.sum, ALL);
    assert_int_equal(totals.most, ALL - 1);
    assert_int_equal(totals.least, 1 - ALL);
    assert_int_equal(totals.swapped, 7);
    assert_int_equal(totals.cas, 2 * ALL);
    assert_true(totals.real == ALL / 2.0f);
    bp_device_cpu.unload(module);
}

/* Which thread of which block: once as plain calls, once (with a barrier) as fibers. */
#define WHO_AM_I(first)                                                                            \
    FIXTURE_PLAN FIXTURE_KERNEL                                                                    \
        "{\n" first                                                                                \
        "    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;\n"   \
        "    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + "           \
        "threadIdx.x;\n"                                                                           \
        "    unsigned all = blockDim.x * blockDim.y * blockDim.z;\n"                               \
        "    atomicAdd((unsigned *)workspace + block * all + thread, block * 10000 + thread + "    \
        "1);\n"                                                                                    \
        "}\n"

static void check_identities(const char *source)
{
    static unsigned memory[5 * 3 * 2 * 105];
    struct gqa_launch launch = {{5, 3, 2}, {7, 5, 3}, 0};
    struct bp_device_module *module = fixture_load(source, BP_DTYPE_F32);
    for (uint32_t pool = 1; pool <= 4; pool++) {
        open_pool(pool);
        memset(memory, 0, sizeof memory);
        run(module, launch, NULL, NULL, memory);
        for (unsigned i = 0; i < 30 * 105; i++)
            assert_int_equal(memory[i], i / 105 * 10000 + i % 105 + 1);
    }
    bp_device_cpu.unload(module);
}

static void numbers_threads_in_plain_loops(void **state)
{
    (void)state;
    check_identities(WHO_AM_I(""));
}

static void numbers_threads_in_fibers(void **state)
{
    (void)state;
    check_identities(WHO_AM_I("    __syncthreads();\n"));
}

/* One thread needs nobody: barriers and wave operations fall through. */
static const char lonely[] = FIXTURE_PLAN FIXTURE_KERNEL
    "{\n"
    "    __syncthreads();\n"
    "    __syncwarp();\n"
    "    o[blockIdx.x].bits = __shfl_xor(q[blockIdx.x].bits, 1) + (float)blockIdx.x;\n"
    "}\n";

static void runs_single_threads_without_fibers(void **state)
{
    (void)state;
    static float q[5000], o[5000];
    struct bp_device_module *module = fixture_load(lonely, BP_DTYPE_F32);
    open_pool(2);
    for (int i = 0; i < 5000; i++)
        q[i] = (float)(3 * i);
    run(module, geometry(5000, 1, 0), q, o, NULL);
    for (int i = 0; i < 5000; i++)
        assert_true(o[i] == (float)(4 * i));
    bp_device_cpu.unload(module);
}

static void expect_race(const char *source, uint32_t threads, const char *text)
{
    char message[BP_TEXT_LINE] = "";
    static float o[1024];
    struct bp_device_module *module = fixture_load(source, BP_DTYPE_F32);
    for (uint32_t pool = 1; pool <= 2; pool++) {
        open_pool(pool);
        enum bp_verdict verdict = fixture_launch(module, geometry(4, threads, 0), o, o, o, message);
        assert_int_equal(verdict, BP_VERDICT_RACE);
        if (!strstr(message, text))
            fail_msg("'%s' does not say '%s'", message, text);
    }
    bp_device_cpu.unload(module);
    /* The pool must be sound after a block was abandoned. */
    runs_single_threads_without_fibers(NULL);
}

static void finds_a_divergent_barrier(void **state)
{
    (void)state;
    expect_race(FIXTURE_PLAN FIXTURE_KERNEL
                "{\n"
                "    if (blockIdx.x == 2) {\n"
                "        if (threadIdx.x < 128) __syncthreads(); else __syncthreads();\n"
                "    }\n"
                "}\n",
                256,
                "divergent barrier: threads 0 and 128 of block (2,0,0) wait at different "
                "__syncthreads()");
}

static void finds_a_divergent_wave(void **state)
{
    (void)state;
    expect_race(FIXTURE_PLAN FIXTURE_KERNEL
                "{\n"
                "    float x = q[threadIdx.x].bits;\n"
                "    if (threadIdx.x & 1) x = __shfl_xor(x, 2); else x = __shfl_up(x, 2u);\n"
                "    o[threadIdx.x].bits = x;\n"
                "}\n",
                64, "divergent wave: threads 0 and 1 of block (");
}

static void finds_a_deadlock(void **state)
{
    (void)state;
    expect_race(FIXTURE_PLAN FIXTURE_KERNEL
                "{\n"
                "    if (blockIdx.x == 1) {\n"
                "        if (threadIdx.x == 35) __syncthreads(); else __syncwarp();\n"
                "    }\n"
                "}\n",
                64,
                "deadlock: in one wave of block (1,0,0) thread 32 waits at a wave operation and "
                "thread 35 at __syncthreads()");
}

static void finds_an_exit_before_a_barrier(void **state)
{
    (void)state;
    expect_race(FIXTURE_PLAN FIXTURE_KERNEL
                "{\n"
                "    if (blockIdx.x == 3 && threadIdx.x >= 224) return;\n"
                "    __syncthreads();\n"
                "}\n",
                256, "barrier after exit: 224 of the 256 threads of block (3,0,0) wait");
}

static void replaces_the_pool(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        open_pool(1 + i % 5);
    bp_simt_close();
    struct bp_error err;
    assert_int_equal(bp_simt_open(0, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
}

/* Many short launches on more threads than cores: each must see its own job only. */
static void launches_many_times(void **state)
{
    (void)state;
    unsigned counter = 0;
    struct bp_device_module *module = fixture_load(
        FIXTURE_PLAN FIXTURE_KERNEL "{ atomicAdd((unsigned *)workspace, 1u); }\n", BP_DTYPE_F32);
    open_pool(4);
    for (unsigned i = 0; i < 3000; i++) {
        run(module, geometry(7, 3, 0), NULL, NULL, &counter);
        assert_int_equal(counter, (i + 1) * 21);
    }
    bp_device_cpu.unload(module);
}

static int close_pool(void **state)
{
    bp_simt_close();
    return fixture_leave_directory(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduces_through_barriers),
        cmocka_unit_test(shuffles_each_kind),
        cmocka_unit_test(finishes_partial_waves),
        cmocka_unit_test(keeps_shared_memory_apart),
        cmocka_unit_test(counts_with_atomics),
        cmocka_unit_test(numbers_threads_in_plain_loops),
        cmocka_unit_test(numbers_threads_in_fibers),
        cmocka_unit_test(runs_single_threads_without_fibers),
        cmocka_unit_test(finds_a_divergent_barrier),
        cmocka_unit_test(finds_a_divergent_wave),
        cmocka_unit_test(finds_a_deadlock),
        cmocka_unit_test(finds_an_exit_before_a_barrier),
        cmocka_unit_test(replaces_the_pool),
        cmocka_unit_test(launches_many_times),
    };
    return cmocka_run_group_tests(tests, fixture_enter_directory, close_pool);
}
