#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/config/kernel_head.h"

#define HEAD(body) "/*! bulletproof\n" body "*/\n#include \"gqa.h\"\n"
#define NAMED "name: k\ntargets: [cpu]\ndtypes: [f16]\n" /* lines 2 to 4 */

/* A bp_kernel_head is large: one for all tests. */
static struct bp_kernel_head head;

static void parse(const char *source)
{
    struct bp_error err;
    if (bp_kernel_head_parse("k.hip", source, strlen(source), &head, &err) < 0)
        fail_msg("%s", err.msg);
}

static void a_full_declaration_is_read(void **state)
{
    (void)state;
    char text[64];
    parse("\n" HEAD("name: cpu_flash-2   # a comment\n"
                    "targets: [cpu, nvidia]\n"
                    "dtypes: [f16, f32]\n"
                    "supports: head_dim == 128 && q_len >= 1\n"
                    "knobs:\n"
                    "  BM: [64, 32, -1]\n"
                    "  BN: [16, 32]   # keys\n"
                    "constraints:\n"
                    "  - BM % BN == 0\n"
                    "  - \"!(BM == 64 && BN == 16)\"\n"
                    "default: {BN: 32, BM: 64}\n"));
    assert_string_equal(head.name, "cpu_flash-2");
    assert_int_equal(head.targets, BP_TARGET_CPU | BP_TARGET_NVIDIA);
    assert_true(head.dtypes[BP_DTYPE_F16] && head.dtypes[BP_DTYPE_F32]);
    assert_false(head.dtypes[BP_DTYPE_BF16]);
    assert_int_equal(head.space.knob_count, 2);
    assert_int_equal(head.space.constraint_count, 2);
    assert_int_equal(head.space.knobs[0].values[2], -1);
    bp_space_describe(&head.space, &head.default_point, text, sizeof text);
    assert_string_equal(text, "BM=64 BN=32");
    bp_kernel_head_free(&head);
}

static void supports_reads_the_shape(void **state)
{
    (void)state;
    struct bp_shape shape = {.batch = 2,
                             .q_heads = 16,
                             .kv_heads = 8,
                             .q_len = 5,
                             .kv_len = 9,
                             .head_dim = 128,
                             .causal = 1,
                             .window = 3};
    parse(HEAD(NAMED "supports: batch == 2 && q_heads == 16 && kv_heads == 8 && q_len == 5 && "
                     "kv_len == 9 && head_dim == 128 && causal == 1 && window == 3\n"));
    assert_true(bp_kernel_head_supports(&head, &shape));
    shape.head_dim = 64;
    assert_false(bp_kernel_head_supports(&head, &shape));
    bp_kernel_head_free(&head);
    parse(HEAD(NAMED));
    assert_true(bp_kernel_head_supports(&head, &shape));
    bp_kernel_head_free(&head);
}

static void a_kernel_without_knobs_has_one_point(void **state)
{
    (void)state;
    parse(HEAD(NAMED "default: {}\n"));
    assert_int_equal(bp_space_product(&head.space), 1);
    assert_true(bp_space_allows(&head.space, &head.default_point));
    bp_kernel_head_free(&head);
}

static void code_may_stand_before_the_head_comment(void **state)
{
    (void)state;
    parse("#include \"gqa.h\"\n" HEAD(NAMED));
    assert_string_equal(head.name, "k");
    bp_kernel_head_free(&head);
}

static void expect_failure(const char *source, size_t size, const char *fragment)
{
    struct bp_error err = {0};
    /* an exact allocation: reading past size is seen by the sanitizer */
    char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, source, size);
    if (bp_kernel_head_parse("k.hip", exact, size, &head, &err) == 0)
        fail_msg("accepted, but expected '%s'", fragment);
    free(exact);
    assert_int_equal(err.code, BP_ERR_SOURCE);
    assert_null(strchr(err.msg, '\n'));
    if (!strstr(err.msg, fragment))
        fail_msg("'%s' lacks '%s'", err.msg, fragment);
}

