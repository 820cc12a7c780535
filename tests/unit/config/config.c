#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "evaluator/gates.h"
#include "sandbox/canary.h"
#include "harness/config/config.h"

static const char kernel[] = "/*! bulletproof\n"
                             "name: flash\n"
                             "targets: [cpu, amd]\n"
                             "dtypes: [f16, f32]\n"
                             "knobs: {BM: [32, 64, 128], BN: [16, 32]}\n"
                             "constraints: [\"BM % BN == 0\"]\n"
                             "default: {BM: 64, BN: 16}\n"
                             "*/\n";

/* A bp_config is large: one for all tests. */
static struct bp_config config;

static void parse(const char *text)
{
    struct bp_error err;
    if (bp_config_parse("run/c.yaml", text, strlen(text), kernel, sizeof kernel - 1, &config,
                        &err) < 0)
        fail_msg("%s", err.msg);
}

static const char *described(const struct bp_point *point)
{
    static char text[128];
    bp_space_describe(&config.head.space, point, text, sizeof text);
    return text;
}

static void what_is_not_given_has_its_default(void **state)
{
    (void)state;
    struct bp_config defaults;
    bp_config_defaults(&defaults);
    parse("kernel: k.hip\n");
    assert_string_equal(config.dtype, "f16");
    assert_string_equal(config.device, "auto");
    assert_string_equal(config.suite, "quick");
    assert_string_equal(config.strategy, "local");
    assert_string_equal(config.output, "runs");
    assert_int_equal(config.budget.evaluations, 200);
    assert_true(config.budget.seconds == 0);
    assert_memory_equal(&config.budget, &defaults.budget, sizeof config.budget);
    assert_memory_equal(&config.timing, &defaults.timing, sizeof config.timing);
    assert_memory_equal(&config.retry, &defaults.retry, sizeof config.retry);
    assert_memory_equal(&config.limits, &defaults.limits, sizeof config.limits);
    assert_true(config.retry.attempts > 0 && config.limits.memory_mb > 0);
    assert_string_equal(described(&config.baseline), "BM=64 BN=16");
    assert_string_equal(config.head.name, "flash");
    assert_string_equal(config.source, kernel);
    assert_int_equal(config.source_bytes, sizeof kernel - 1);
    assert_string_equal(config.text, "kernel: k.hip\n");
    bp_config_free(&config);
    bp_config_free(&defaults);
}

static void every_scalar_is_stored(void **state)
{
    (void)state;
    parse("kernel: k.hip\ndtype: f32\ndevice: 'emu:gfx1201'\nsuite: tiny\noutput: /tmp/o\n"
          "seed: 18446744073709551615\nthreads: 3\nparallel: 2\n"
          "strategy: {name: random}\n"
          "budget: {evaluations: 64, seconds: 150.5}\n"
          "timing: {batch_ms: 12, warmup_batches: 2, batches: 7, match_rounds: 9,\n"
          "         final_rounds: 11, ring_mb: 13}\n"
          "retry: {base_ms: 1, factor: 1.5, cap_ms: 20, attempts: 4}\n"
          "limits: {compile_s: 5, run_s: 6, judge_s: 7, memory_mb: 800, workspace_mb: 90,\n"
          "         log_kb: 10}\n");
    assert_string_equal(config.dtype, "f32");
    assert_string_equal(config.device, "emu:gfx1201");
    assert_string_equal(config.suite, "tiny");
    assert_string_equal(config.output, "/tmp/o");
    assert_string_equal(config.strategy, "random");
    assert_true(config.seed == UINT64_MAX);
    assert_true(config.threads == 3 && config.parallel == 2);
    assert_true(config.budget.evaluations == 64 && config.budget.seconds == 150.5);
    assert_true(config.timing.batch_ms == 12 && config.timing.warmup_batches == 2);
    assert_true(config.timing.batches == 7 && config.timing.match_rounds == 9);
    assert_true(config.timing.final_rounds == 11 && config.timing.ring_mb == 13);
    assert_true(config.retry.base_ms == 1 && config.retry.factor == 1.5);
    assert_true(config.retry.cap_ms == 20 && config.retry.attempts == 4);
    assert_true(config.limits.compile_s == 5 && config.limits.run_s == 6);
    assert_true(config.limits.judge_s == 7 && config.limits.memory_mb == 800);
    assert_true(config.limits.workspace_mb == 90 && config.limits.log_kb == 10);
    bp_config_free(&config);
}

