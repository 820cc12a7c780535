/* What is read from the log of a process that crashed, whatever it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "harness/supervise/crash_report.h"

#define HEAD "bulletproof crash: signal "
#define STACK "bulletproof crash stack: "

static bool read_text(const char *log, int number, struct bp_crash_report *report)
{
    return bp_crash_report_read(log, strlen(log), number, report);
}

static void a_report_is_read(void **state)
{
    struct bp_crash_report report;
    (void)state;
    assert_true(read_text("words of its own\n" HEAD "11 address 0x10 at gqa_kernel0+0x1c4 "
                          "(object+0x11c4)\n" STACK "gqa_kernel0+0x2 (object+0x1002)\n" STACK
                          "object+0x20\nmore words\n" STACK "object+0x30\n",
                          11, &report));
    assert_string_equal(report.address, "0x10");
    assert_string_equal(report.place, "gqa_kernel0+0x1c4 (object+0x11c4)");
    assert_string_equal(report.trace, "gqa_kernel0+0x2 (object+0x1002)\nobject+0x20\n");
}

static void the_last_one_of_the_true_signal_counts(void **state)
{
    struct bp_crash_report report;
    const char *log = HEAD "11 address 0x1 at object+0x1\n" HEAD
                           "11 address 0x2 at object+0x2\n" HEAD "8 address ? at object+0x3\n";
    (void)state;
    assert_true(read_text(log, 11, &report));
    assert_string_equal(report.address, "0x2");
    assert_string_equal(report.trace, "");
    assert_true(read_text(log, 8, &report));
    assert_string_equal(report.address, "?");
    assert_false(read_text(log, 4, &report));
}

static void forged_lines_are_no_reports(void **state)
{
    static const char *const forged[] = {
        "",
        "\n\n\n",
        HEAD,
        HEAD "11",
        HEAD "11 address 0x1 at ",
        HEAD "11 address 0x1 at object+0x1\x1b[2J",
        HEAD "11 address 0x1 at a\tb",
        HEAD "11 address /etc at object",
        HEAD "-11 address 0x1 at object",
        HEAD "111111111111111111111111111 address 0x1 at object",
        "x" HEAD "11 address 0x1 at object+0x1",
    };
    struct bp_crash_report report;
    char large[4096];
    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++)
        assert_false(read_text(forged[i], 11, &report));
    memset(large, 'a', sizeof large);
    memcpy(large, HEAD "11 address 0x1 at ", strlen(HEAD "11 address 0x1 at "));
    assert_false(bp_crash_report_read(large, sizeof large, 11, &report));
}

/* Nothing is read beyond the log, nothing written beyond the report: for the sanitizers to see. */
static void noise_does_no_harm(void **state)
{
    static const char *const pieces[] = {HEAD,   STACK,          "11", " address ", "0x1",
                                         " at ", "object+0x1",   "\n", "\0",        "?",
                                         "\xff", "gqa_kernel0(", " "};
    struct bp_key key;
    struct bp_random random;
    struct bp_crash_report report;
    (void)state;
    bp_key_from_seed(3, &key);
    bp_random_start(&random, &key);
    for (int round = 0; round < 20000; round++) {
        char *log = malloc(400);
        size_t size = 0;
        for (uint64_t left = bp_random_below(&random, 14); left > 0; left--) {
            const char *piece = pieces[bp_random_below(&random, sizeof pieces / sizeof *pieces)];
            size_t length = *piece ? strlen(piece) : 1;
            memcpy(log + size, piece, length);
            size += length;
        }
        log = realloc(log, size + 1);
        if (bp_crash_report_read(log, size, 11, &report)) {
            assert_true(strlen(report.place) < sizeof report.place);
            assert_null(strpbrk(report.place, "\n\xff"));
        }
        free(log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read),
        cmocka_unit_test(the_last_one_of_the_true_signal_counts),
        cmocka_unit_test(forged_lines_are_no_reports),
        cmocka_unit_test(noise_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