static void mistakes_are_named_with_the_sources_line(void **state)
{
    (void)state;
    static const struct {
        const char *source, *fragment;
    } cases[] = {
        {"", "k.hip:1: the first comment must be the declaration"},
        {"int x;\n", "k.hip:1: the first comment must be the declaration"},
        {"\n// x\n/*! bulletproof\n*/", "k.hip:2: the first comment must be the declaration"},
        {"/* x */", "k.hip:1: the first comment must be the declaration"},
        {"/", "k.hip:1: the first comment must be the declaration"},
        {"/*! bulletproof", "k.hip:1: the first comment must be the declaration"},
        {"/*! bulletproof ", "k.hip:1: '/*! bulletproof' must stand alone on its line"},
        {"/*! bulletproof name: k\n*/", "k.hip:1: '/*! bulletproof' must stand alone"},
        {"/*! bulletproofs\n*/", "k.hip:1: '/*! bulletproof' must stand alone"},
        {"\n/*! bulletproof\nname: k\n", "k.hip:2: the comment is never closed"},
        {HEAD(""), "k.hip:2: the declaration lacks 'name'"},
        {HEAD("- a\n"), "k.hip:2: the declaration must be a mapping"},
        {HEAD("name: k\n"), "the declaration lacks 'targets'"},
        {HEAD("name: k\ntargets: [cpu]\n"), "the declaration lacks 'dtypes'"},
        {HEAD(NAMED "knob: {A: [1]}\n"),
         "k.hip:5: unknown key 'knob' in the declaration; did you mean 'knobs'? (valid: name, "
         "targets, dtypes, supports, knobs, constraints, default)"},
        {HEAD(NAMED "name: b\n"), "k.hip:5: key 'name' is given twice (first on line 2)"},
        {HEAD(NAMED "default: {A: [1}\n"), "k.hip:5: not YAML"},
        {HEAD("name: a b\ntargets: [cpu]\ndtypes: [f16]\n"),
         "k.hip:2: name: expected a name of letters, digits, '_' and '-', found the text 'a b'"},
        {HEAD("name:\ntargets: [cpu]\ndtypes: [f16]\n"), "name: expected a name, found nothing"},
        {HEAD("name: [k]\ntargets: [cpu]\ndtypes: [f16]\n"), "name: expected a name, found a list"},
        {HEAD("name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
              "targets: [cpu]\ndtypes: [f16]\n"),
         "name: expected a name of at most 63 characters"},
        {HEAD("name: k\ntargets: cpu\ndtypes: [f16]\n"),
         "k.hip:3: targets: expected a list of targets (valid: cpu, amd, nvidia), found the text"},
        {HEAD("name: k\ntargets: []\ndtypes: [f16]\n"), "targets: the list is empty (valid: cpu"},
        {HEAD("name: k\ntargets: [cpu, nvidai]\ndtypes: [f16]\n"),
         "k.hip:3: unknown target 'nvidai'; did you mean 'nvidia'? (valid: cpu, amd, nvidia)"},
        {HEAD("name: k\ntargets: [cpu, cpu]\ndtypes: [f16]\n"), "targets: 'cpu' is listed twice"},
        {HEAD("name: k\ntargets: [[cpu]]\ndtypes: [f16]\n"), "targets: expected a list of targets"},
        {HEAD("name: k\ntargets: [cpu]\ndtypes:\n  - f16\n  - fp32\n"),
         "k.hip:6: unknown dtype 'fp32'; did you mean 'f32'? (valid: f16, bf16, f32)"},
        {HEAD(NAMED "supports: D == 128\n"),
         "k.hip:5: supports: 'D == 128': column 1: unknown name 'D' (fields: batch, q_heads, "
         "kv_heads, q_len, kv_len, head_dim, causal, window, ragged)"},
        {HEAD(NAMED "supports: [head_dim]\n"), "supports: expected an expression"},
        {HEAD(NAMED "knobs: [A]\n"), "k.hip:5: knobs: expected a mapping such as {BM: [32, 64]}"},
        {HEAD(NAMED "knobs: {A: []}\n"), "k.hip:5: knob 'A' has an empty list"},
        {HEAD(NAMED "knobs: {A: 5}\n"), "knob 'A': expected a list of integers such as [32, 64]"},
        {HEAD(NAMED "knobs:\n  A:\n"), "k.hip:6: knob 'A': expected a list of integers"},
        {HEAD(NAMED "knobs:\n  A:\n    - 5\n    - 6\n    - 5\n"),
         "k.hip:9: knob 'A' lists 5 twice"},
        {HEAD(NAMED "knobs: {A: [0x10]}\n"),
         "knob 'A': expected a decimal integer, found the number '0x10'"},
        {HEAD(NAMED "knobs: {A: [1e3]}\n"), "expected a decimal integer, found the number '1e3'"},
        {HEAD(NAMED "knobs: {A: [1.0]}\n"), "expected a decimal integer, found the number '1.0'"},
        {HEAD(NAMED "knobs: {A: ['1']}\n"), "expected a decimal integer, found the text '1'"},
        {HEAD(NAMED "knobs: {A: [true]}\n"),
         "expected a decimal integer, found the boolean 'true'"},
        {HEAD(NAMED "knobs: {A: [~]}\n"), "expected a decimal integer, found nothing"},
        {HEAD(NAMED "knobs: {A: [99999999999999999999]}\n"), "expected a decimal integer"},
        {HEAD(NAMED "knobs: {A-B: [1]}\n"), "k.hip:5: 'A-B' cannot be a knob"},
        {HEAD(NAMED "knobs: {1A: [1]}\n"), "'1A' cannot be a knob"},
        {HEAD(NAMED "knobs: {_A: [1]}\n"), "'_A' cannot be a knob"},
        {HEAD(NAMED "knobs: {GQA_F16: [1]}\n"), "'GQA_F16' cannot be a knob"},
        {HEAD(NAMED "knobs: {A: [1]}\n"), "the declaration has knobs but no 'default' for them"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\ndefault: {}\n"),
         "k.hip:6: knob 'A' is missing (values: 1, 2)"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\ndefault: {A: 3}\n"),
         "k.hip:6: A=3 is not one of its values (1, 2)"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\ndefault: {A: x}\n"),
         "k.hip:6: knob 'A': expected a decimal integer, found the text 'x'"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\ndefault:\n  A: 1\n  B: 1\n"),
         "k.hip:8: unknown knob 'B' (valid: A)"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\ndefault: [1]\n"), "default: expected a mapping such as"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\nconstraints: [A > 1]\ndefault: {A: 1}\n"),
         "k.hip:7: A=1 breaks the constraint 'A > 1'"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\nconstraints:\n  - A > 0\n  - A > 2\ndefault: {A: 1}\n"),
         "k.hip:7: constraints: no choice of knobs satisfies every constraint"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\nconstraints:\n  - A > 0\n  - A >\ndefault: {A: 1}\n"),
         "k.hip:8: constraint 'A >': column 4: expected a number"},
        {HEAD(NAMED "knobs: {A: [1, 2]}\nconstraints: [A % PANEL == 0]\ndefault: {A: 1}\n"),
         "column 5: unknown name 'PANEL' (knobs: A)"},
        {HEAD(NAMED "constraints: A > 1\n"), "constraints: expected a list such as"},
        {HEAD(NAMED "constraints: [[A]]\n"), "constraints: expected an expression such as"},
        {HEAD(NAMED "constraints: ['']\n"), "constraints: expected an expression such as"},
        {HEAD(NAMED) "// EVOLVE-BLOCK-START\n", "k.hip:7: EVOLVE-BLOCK-START without EVOLVE-BLOCK"},
        {HEAD(NAMED) "// EVOLVE-BLOCK-END\n", "k.hip:7: EVOLVE-BLOCK-END without EVOLVE-BLOCK-STA"},
        {HEAD(NAMED) "// EVOLVE-BLOCK-START\n\n// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-END\n",
         "k.hip:9: EVOLVE-BLOCK-START inside the block that line 7 opens"},
        {HEAD(NAMED) "// EVOLVE-BLOCK-START EVOLVE-BLOCK-END",
         "k.hip:7: EVOLVE-BLOCK-START and EVOLVE-BLOCK-END on one line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_failure(cases[i].source, strlen(cases[i].source), cases[i].fragment);
}

static void bytes_no_compiler_should_see_are_refused(void **state)
{
    (void)state;
    static const char with_nul[] = HEAD(NAMED) "int a;\0int b;\n";
    expect_failure(with_nul, sizeof with_nul - 1, "k.hip:7: a NUL byte in the source");
    size_t size = BP_SOURCE_MAX_BYTES + 1;
    char *large = malloc(size);
    assert_non_null(large);
    memset(large, '\n', size);
    expect_failure(large, size, "k.hip is larger than 1048576 bytes");
    free(large);
}

/* A source whose 5th line is line, with item, number, end 65 times. */
static void expect_too_many(const char *line, const char *item, const char *end,
                            const char *fragment)
{
    static char source[8192];
    size_t used = (size_t)snprintf(source, sizeof source, "/*! bulletproof\n" NAMED "%s", line);
    for (int i = 0; i < 65; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i + 2);
        used += (size_t)snprintf(source + used, sizeof source - used, "%s%s%s", item, number, end);
    }
    used += (size_t)snprintf(source + used, sizeof source - used, "\n*/\n");
    expect_failure(source, used, fragment);
}

static void counts_are_bounded(void **state)
{
    (void)state;
    expect_too_many("knobs:\n  A:\n", "    - ", "\n", "k.hip:71: knob 'A' has more than 64 values");
    expect_too_many("knobs:\n", "  A", ": [1]\n", "k.hip:70: more than 64 knobs");
    expect_too_many("constraints:\n", "  - 1 < ", "\n", "k.hip:70: more than 64 constraints");
}

static void paired_markers_are_accepted(void **state)
{
    (void)state;
    parse(HEAD(NAMED) "// EVOLVE-BLOCK-START\nint a;\n// EVOLVE-BLOCK-END\n"
                      "// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-END");
    bp_kernel_head_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_declaration_is_read),
        cmocka_unit_test(supports_reads_the_shape),
        cmocka_unit_test(a_kernel_without_knobs_has_one_point),
        cmocka_unit_test(code_may_stand_before_the_head_comment),
        cmocka_unit_test(mistakes_are_named_with_the_sources_line),
        cmocka_unit_test(bytes_no_compiler_should_see_are_refused),
        cmocka_unit_test(counts_are_bounded),
        cmocka_unit_test(paired_markers_are_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
