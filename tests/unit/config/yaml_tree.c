#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/config/yaml_tree.h"

static struct bp_yaml_node *parse(const char *text)
{
    struct bp_yaml_node *root;
    struct bp_error err;
    if (bp_yaml_parse("t.yaml", 1, text, strlen(text), &root, &err) < 0)
        fail_msg("%s", err.msg);
    return root;
}

static void the_tree_knows_its_lines(void **state)
{
    (void)state;
    struct bp_yaml_node *root = parse("a: 1\n# note\nb:\n  - x\n  - 'y'\nc: {d: 2,\n  e: 3}\n");
    const struct bp_yaml_node *b = bp_yaml_find(root, "b");
    const struct bp_yaml_node *c = bp_yaml_find(root, "c");
    assert_int_equal(root->kind, BP_YAML_MAPPING);
    assert_ptr_equal(root->child->next->next, c);
    assert_null(c->next);
    assert_int_equal(bp_yaml_find(root, "a")->line, 1);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->kind, BP_YAML_SEQUENCE);
    assert_int_equal(b->child->line, 4);
    assert_true(b->child->plain);
    assert_false(b->child->next->plain);
    assert_string_equal(b->child->next->text, "y");
    assert_int_equal(bp_yaml_find(c, "e")->key_line, 7);
    assert_null(bp_yaml_find(c, "f"));
    bp_yaml_free(root);
}

static void an_empty_document_is_an_empty_mapping(void **state)
{
    (void)state;
    const char *const texts[] = {"", "\n\n", "# only a comment\n"};
    for (size_t i = 0; i < 3; i++) {
        struct bp_yaml_node *root = parse(texts[i]);
        assert_int_equal(root->kind, BP_YAML_MAPPING);
        assert_null(root->child);
        bp_yaml_free(root);
    }
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    struct bp_yaml_node *root = parse("\xef\xbb\xbf"
                                      "a: 1\nb: 2\n");
    assert_string_equal(root->child->key, "a");
    assert_int_equal(bp_yaml_find(root, "b")->line, 2);
    bp_yaml_free(root);
}

static void expect_failure(const char *text, size_t size, uint32_t first_line, const char *fragment)
{
    struct bp_yaml_node *root = NULL;
    struct bp_error err = {0};
    if (bp_yaml_parse("t.yaml", first_line, text, size, &root, &err) == 0)
        fail_msg("accepted, but expected '%s'", fragment);
    assert_int_equal(err.code, BP_ERR_USAGE);
    assert_null(root);
    assert_null(strchr(err.msg, '\n'));
    if (!strstr(err.msg, fragment))
        fail_msg("'%s' lacks '%s'", err.msg, fragment);
}

static void what_is_refused_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "t.yaml:3: key 'a' is given twice (first on line 1)"},
        {"a: {b: 1, b: 2}", "t.yaml:1: key 'b' is given twice"},
        {"a: &x 1\nb: *x\n", "t.yaml:1: anchors and aliases are not allowed"},
        {"a: &x [1]\n", "t.yaml:1: anchors and aliases are not allowed"},
        {"a: 1\nb: *x\n", "t.yaml:2: anchors and aliases are not allowed"},
        {"*x : 1\n", "t.yaml:1: a key must be a text"},
        {"a: !!str 5\n", "t.yaml:1: tags are not allowed"},
        {"a:\n  !(QK == 1)\n", "t.yaml:2: tags are not allowed; quote a text"},
        {"a: !!seq [1]\n", "t.yaml:1: tags are not allowed"},
        {"? [a]\n: 1\n", "t.yaml:1: a key must be a text"},
        {"a: 1\n---\nb: 2\n", "t.yaml:3: more than one document"},
        {"a: \"x\\0y\"\n", "t.yaml:1: a NUL character in a text"},
        {"\"a\\0b\": 1\n", "t.yaml:1: a NUL character in a text"},
        {"a: [1, 2\nb: 3\n", "t.yaml:2: not YAML"},
        {"a: 1\nb: 'x\nc: 2\n", "t.yaml:4: not YAML: found unexpected end of stream while scanning "
                                "a quoted scalar, from line 2"},
        {"a:\n\t- 1\n", "t.yaml:2: not YAML: a tab in the indentation; use spaces"},
        {"a:\n  b: 1\n  \tc: 2\n", "t.yaml:3: not YAML: a tab in the indentation; use spaces"},
        {"a: @\tb\n", "t.yaml:1: not YAML: found character that cannot start any token"},
        {"a: 1\n b: 2\n", "t.yaml:2: not YAML"},
        {"ok: 1\nbad: \xff\xfe\n", "t.yaml:2: not YAML"},
        {"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "t.yaml:1: nested more than 16 deep"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_failure(cases[i].text, strlen(cases[i].text), 1, cases[i].fragment);
    expect_failure("a: 1\na: 2\n", 10, 40, "t.yaml:41: key 'a' is given twice (first on line 40)");
    expect_failure("a: 1\0b: 2", 9, 1, "not YAML");
}

