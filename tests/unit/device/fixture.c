#include "tests/unit/device/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

static const char *const leftovers[] = {"gqa.h",    "gqa_abi.h", "gqa_simt.h",      "kernel.hip",
                                        "kernel.o", "object.so", "diagnostics.txt", "includes.d"};

int fixture_enter_directory(void **state)
{
    const char *parent = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/bp-device-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(path) || chdir(path) < 0)
        return -1;
    *state = strdup(path);
    return 0;
}

int fixture_leave_directory(void **state)
{
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++)
        unlink(leftovers[i]);
    int rc = chdir("/") < 0 || rmdir(*state) < 0 ? -1 : 0;
    free(*state);
    return rc;
}

struct bp_msg_compile_request fixture_request(const char *source)
{
    return (struct bp_msg_compile_request){.device = "cpu",
                                           .arch = "native",
                                           .source_bytes = strlen(source),
                                           .object_max_bytes = 16 << 20,
                                           .dtype = BP_DTYPE_F32};
}

void fixture_compile(const struct bp_msg_compile_request *request, const char *source,
                     struct bp_msg_compile_result *result, int *object_fd)
{
    struct bp_error err;
    *object_fd = bp_io_memfd("object", 0, &err);
    assert_true(*object_fd >= 0);
    if (bp_device_cpu.compile(request, source, *object_fd, result, &err) < 0)
        fail_msg("compile: %s", err.msg);
}

enum bp_verdict fixture_try_load(int object_fd, struct bp_device_module **module,
                                 char message[BP_TEXT_LINE])
{
    struct bp_error err;
    assert_int_equal(bp_io_memfd_seal(object_fd, &err), 0);
    return bp_device_cpu.load(object_fd, (size_t)lseek(object_fd, 0, SEEK_END), module, message);
}

struct bp_device_module *fixture_load(const char *source, enum bp_dtype dtype)
{
    struct bp_msg_compile_request request = fixture_request(source);
    struct bp_msg_compile_result *result = calloc(1, sizeof *result);
    struct bp_device_module *module = NULL;
    char message[BP_TEXT_LINE];
    int object;
    assert_non_null(result);
    request.dtype = dtype;
    fixture_compile(&request, source, result, &object);
    if (result->verdict != BP_VERDICT_PASS)
        fail_msg("%s", result->diagnostics);
    if (fixture_try_load(object, &module, message) != BP_VERDICT_PASS)
        fail_msg("load: %s", message);
    close(object);
    free(result);
    return module;
}

enum bp_verdict fixture_launch(struct bp_device_module *module, struct gqa_launch geometry,
                               const void *q, void *o, void *workspace, char message[BP_TEXT_LINE])
{
    struct gqa_launch_plan plan = {.launches = 1, .launch = {geometry}};
    struct gqa_shape shape = {.abi = GQA_ABI, .batch = 1, .q_heads = 1, .kv_heads = 1, .q_len = 1};
    return bp_device_cpu.launch(module, &plan, &shape, q, q, q, o, workspace, message);
}
