/* The compiler driver: verdicts, first error line, limits, defines; and what the header computes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "evaluator/simt.h"
#include "tests/unit/device/fixture.h"

static struct bp_msg_compile_result result;

static void compile(const struct bp_msg_compile_request *request, const char *source)
{
    int fd;
    fixture_compile(request, source, &result, &fd);
    assert_int_equal((uint64_t)lseek(fd, 0, SEEK_END), result.object_bytes);
    close(fd);
}

static void expect_error(const char *source, const char *text)
{
    struct bp_msg_compile_request request = fixture_request(source);
    compile(&request, source);
    if (result.verdict != BP_VERDICT_COMPILE_ERROR || !strstr(result.message, text))
        fail_msg("%u: '%s', expected '%s'", result.verdict, result.message, text);
    assert_int_equal(result.object_bytes, 0);
}

static void names_the_first_error(void **state)
{
    (void)state;
    expect_error(FIXTURE_PLAN FIXTURE_KERNEL "{\n    o->bits = missing;\n    also_missing();\n}\n",
                 "kernel.hip:6:15: use of undeclared identifier 'missing'");
    assert_non_null(strstr(result.diagnostics, "also_missing"));
    assert_non_null(strstr(result.compiler, "clang version"));
}

/* A list of included files of 80 KiB (any readable directory has as many) is the source's doing, not
 * ours. */
static void refuses_a_flood_of_includes(void **state)
{
    (void)state;
    static char source[128 << 10];
    size_t used = 0;
    char name[204];
    for (int file = 1; file <= 400; file++) {
        snprintf(name, sizeof name, "%0200d.h", file);
        FILE *empty = fopen(name, "w");
        assert_non_null(empty);
        fclose(empty);
        used += (size_t)snprintf(source + used, sizeof source - used, "#include \"%s\"\n", name);
    }
    snprintf(source + used, sizeof source - used, "%s", FIXTURE_PLAN FIXTURE_KERNEL "{}\n");
    expect_error(source, "only gqa.h may be included");
    for (int file = 1; file <= 400; file++) {
        snprintf(name, sizeof name, "%0200d.h", file);
        unlink(name);
    }
}

static void refuses_what_is_not_portable(void **state)
{
    (void)state;
    expect_error(FIXTURE_PLAN FIXTURE_KERNEL
                 "{ o->bits = (float)__builtin_amdgcn_workitem_id_x(); }\n",
                 "'__builtin_amdgcn_workitem_id_x'");
    expect_error(FIXTURE_PLAN FIXTURE_KERNEL "{ __builtin_amdgcn_s_barrier(); }\n",
                 "'__builtin_amdgcn_s_barrier'");
    expect_error("#include <stdint.h>\n" FIXTURE_PLAN, "'stdint.h' file not found");
    expect_error("#include \"cmath\"\n" FIXTURE_PLAN, "'cmath' file not found");
    expect_error(FIXTURE_PLAN "#include \"/dev/null\"\n" FIXTURE_KERNEL "{}\n",
                 "includes /dev/null; only gqa.h may be included");
    expect_error(FIXTURE_PLAN FIXTURE_KERNEL "{ throw 1; }\n", "exceptions disabled");
    expect_error(FIXTURE_PLAN FIXTURE_KERNEL "{ struct big { char c[9]; } x; __shfl(x, 0); }\n",
                 "a shuffle moves at most 8 bytes");
    expect_error("#include \"kernel.hip\"\n", "#include nested too deeply");
}

static void passes_knobs(void **state)
{
    (void)state;
    static const char source[] =
        FIXTURE_PLAN "static_assert(BM == 64 && BN == -3, \"knobs\");\n" FIXTURE_KERNEL "{}\n";
    struct bp_msg_compile_request request = fixture_request(source);
    request.define_count = 2;
    request.defines[0] = (struct bp_define){"BM", "64"};
    request.defines[1] = (struct bp_define){"BN", "-3"};
    compile(&request, source);
    assert_int_equal(result.verdict, BP_VERDICT_PASS);
    assert_true(result.object_bytes > 0);
    assert_string_equal(result.message, "");
}

