/* Objects by what they were made of: what makes another key, who owns descriptors, and that a cached
 * object needs no compiler and hardly any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "harness/supervise/compile_job.h"
#include "tests/lib/descriptors.h"
#include "tests/lib/loop.h"

static const char source[] = "#include \"gqa.h\"\n"
                             "GQA_KERNEL void gqa_plan(gqa_shape shape, gqa_launch_plan *plan)\n"
                             "{ gqa_plan_launch(plan, 0, shape.batch, 1, 1, 32, 0); }\n"
                             "GQA_KERNEL void gqa_kernel0(gqa_shape shape, const gqa_t *q, const "
                             "gqa_t *k,\n    const gqa_t *v, gqa_t *o, void *workspace) {}\n";
static struct bp_object_cache *cache;
static struct bp_msg_compile_request *request;

static const char *key_of(const char *text, size_t bytes)
{
    static char keys[2][BP_HASH_TEXT];
    static unsigned next;
    struct bp_error err;
    char *key = keys[next++ % 2];
    assert_int_equal(bp_object_cache_key(request, text, bytes, key, &err), 0);
    return key;
}

static void all_that_matters_is_in_the_key(void **state)
{
    (void)state;
    char first[BP_HASH_TEXT];
    strcpy(request->arch, "gfx1030");
    request->define_count = 2;
    request->defines[0] = (struct bp_define){"A", "1"};
    request->defines[1] = (struct bp_define){"B", "2"};
    strcpy(first, key_of("x", 1));
    assert_string_equal(key_of("x", 1), first);
    assert_string_not_equal(key_of("y", 1), first);
    assert_string_not_equal(key_of("x\0", 2), first);
    uint32_t *const numbers[] = {&request->dtype, &request->gates, &request->spills_below,
                                 &request->define_count};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint32_t before = (*numbers[i])--;
        assert_string_not_equal(key_of("x", 1), first);
        *numbers[i] = before;
    }
    strcpy(request->arch, "gfx90a");
    assert_string_not_equal(key_of("x", 1), first);
    strcpy(request->arch, "gfx1030");
    request->defines[0] = (struct bp_define){"A", "12"};
    request->defines[1] = (struct bp_define){"B", ""};
    assert_string_not_equal(key_of("x", 1), first);
}

static void keep(unsigned number)
{
    struct bp_error err;
    struct bp_cached_object object = {.bytes = number};
    object.fd = bp_io_memfd_sealed("object", "code", 4, &err);
    assert_true(object.fd >= 0);
    snprintf(object.key, sizeof object.key, "key %u", number);
    bp_object_cache_keep(cache, &object);
    close(object.fd); /* the cache has one of its own */
}

static void the_oldest_goes(void **state)
{
    (void)state;
    uint32_t before = open_descriptors();
    for (unsigned i = 0; i < BP_OBJECT_CACHE_SIZE + 3; i++)
        keep(i);
    keep(5); /* there already */
    assert_null(bp_object_cache_find(cache, "key 2"));
    assert_null(bp_object_cache_find(cache, ""));
    const struct bp_cached_object *found = bp_object_cache_find(cache, "key 3");
    assert_non_null(found);
    assert_int_equal(found->bytes, 3);
    assert_int_equal(lseek(found->fd, 0, SEEK_END), 4);
    assert_int_equal(open_descriptors(), before + BP_OBJECT_CACHE_SIZE);
    bp_object_cache_empty(cache);
    assert_int_equal(open_descriptors(), before);
    assert_null(bp_object_cache_find(cache, "key 3"));
}

static void compile(const char *text, struct bp_compile_job *job)
{
    struct bp_error err;
    struct bp_compile_options options = {.children = {.loop = &loop,
                                                      .worker_path = WORKER,
                                                      .compile_ms = 60000,
                                                      .memory_bytes = 4ull << 30,
                                                      .log_max_bytes = 4096},
                                         .device = "cpu",
                                         .arch = "native",
                                         .source = text,
                                         .source_bytes = strlen(text),
                                         .cache = cache};
    assert_int_equal(bp_compile_start(job, &options, &err), 0);
    while (!job->done)
        step_loop();
}

static void a_cached_object_needs_no_compiler(void **state)
{
    (void)state;
    struct bp_compile_job first, again, failed;
    compile(source, &first);
    assert_int_equal(first.outcome.verdict, BP_VERDICT_PASS);
    assert_false(first.cached);
    uint64_t begin = bp_clock_ns();
    compile(source, &again);
    double spent_ms = bp_ns_to_ms(bp_clock_ns() - begin);
    printf("compiled in %.1f ms, found in %.3f ms\n", first.total_ms, spent_ms);
    assert_true(again.cached && spent_ms < first.total_ms / 10);
    assert_int_equal(again.outcome.verdict, BP_VERDICT_PASS);
    assert_string_equal(again.object_hash, first.object_hash);
    assert_string_equal(again.command, first.command);
    assert_int_equal(again.object_bytes, first.object_bytes);
    assert_true(again.object_fd >= 0 && again.object_fd != first.object_fd);
    for (int i = 0; i < 2; i++) { /* failures are not kept */
        compile("no kernel", &failed);
        assert_int_equal(failed.outcome.verdict, BP_VERDICT_COMPILE_ERROR);
        assert_false(failed.cached);
        bp_compile_free(&failed);
    }
    bp_compile_free(&first);
    bp_compile_free(&again);
    bp_object_cache_empty(cache);
}

static int make(void **state)
{
    cache = calloc(1, sizeof *cache);
    request = calloc(1, sizeof *request);
    return cache && request ? open_loop(state) : -1;
}

static int unmake(void **state)
{
    free(cache);
    free(request);
    return close_loop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_matters_is_in_the_key),
        cmocka_unit_test(the_oldest_goes),
        cmocka_unit_test(a_cached_object_needs_no_compiler),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