static void devices_are_a_list(void **state)
{
    static const char *const texts[][2] = {
        {"kernel: k.hip\ndevices: [cpu]\n", "cpu"},
        {"kernel: k.hip\ndevices: [auto]\n", "auto"},
        {"kernel: k.hip\ndevices: [hip:0, hip:1]\n", "hip:0,hip:1"},
        {"kernel: k.hip\ndevices:\n  - emu:gfx1030\n  - emu:gfx1030:1\n",
         "emu:gfx1030,emu:gfx1030:1"},
        {"kernel: k.hip\ndevice: hip:0,hip:1\n", "hip:0,hip:1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        parse(texts[i][0]);
        assert_string_equal(config.device, texts[i][1]);
        bp_config_free(&config);
    }
}

static void gates_are_a_set(void **state)
{
    static const struct {
        const char *text;
        uint32_t gates;
    } cases[] = {
        {"kernel: k.hip\n", 0},
        {"kernel: k.hip\ngates: []\n", 0},
        {"kernel: k.hip\ngates: [race, uninitialised]\n",
         1u << BP_GATE_race | 1u << BP_GATE_uninitialised},
        {"kernel: k.hip\ngates: [all]\n", BP_GATES_ALL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parse(cases[i].text);
        assert_int_equal(config.gates, cases[i].gates);
        bp_config_free(&config);
    }
}

static void required_layers_are_a_set(void **state)
{
    (void)state;
    parse("kernel: k.hip\n");
    assert_int_equal(config.sandbox_require, 0);
    bp_config_free(&config);
    parse("kernel: k.hip\nsandbox: {require: [pidns, readonly]}\n");
    assert_int_equal(config.sandbox_require, 1u << BP_LAYER_pidns | 1u << BP_LAYER_readonly);
    bp_config_free(&config);
}

static void the_space_is_overridden_and_the_baseline_follows(void **state)
{
    (void)state;
    parse("kernel: k.hip\nspace:\n  knobs: {BM: [128, 256, 64]}\n  constraints: [BM <= 128]\n");
    assert_int_equal(config.head.space.knobs[0].value_count, 3);
    assert_int_equal(config.head.space.knobs[0].values[1], 256);
    assert_int_equal(config.head.space.constraint_count, 2);
    assert_string_equal(described(&config.baseline), "BM=64 BN=16");
    assert_int_equal(config.baseline.choice[0], 2);
    bp_config_free(&config);

    parse("kernel: k.hip\nspace: {knobs: {BM: [128, 256]}}\nbaseline: {BM: 256}\n");
    assert_string_equal(described(&config.baseline), "BM=256 BN=16");
    assert_string_equal(described(&config.head.default_point), "BM=256 BN=16");
    bp_config_free(&config);

    parse("kernel: k.hip\nbaseline: {BN: 32}\n");
    assert_string_equal(described(&config.baseline), "BM=64 BN=32");
    bp_config_free(&config);
}

static void expect_failure(const char *text, const char *fragment)
{
    struct bp_error err = {0};
    if (bp_config_parse("run/c.yaml", text, strlen(text), kernel, sizeof kernel - 1, &config,
                        &err) == 0)
        fail_msg("'%s' was accepted, but expected '%s'", text, fragment);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_null(strchr(err.msg, '\n'));
    if (!strstr(err.msg, fragment))
        fail_msg("'%s' lacks '%s'", err.msg, fragment);
}

static void mistakes_are_named_with_what_is_valid(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"kernel: k\nbudget:\n  evalutions: 64\n",
         "run/c.yaml:3: unknown key 'evalutions' in 'budget'; did you mean 'evaluations'? (valid: "
         "evaluations, seconds)"},
        {"kernel: k\nkernal: k\n", "run/c.yaml:2: unknown key 'kernal'; did you mean 'kernel'?"},
        {"kernel: k\nstratgey: {name: local}\n", "did you mean 'strategy'?"},
        {"kernel: k\nbudget: {tokens: 5}\n", "unknown key 'tokens' in 'budget' (valid: "},
        {"kernel: k\nbudget: {money: 5}\n", "unknown key 'money' in 'budget'"},
        {"kernel: k\nbudget: {device_seconds: 5}\n", "unknown key 'device_seconds' in 'budget'"},
        {"kernel: k\nllm: {}\n", "run/c.yaml:2: unknown key 'llm'"},
        {"kernel: k\njail: {require: []}\n", "unknown key 'jail'"},
        {"kernel: k\ndevice_list: [cpu]\n", "unknown key 'device_list'"},
        {"kernel: k\nspace: {knob: {}}\n",
         "unknown key 'knob' in 'space'; did you mean 'knobs'? (valid: knobs, constraints)"},
        {"kernel: k\nevaluations: 5\n", "unknown key 'evaluations'"},
        {"kernel: k\n<<: {seed: 1}\n", "unknown key '<<'"},
        {"", "run/c.yaml:1: 'kernel' is required"},
        {"dtype: f16\n", "'kernel' is required"},
        {"- kernel\n", "run/c.yaml:1: the config: expected keys with values, found a list"},
        {"kernel\n", "the config: expected keys with values, found the text 'kernel'"},
        {"kernel: k\nbudget: 5\n", "'budget': expected keys with values, found the number '5'"},
        {"kernel: k\nbudget:\n", "'budget': expected keys with values, found nothing"},
        {"kernel:\n", "'kernel': expected a text, found nothing"},
        {"kernel: ''\n", "'kernel': expected a text, found the text ''"},
        {"kernel: [a]\n", "'kernel': expected a text, found a list"},
        {"kernel: 5\n", "'kernel': expected a text, found the number '5'"},
        {"kernel: true\n", "'kernel': expected a text, found the boolean 'true'"},
        {"kernel: k\ndtype: fp16\n",
         "run/c.yaml:2: unknown dtype 'fp16'; did you mean 'f16'? (valid: f16, bf16, f32)"},
        {"kernel: k\ndtype: 16\n", "expected a text (f16, bf16, f32), found the number '16'"},
        {"kernel: k\ndevice: gpu\n",
         "unknown device 'gpu' (valid: auto, cpu, hip:N, cuda:N, emu:ARCH, emu:ARCH:N)"},
        {"kernel: k\ndevice: 'hip:'\n", "unknown device 'hip:'"},
        {"kernel: k\ndevice: 'hip:-1'\n", "unknown device 'hip:-1'"},
        {"kernel: k\ndevices: cpu\n", "'devices': expected a list of texts"},
        {"kernel: k\ndevices: []\n", "'devices': expected a list of texts"},
        {"kernel: k\ndevices: ['cpu,cpu']\n", "'devices': expected a text without a comma"},
        {"kernel: k\ndevices: [cpu, [cpu]]\n", "'devices': expected a text without a comma"},
        {"kernel: k\ndevices: [hip:0,\n  gpu]\n", "run/c.yaml:3: unknown devices 'gpu' (valid: as"},
        {"kernel: k\ndevice: cpu\ndevices: [cpu]\n", "run/c.yaml:3: 'devices' is given beside"},
        {"kernel: k\ndevice: 'emu:../x'\n", "unknown device 'emu:../x'"},
        {"kernel: k\nsuite: fast\n",
         "unknown suite 'fast' (valid: quick, full, tiny, bench, or the name"},
        {"kernel: k\nsuite: qiuck\n", "unknown suite 'qiuck' (valid: quick, full, tiny"},
        {"kernel: k\ngates:\n  - rac\n",
         "run/c.yaml:3: unknown gate 'rac'; did you mean 'race'? (valid: race, bounds, "},
        {"kernel: k\nsandbox: {require: [pidn]}\n",
         "unknown layer 'pidn'; did you mean 'pidns'? (valid: pidns, mntns, "},
        {"kernel: k\nsandbox: {require: pidns}\n", "'require': expected a list of words"},
        {"kernel: k\ngates: race\n", "'gates': expected a list of words"},
        {"kernel: k\ngates: [1]\n", "'gates': expected a word"},
        {"kernel: k\nsuite: quik\n", "unknown suite 'quik'; did you mean 'quick'? (valid: "},
        {"kernel: k\nstrategy: {name: annealing}\n",
         "unknown name 'annealing' (valid: random, local)"},
        {"kernel: k\nstrategy: local\n", "'strategy': expected keys with values, found the text"},
        {"kernel: k\nseed: -1\n", "'seed' is out of range: -1 (valid: 0 to 18446744073709551615)"},
        {"kernel: k\nseed: 18446744073709551616\n", "'seed' is out of range"},
        {"kernel: k\nseed: 1.0\n", "'seed': expected a decimal integer"},
        {"kernel: k\nbudget: {evaluations: 1e3}\n",
         "'evaluations': expected a decimal integer (1 to 10000000), found the number '1e3'"},
        {"kernel: k\nbudget: {evaluations: 0x40}\n", "found the number '0x40'"},
        {"kernel: k\nbudget: {evaluations: true}\n", "found the boolean 'true'"},
        {"kernel: k\nbudget: {evaluations: '64'}\n", "found the text '64'"},
        {"kernel: k\nbudget: {evaluations: [64]}\n", "found a list"},
        {"kernel: k\nbudget: {evaluations: }\n", "found nothing"},
        {"kernel: k\nbudget: {evaluations: 0}\n",
         "'evaluations' is out of range: 0 (valid: 1 to 10000000)"},
        {"kernel: k\ntiming: {batches: 257}\n", "'batches' is out of range: 257 (valid: 1 to 256)"},
        {"kernel: k\ntiming: {match_rounds: 257}\n", "out of range: 257 (valid: 4 to 256)"},
        {"kernel: k\ntiming: {final_rounds: 257}\n", "out of range: 257 (valid: 2 to 256)"},
        {"kernel: k\nbudget: {evaluations: 4294967360}\n", "'evaluations' is out of range"},
        {"kernel: k\nbudget: {seconds: 1e3}\n",
         "'seconds': expected a decimal number such as 150 or 0.5 (0 to 31536000 s), found the "
         "number '1e3'"},
        {"kernel: k\nbudget: {seconds: .inf}\n", "found the number '.inf'"},
        {"kernel: k\nbudget: {seconds: -1}\n",
         "'seconds' is out of range: -1 (valid: 0 to 31536000 s)"},
        {"kernel: k\nlimits:\n  run_s: 0.05\n",
         "run/c.yaml:3: 'run_s' is out of range: 0.05 (valid: 0.1 to 3600 s)"},
        {"kernel: k\nkernel: l\n", "run/c.yaml:2: key 'kernel' is given twice (first on line 1)"},
        {"kernel: &k k\noutput: *k\n", "anchors and aliases are not allowed"},

        {"kernel: k\ndtype: bf16\n", "run/c.yaml:2: kernel 'flash' has no dtype bf16 (it declares: "
                                     "f16, f32)"},
        {"kernel: k\ndevice: 'cuda:0'\n", "run/c.yaml:2: device cuda:0 needs target 'nvidia', "
                                          "which kernel 'flash' does not declare"},
        {"kernel: k\ndevices: [hip:0,\n  hip:0]\n", "device hip:0 is named twice"},
        {"kernel: k\ndevices: [hip:0, cpu]\n", "run/c.yaml:2: devices hip:0 and cpu in one run"},
        {"kernel: k\ndevice: hip:0,cuda:0\n", "devices hip:0 and cuda:0 in one run"},
        {"kernel: k\ndevices: [cuda:0, cuda:1]\n", "run/c.yaml:2: device cuda:0 needs target"},
        {"kernel: k\nspace:\n  knobs:\n    BX: [1]\n",
         "run/c.yaml:4: unknown knob 'BX'; did you mean 'BM'? (valid: BM, BN)"},
        {"kernel: k\nspace: {knobs: {PANEL: [1]}}\n", "unknown knob 'PANEL' (valid: BM, BN)"},
        {"kernel: k\nspace: {knobs: {BM: []}}\n", "knob 'BM' has an empty list"},
        {"kernel: k\nspace: {knobs: {BM: [64, 64]}}\n", "knob 'BM' lists 64 twice"},
        {"kernel: k\nspace: {knobs: [BM]}\n", "knobs: expected a mapping"},
        {"kernel: k\nspace: {constraints: BM > 1}\n", "constraints: expected a list"},
        {"kernel: k\nspace: {constraints: [BM >> 1]}\n",
         "constraint 'BM >> 1': column 5: expected a number"},
        {"kernel: k\nspace: {constraints: [BM > 128]}\n",
         "run/c.yaml:2: constraints: no choice of knobs satisfies every constraint"},
        {"kernel: k\nspace: {constraints: [BM > 64]}\n",
         "BM=64 BN=16 breaks the constraint 'BM > 64': the kernel's default lies outside this "
         "space; set 'baseline'"},
        {"kernel: k\nspace: {knobs: {BM: [128, 256]}}\n",
         "knob 'BM' is missing (values: 128, 256): the kernel's default lies outside"},
        {"kernel: k\nbaseline: {BM: 48}\n",
         "run/c.yaml:2: BM=48 is not one of its values (32, 64, 128)"},
        {"kernel: k\nbaseline: {XY: 48}\n", "unknown knob 'XY' (valid: BM, BN)"},
        {"kernel: k\nbaseline: [64]\n", "baseline: expected a mapping such as {BM: 64}"},
        {"kernel: k\nbaseline: {BM: yes}\n", "expected a decimal integer, found the boolean 'yes'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_failure(cases[i].text, cases[i].fragment);
}

static void a_broken_baseline_is_blamed_on_itself(void **state)
{
    (void)state;
    static const char text[] = "kernel: k\nspace: {constraints: [BM != 32 || BN != 32]}\n"
                               "baseline: {BM: 32, BN: 32}\n";
    struct bp_error err;
    assert_int_equal(
        bp_config_parse("c.yaml", text, strlen(text), kernel, sizeof kernel - 1, &config, &err),
        -1);
    assert_string_equal(err.msg,
                        "c.yaml:3: BM=32 BN=32 breaks the constraint 'BM != 32 || BN != 32'");
}

/* A private directory with a config and its kernel. */
struct files {
    char dir[64];
    char config[128], kernel[128];
};

static int set_up(void **state)
{
    static struct files files;
    strcpy(files.dir, "/tmp/bp_config_XXXXXX");
    if (!mkdtemp(files.dir))
        return -1;
    snprintf(files.config, sizeof files.config, "%s/c.yaml", files.dir);
    snprintf(files.kernel, sizeof files.kernel, "%s/k.hip", files.dir);
    *state = &files;
    return 0;
}

static int tear_down(void **state)
{
    struct files *files = *state;
    unlink(files->config);
    unlink(files->kernel);
    rmdir(files->kernel);
    return rmdir(files->dir);
}

static void write_file(const char *path, const char *text, size_t size)
{
    struct bp_error err;
    if (bp_io_write_file_atomic(path, text, size, &err) < 0)
        fail_msg("%s", err.msg);
}

static void expect_load_failure(const char *path, const char *fragment)
{
    struct bp_error err = {0};
    assert_int_equal(bp_config_load(path, &config, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_null(strchr(err.msg, '\n'));
    if (!strstr(err.msg, fragment))
        fail_msg("'%s' lacks '%s'", err.msg, fragment);
}

static void kernels_are_found_beside_the_config(void **state)
{
    struct files *files = *state;
    struct bp_error err;
    const char *text = "# c\nkernel: ./k.hip\n";
    write_file(files->config, text, strlen(text));
    write_file(files->kernel, kernel, sizeof kernel - 1);
    if (bp_config_load(files->config, &config, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(config.source, kernel);
    assert_string_equal(config.text, text);
    assert_non_null(strstr(config.kernel, files->dir));
    bp_config_free(&config);

    assert_int_equal(chdir(files->dir), 0);
    assert_int_equal(bp_config_load("c.yaml", &config, &err), 0);
    assert_string_equal(config.kernel, "./k.hip");
    bp_config_free(&config);
    assert_int_equal(chdir("/"), 0);
}

static void unusable_files_are_usage_errors(void **state)
{
    struct files *files = *state;
    const char *text = "# c\nkernel: k.hip\n";
    expect_load_failure(files->config, "c.yaml: No such file or directory");
    expect_load_failure(files->dir, "is a directory, not a file");
    write_file(files->config, text, strlen(text));
    expect_load_failure(files->config, "c.yaml:2: 'kernel': cannot read ");
    expect_load_failure(files->config, "k.hip: No such file or directory");
    assert_int_equal(mkdir(files->kernel, 0700), 0);
    expect_load_failure(files->config, "k.hip is a directory, not a file");
    assert_int_equal(rmdir(files->kernel), 0);
    write_file(files->kernel, "int x;\n", 7);
    expect_load_failure(files->config, "k.hip:1: the first comment must be the declaration");
    write_file(files->kernel, "int x;\n\0", 8);
    expect_load_failure(files->config, "k.hip:2: a NUL byte in the source");
    size_t size = BP_SOURCE_MAX_BYTES + 1;
    char *large = calloc(1, size);
    assert_non_null(large);
    write_file(files->kernel, large, size);
    expect_load_failure(files->config, "k.hip is larger than 1048576 bytes");
    write_file(files->config, large, size);
    expect_load_failure(files->config, "c.yaml is larger than 1048576 bytes");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(every_scalar_is_stored),
        cmocka_unit_test(devices_are_a_list),
        cmocka_unit_test(gates_are_a_set),
        cmocka_unit_test(required_layers_are_a_set),
        cmocka_unit_test(the_space_is_overridden_and_the_baseline_follows),
        cmocka_unit_test(mistakes_are_named_with_what_is_valid),
        cmocka_unit_test(a_broken_baseline_is_blamed_on_itself),
        cmocka_unit_test_setup_teardown(kernels_are_found_beside_the_config, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unusable_files_are_usage_errors, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