static void distrusts_knobs(void **state)
{
    (void)state;
    static const struct bp_define bad[] = {{"B M", "1"},
                                           {"", "1"},
                                           {"1B", "1"},
                                           {"BM", ""},
                                           {"BM", "1 2"},
                                           {"BM", "x"},
                                           {"BM=1 -include/etc/passwd", "2"},
                                           {"BM", "-"}};
    struct bp_error err;
    struct bp_msg_compile_request request = fixture_request("");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        request.define_count = 1;
        request.defines[0] = bad[i];
        assert_int_equal(bp_device_cpu.compile(&request, "", -1, &result, &err), -1);
        assert_int_equal(err.code, BP_ERR_PROTOCOL);
    }
    static const char *const archs[] = {"", "native -v", "-x", "../a"};
    request.define_count = 0;
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        snprintf(request.arch, sizeof request.arch, "%s", archs[i]);
        assert_int_equal(bp_device_cpu.compile(&request, "", -1, &result, &err), -1);
        assert_int_equal(err.code, BP_ERR_PROTOCOL);
    }
}

static void limits_the_object(void **state)
{
    (void)state;
    static const char source[] =
        FIXTURE_PLAN "const float __attribute__((used)) fat[200000] = {1};\n" FIXTURE_KERNEL
                     "{ o->bits = fat[q != k]; }\n";
    struct bp_msg_compile_request request = fixture_request(source);
    request.object_max_bytes = 500000;
    compile(&request, source);
    assert_int_equal(result.verdict, BP_VERDICT_COMPILE_LIMIT);
    assert_non_null(strstr(result.message, "limit 500000"));
    assert_int_equal(result.object_bytes, 0);
}

static void limits_the_diagnostics(void **state)
{
    (void)state;
    /* Twenty errors (clang stops there), each with a text of 16 KB. */
    enum { TEXT = 16000, LINES = 20, ROOM = LINES * (TEXT + 64) };
    char *source = malloc(ROOM), text[TEXT + 1];
    size_t used = 0;
    memset(text, 'x', TEXT);
    text[TEXT] = '\0';
    for (int i = 0; i < LINES; i++)
        used += (size_t)snprintf(source + used, ROOM - used, "static_assert(%d > 20, \"%s\");\n", i,
                                 text);
    struct bp_msg_compile_request request = fixture_request(source);
    compile(&request, source);
    if (result.verdict != BP_VERDICT_COMPILE_LIMIT)
        fail_msg("%u: %zu bytes", result.verdict, strlen(result.diagnostics));
    assert_non_null(strstr(result.message, "printed more than"));
    assert_true(strlen(result.diagnostics) < sizeof result.diagnostics);
    free(source);
}

static void counts_a_compiler_crash(void **state)
{
    (void)state;
    static const char source[] = "#pragma clang __debug crash\n";
    struct bp_msg_compile_request request = fixture_request(source);
    compile(&request, source);
    assert_int_equal(result.verdict, BP_VERDICT_COMPILER_CRASH);
    assert_true(result.message[0] != '\0');
}

static void takes_embedded_nul(void **state)
{
    (void)state;
    static const char source[] = FIXTURE_PLAN "/*\0*/ syntax error\n";
    struct bp_msg_compile_request request = fixture_request(source);
    request.source_bytes = sizeof source - 1;
    compile(&request, source);
    assert_int_equal(result.verdict, BP_VERDICT_COMPILE_ERROR);
}

/* All 65536 values of a 16-bit type: to float, and back. */
static const char round_trip[] =
    FIXTURE_PLAN FIXTURE_KERNEL "{\n"
                                "    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;\n"
                                "    float x = gqa_load(q + i);\n"
                                "    ((float *)workspace)[i] = x;\n"
                                "    gqa_store(o + i, x);\n"
                                "}\n";

/* The value of a 16-bit float of 1 sign bit, `exponent` exponent bits and the rest of fraction. */
static double decode(unsigned bits, int exponent)
{
    int fraction_bits = 15 - exponent, bias = (1 << (exponent - 1)) - 1;
    unsigned fraction = bits & ((1u << fraction_bits) - 1);
    int power = (int)(bits >> fraction_bits & ((1u << exponent) - 1));
    double sign = bits & 0x8000 ? -1 : 1;
    if (power == (1 << exponent) - 1)
        return fraction ? NAN : sign * INFINITY;
    if (power == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (1u << fraction_bits), power - bias - fraction_bits);
}

