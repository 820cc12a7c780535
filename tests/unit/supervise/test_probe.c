/* A probe passes with the kernel that is known to be good, in every dtype, and with no other: whatever
 * goes wrong on the device is seen, within the deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "harness/supervise/compile_job.h"
#include "harness/supervise/describe.h"
#include "harness/supervise/probe.h"
#include "tests/lib/loop.h"

#define HANG_MS 3000.0
#define PATIENCE_MS 60000.0 /* AMD's library compiles kernels of its own when it starts */

static const struct bp_child_settings children = {.loop = &loop,
                                                  .worker_path = WORKER,
                                                  .compile_ms = 60000,
                                                  .memory_bytes = 4ull << 30,
                                                  .log_max_bytes = 4096};

struct place {
    const char *device, *arch;
    enum bp_device_kind kind;
};

static const struct place processors = {"cpu", "native", BP_DEVICE_KIND_CPU};
static const struct place emulated = {"emu:gfx1030", "gfx1030", BP_DEVICE_KIND_EMULATED};

static void compile(const struct place *place, const char *path, enum bp_dtype dtype,
                    struct bp_compile_job *job)
{
    struct bp_error err;
    struct bp_buffer source;
    const struct bp_define block = {"BLOCK", "128"};
    char file[512];
    snprintf(file, sizeof file, "%s/%s", ROOT, path);
    bp_buffer_init(&source, 1 << 20);
    assert_int_equal(bp_io_read_file(file, &source, &err), 0);
    struct bp_compile_options options = {.children = children,
                                         .dtype = dtype,
                                         .source = bp_buffer_text(&source),
                                         .source_bytes = source.size,
                                         .define_count = 1,
                                         .defines = &block};
    snprintf(options.device, sizeof options.device, "%s", place->device);
    snprintf(options.arch, sizeof options.arch, "%s", place->arch);
    assert_int_equal(bp_compile_start(job, &options, &err), 0);
    while (!job->done)
        step_loop();
    bp_buffer_free(&source);
    if (job->outcome.verdict != BP_VERDICT_PASS)
        fail_msg("%s: %s", path, job->outcome.message);
}

static void run(const struct place *place, const struct bp_compile_job *job, enum bp_dtype dtype,
                double timeout_ms, struct bp_probe *probe)
{
    struct bp_error err;
    struct bp_probe_options options = {.children = children,
                                       .kind = place->kind,
                                       .dtype = dtype,
                                       .threads = 2,
                                       .object_fd = job->object_fd,
                                       .object_bytes = job->object_bytes,
                                       .timeout_ms = timeout_ms};
    snprintf(options.device, sizeof options.device, "%s", place->device);
    assert_int_equal(bp_probe_start(probe, &options, &err), 0);
    while (!probe->done)
        step_loop();
    printf("%s in %.2f ms (kernel %.2f ms) %s\n", bp_verdict_name(probe->outcome.verdict),
           probe->total_ms, probe->launch_ms, probe->outcome.message);
    bp_probe_free(probe);
}

static void the_known_good_kernel_passes(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < BP_DTYPE_COUNT; dtype++) {
        struct bp_compile_job job;
        struct bp_probe probe;
        compile(&processors, "kernels/seeds/eager.hip", (enum bp_dtype)dtype, &job);
        for (int i = 0; i < 3; i++) {
            run(&processors, &job, (enum bp_dtype)dtype, PATIENCE_MS, &probe);
            assert_int_equal(probe.outcome.verdict, BP_VERDICT_PASS);
            assert_string_equal(probe.outcome.message, "");
        }
        bp_compile_free(&job);
    }
}

static void nothing_else_does(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum bp_verdict verdict;
        const char *words;
    } rows[] = {
        {"tests/badkernels/wrong_zeros.hip", BP_VERDICT_WRONG_RESULT, "row"},
        {"tests/badkernels/wrong_nan.hip", BP_VERDICT_NONFINITE, "row"},
        {"tests/badkernels/wrong_untouched.hip", BP_VERDICT_NONFINITE, "row"},
        {"tests/badkernels/crash_null.hip", BP_VERDICT_INFRA, "probe child: killed by SIGSEGV"},
        {"tests/badkernels/call_socket.hip", BP_VERDICT_INFRA, "socket("},
        {"tests/badkernels/hang_loop.hip", BP_VERDICT_INFRA, "no answer within 3 s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bp_compile_job job;
        struct bp_probe probe;
        compile(&processors, rows[i].path, BP_DTYPE_F16, &job);
        bool hangs = strstr(rows[i].path, "hang") != NULL;
        run(&processors, &job, BP_DTYPE_F16, hangs ? HANG_MS : PATIENCE_MS, &probe);
        bp_compile_free(&job);
        assert_int_equal(probe.outcome.verdict, rows[i].verdict);
        assert_non_null(strstr(probe.outcome.message, rows[i].words));
        assert_true(probe.total_ms < PATIENCE_MS);
    }
}

static bool can_emulate(void)
{
    struct bp_msg_device_result facts;
    struct bp_error err;
    if (bp_device_describe(&children, emulated.device, emulated.kind, BP_DESCRIBE_MS, &facts,
                           &err) == 0)
        return true;
    printf("no emulated GPU: %s\n", err.msg);
    return false;
}

static void probe_emulated(const struct bp_compile_job *job, enum bp_verdict verdict,
                           const char *words)
{
    struct bp_probe probe;
    run(&emulated, job, BP_DTYPE_F16, PATIENCE_MS, &probe);
    assert_int_equal(probe.outcome.verdict, verdict);
    assert_non_null(strstr(probe.outcome.message, words));
}

/* What is no object for the device is refused by the driver, and says nothing of the device. */
static void an_emulated_gpu_takes_its_own_objects_only(void **state)
{
    (void)state;
    static const struct place other = {"emu:gfx90a", "gfx90a", BP_DEVICE_KIND_EMULATED};
    static const char garbage[4096] = "\177ELF is what it begins with";
    struct bp_compile_job job;
    struct bp_error err;
    if (!can_emulate())
        skip();
    compile(&other, "kernels/seeds/eager.hip", BP_DTYPE_F16, &job);
    probe_emulated(&job, BP_VERDICT_LAUNCH_ERROR, "loading the object: hipError");
    bp_compile_free(&job);
    compile(&emulated, "kernels/seeds/eager.hip", BP_DTYPE_F16, &job);
    int object_fd = job.object_fd;
    uint64_t object_bytes = job.object_bytes;
    job.object_fd = bp_io_memfd_sealed("garbage", garbage, sizeof garbage, &err);
    job.object_bytes = sizeof garbage;
    assert_true(job.object_fd >= 0);
    probe_emulated(&job, BP_VERDICT_LAUNCH_ERROR, "loading the object: it is none");
    close(job.object_fd);
    job.object_fd = object_fd;
    job.object_bytes = object_bytes;
    probe_emulated(&job, BP_VERDICT_PASS, "");
    bp_compile_free(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_good_kernel_passes),
        cmocka_unit_test(nothing_else_does),
        cmocka_unit_test(an_emulated_gpu_takes_its_own_objects_only),
    };
    return cmocka_run_group_tests(tests, open_loop, close_loop);
}