static void size_count_and_nesting_are_bounded(void **state)
{
    (void)state;
    size_t size = BP_YAML_MAX_BYTES + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    expect_failure(text, size, 1, "t.yaml is larger than 1048576 bytes");
    memset(text, '[', size);
    expect_failure(text, size - 1, 1, "nested more than 16 deep");
    text[0] = '[';
    for (size_t i = 1; i + 1 < 40000; i += 2)
        memcpy(text + i, "1,", 2);
    expect_failure(text, 39999, 1, "more than 8192 values");
    free(text);
}

static void scalars_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool integer, is_unsigned, real, is_text;
    } cases[] = {
        {"5", true, true, true, false},
        {"-5", true, false, true, false},
        {"0", true, true, true, false},
        {"-0", true, false, true, false},
        {"9223372036854775807", true, true, true, false},
        {"9223372036854775808", false, true, true, false},
        {"-9223372036854775808", true, false, true, false},
        {"18446744073709551616", false, false, true, false},
        {"0.5", false, false, true, false},
        {"-1.25", false, false, true, false},
        {"1.", false, false, false, false},
        {".5", false, false, false, false},
        {"+5", false, false, false, false},
        {"05", false, false, false, false},
        {"0x10", false, false, false, false},
        {"1e3", false, false, false, false},
        {"1_000", false, false, false, true},
        {"5 MB", false, false, false, true},
        {".inf", false, false, false, false},
        {"-.inf", false, false, false, false},
        {".nan", false, false, false, false},
        {"true", false, false, false, false},
        {"off", false, false, false, false},
        {"~", false, false, false, false},
        {"null", false, false, false, false},
        {"", false, false, false, false},
        {"'5'", false, false, false, true},
        {"\"true\"", false, false, false, true},
        {"word", false, false, false, true},
        {"[5]", false, false, false, false},
        {"{a: 5}", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        int64_t integer;
        uint64_t natural;
        double real;
        snprintf(text, sizeof text, "k: %s", cases[i].text);
        struct bp_yaml_node *root = parse(text);
        if (bp_yaml_integer(root->child, &integer) != cases[i].integer ||
            bp_yaml_unsigned(root->child, &natural) != cases[i].is_unsigned ||
            bp_yaml_real(root->child, &real) != cases[i].real ||
            bp_yaml_is_text(root->child) != cases[i].is_text)
            fail_msg("'%s' is misread", cases[i].text);
        bp_yaml_free(root);
    }
}

static void values_survive_exactly(void **state)
{
    (void)state;
    struct bp_yaml_node *root = parse("a: -9223372036854775808\nb: 18446744073709551615\nc: 0.125");
    int64_t integer;
    uint64_t natural;
    double real;
    assert_true(bp_yaml_integer(bp_yaml_find(root, "a"), &integer) && integer == INT64_MIN);
    assert_true(bp_yaml_unsigned(bp_yaml_find(root, "b"), &natural) && natural == UINT64_MAX);
    assert_true(bp_yaml_real(bp_yaml_find(root, "c"), &real) && real == 0.125);
    bp_yaml_free(root);
}

static void found_says_what_a_node_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"k: 1e3", "the number '1e3'"},
        {"k: .inf", "the number '.inf'"},
        {"k: yes", "the boolean 'yes'"},
        {"k: 'yes'", "the text 'yes'"},
        {"k:", "nothing"},
        {"k: ~", "nothing"},
        {"k: [1]", "a list"},
        {"k: {a: 1}", "a mapping"},
        {"k: ''", "the text ''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[BP_YAML_FOUND];
        struct bp_yaml_node *root = parse(cases[i].text);
        assert_string_equal(bp_yaml_found(root->child, text), cases[i].found);
        bp_yaml_free(root);
    }
}

static void a_message_is_one_line_and_keeps_the_paths_end(void **state)
{
    (void)state;
    struct bp_error err;
    char path[600];
    memset(path, 'd', sizeof path);
    strcpy(path + sizeof path - 11, "/last.yaml");
    bp_yaml_fail(path, 7, &err, "odd\ntext\x01");
    assert_non_null(strstr(err.msg, "/last.yaml:7: odd?text?"));
    assert_memory_equal(err.msg, "...ddd", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_knows_its_lines),
        cmocka_unit_test(an_empty_document_is_an_empty_mapping),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(what_is_refused_is_named_with_its_line),
        cmocka_unit_test(size_count_and_nesting_are_bounded),
        cmocka_unit_test(scalars_are_read_strictly),
        cmocka_unit_test(values_survive_exactly),
        cmocka_unit_test(found_says_what_a_node_is),
        cmocka_unit_test(a_message_is_one_line_and_keeps_the_paths_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