static void check_round_trip(enum bp_dtype dtype, int exponent)
{
    static uint16_t in[65536], out[65536];
    static float wide[65536];
    char message[BP_TEXT_LINE];
    struct bp_device_module *module = fixture_load(round_trip, dtype);
    for (unsigned i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    struct gqa_launch launch = {{256, 1, 1}, {256, 1, 1}, 0};
    assert_int_equal(fixture_launch(module, launch, in, out, wide, message), BP_VERDICT_PASS);
    for (unsigned i = 0; i < 65536; i++) {
        double value = decode(i, exponent);
        if (isnan(value)) {
            assert_true(isnan(wide[i]));
            assert_true(isnan(decode(out[i], exponent)));
        } else {
            assert_true((double)wide[i] == value);
            assert_int_equal(out[i], i);
        }
    }
    bp_device_cpu.unload(module);
}

static void converts_every_f16(void **state)
{
    (void)state;
    check_round_trip(BP_DTYPE_F16, 5);
}

static void converts_every_bf16(void **state)
{
    (void)state;
    check_round_trip(BP_DTYPE_BF16, 8);
}

static void runs_the_plan(void **state)
{
    (void)state;
    char message[BP_TEXT_LINE];
    struct gqa_launch_plan plan;
    struct gqa_shape shape = {.abi = GQA_ABI, .batch = 3, .q_heads = 7};
    struct bp_device_module *module =
        fixture_load(FIXTURE_PLAN FIXTURE_KERNEL "{}\n", BP_DTYPE_F32);
    memset(&plan, 0xff, sizeof plan);
    assert_int_equal(bp_device_cpu.plan(module, &shape, &plan, message), BP_VERDICT_PASS);
    assert_int_equal(plan.launches, 1);
    assert_int_equal(plan.launch[0].grid[0], 3);
    assert_int_equal(plan.launch[0].grid[1], 7);
    assert_int_equal(plan.launch[0].block[0], 32);
    assert_int_equal(plan.workspace_bytes, 0);
    bp_device_cpu.unload(module);
}

static void checks_the_plan_against_the_object(void **state)
{
    (void)state;
    char message[BP_TEXT_LINE];
    struct gqa_launch_plan plan;
    struct gqa_shape shape = {.abi = GQA_ABI};
    struct bp_device_module *module = fixture_load(
        "#include \"gqa.h\"\n"
        "GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)\n"
        "{ gqa_plan_launch(plan, shape.batch, 1, 1, 1, 32, 4u << 20); }\n" FIXTURE_KERNEL
        "{ __shared__ char x[65]; x[q != k] = 1; o->bits = x[0]; }\n",
        BP_DTYPE_F32);
    assert_int_equal(bp_device_cpu.plan(module, &shape, &plan, message), BP_VERDICT_RESOURCE_LIMIT);
    assert_non_null(strstr(message, "65 bytes of static and 4194304 of dynamic LDS"));
    bp_device_cpu.unload(module);
    module = fixture_load("#include \"gqa.h\"\n"
                          "GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)\n"
                          "{ gqa_plan_launch(plan, 1, 1, 1, 1, 32, 0); }\n" FIXTURE_KERNEL "{}\n",
                          BP_DTYPE_F32);
    assert_int_equal(bp_device_cpu.plan(module, &shape, &plan, message), BP_VERDICT_LAUNCH_ERROR);
    assert_non_null(strstr(message, "no gqa_kernel1"));
    bp_device_cpu.unload(module);
}

static int enter(void **state)
{
    struct bp_error err;
    return fixture_enter_directory(state) < 0 || bp_simt_open(2, &err) < 0 ? -1 : 0;
}

static int leave(void **state)
{
    bp_simt_close();
    return fixture_leave_directory(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_first_error),
        cmocka_unit_test(refuses_a_flood_of_includes),
        cmocka_unit_test(refuses_what_is_not_portable),
        cmocka_unit_test(passes_knobs),
        cmocka_unit_test(distrusts_knobs),
        cmocka_unit_test(limits_the_object),
        cmocka_unit_test(limits_the_diagnostics),
        cmocka_unit_test(counts_a_compiler_crash),
        cmocka_unit_test(takes_embedded_nul),
        cmocka_unit_test(converts_every_f16),
        cmocka_unit_test(converts_every_bf16),
        cmocka_unit_test(runs_the_plan),
        cmocka_unit_test(checks_the_plan_against_the_object),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
