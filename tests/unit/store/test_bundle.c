/* A bundle written and read back, and bundles that others made. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "evaluator/frame.h"
#include "harness/report/bundle.h"
#include "harness/report/bundle_pack.h"
#include "tests/unit/store/sample.h"

static const char object_text[] = "\177ELF code";

static struct bp_replay_setting a_setting(void)
{
    struct bp_replay_setting setting = {.version = "0.1.0",
                                        .cpu = "a CPU",
                                        .kernel = "Linux 6",
                                        .processors = 2,
                                        .cache_bytes = 1 << 20,
                                        .memory_bytes = 1ull << 33,
                                        .device = "cpu",
                                        .arch = "native",
                                        .ring_bytes = 123456,
                                        .lanes = 2};
    snprintf(setting.worker_sha256, sizeof setting.worker_sha256, "%064d", 7);
    setting.config = strdup("{\"kernel\": \"kernel.hip\", \"suite\": \"tiny\"}");
    setting.config_with_space = strdup("{\"kernel\": \"kernel.hip\", \"space\": {}}");
    return setting;
}

/* Frames as they travel: two requests of one map each. */
static void add_frames(struct bp_evidence *evidence)
{
    struct bp_buffer wire;
    struct bp_error err;
    bp_buffer_init(&wire, 4096);
    must(bp_frame_encode(0, BP_MESSAGE_run_request, 7, "\x81\xa1x\x01", 4, &wire, &err), &err);
    must(bp_frame_encode(1, BP_MESSAGE_batch_request, 8, "\x81\xa1y\x02", 4, &wire, &err), &err);
    evidence->frames_bytes = wire.size;
    evidence->frames = bp_steal_pointer(&wire.data);
}

static struct bp_evaluation *a_failure(enum bp_verdict verdict)
{
    struct bp_error err;
    struct bp_evaluation *e = sample_evaluation(42, verdict);
    e->duplicate = false;
    e->knob_count = 1;
    snprintf(e->knobs[0].name, sizeof e->knobs[0].name, "BM");
    snprintf(e->knobs[0].value, sizeof e->knobs[0].value, "-64");
    struct bp_evidence *evidence = bp_evidence_new();
    assert_non_null(evidence);
    evidence->stage = BP_STAGE_run;
    snprintf(evidence->cause, sizeof evidence->cause, "exited");
    evidence->wait_status = 11;
    evidence->log = strdup("words\n");
    evidence->log_bytes = 6;
    evidence->backtrace = strdup("gqa_kernel0+0x1\n");
    evidence->object_fd = bp_io_memfd_sealed("object", object_text, sizeof object_text, &err);
    memset(evidence->position.key.bytes, 0xab, BP_KEY_BYTES);
    evidence->position.evaluation = 3;
    evidence->position.fresh_fill = 400;
    evidence->position.draws = 50;
    evidence->position.matches = 6;
    add_frames(evidence);
    bp_evidence_free(e->evidence);
    e->evidence = evidence;
    return e;
}

/* Frees the evaluation. */
static const char *write_bundle_of(struct bp_evaluation *e, const char *dir, const char *name)
{
    struct bp_error err;
    struct bp_replay_setting setting = a_setting();
    const char *path = sample_path(dir, name);
    must(bp_bundle_write(path, &setting, e, &err), &err);
    bp_evaluation_free(e);
    bp_replay_setting_free(&setting);
    return path;
}

static const char *write_bundle(const char *dir, const char *name)
{
    return write_bundle_of(a_failure(BP_VERDICT_CRASH), dir, name);
}

static void a_bundle_is_read_back(void **state)
{
    struct bp_error err;
    struct bp_saved bundle;
    const char *path = write_bundle(*state, "b");
    must(bp_bundle_read(path, &bundle, &err), &err);
    const struct bp_replay *replay = &bundle.replay;
    assert_string_equal(bundle.source, SAMPLE_SOURCE);
    assert_int_equal(replay->number, 42);
    assert_int_equal(replay->verdict, BP_VERDICT_CRASH);
    assert_int_equal(replay->setting.ring_bytes, 123456);
    assert_string_equal(replay->setting.cpu, "a CPU");
    assert_non_null(strstr(replay->setting.config, "tiny"));
    assert_int_equal(replay->knob_count, 1);
    assert_string_equal(replay->knobs[0].value, "-64");
    assert_true(replay->has_position);
    assert_int_equal(replay->position.key.bytes[31], 0xab);
    assert_int_equal(replay->position.evaluation, 3);
    assert_int_equal(replay->position.fresh_fill, 400);
    assert_int_equal(replay->position.draws, 50);
    assert_int_equal(replay->position.matches, 6);
    assert_false(replay->in_match);
    assert_false(replay->in_final);
    bp_bundle_free(&bundle);
}

static void a_failure_of_the_final_says_so(void **state)
{
    struct bp_saved bundle;
    struct bp_error err;
    struct bp_evaluation *e = a_failure(BP_VERDICT_CRASH);
    e->evidence->in_match = e->evidence->in_final = true;
    e->evidence->match = e->evidence->position;
    e->evidence->match.matches = 7;
    must(bp_bundle_read(write_bundle_of(e, *state, "b"), &bundle, &err), &err);
    assert_true(bundle.replay.in_match);
    assert_int_equal(bundle.replay.match.matches, 7);
    assert_true(bundle.replay.in_final);
    bp_bundle_free(&bundle);
}

static void what_was_seen_is_beside_it(void **state)
{
    struct stat info;
    char name[64];
    write_bundle(*state, "b");
    char *log = sample_read(*state, "b/log.txt"), *object = sample_read(*state, "b/object.bin");
    assert_string_equal(log, "words\n");
    assert_string_equal(object, object_text);
    free(log);
    free(object);
    /* Without the lengths: what any msgpack reader takes, one array after the other. */
    char *frames = sample_read(*state, "b/frames.msgpack");
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    assert_int_equal(stat(sample_path(*state, "b/frames.msgpack"), &info), 0);
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(msgpack_unpack_next(&unpacked, frames, (size_t)info.st_size, &at),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(unpacked.data.type, MSGPACK_OBJECT_ARRAY);
        assert_int_equal(unpacked.data.via.array.ptr[0].via.u64, i);
    }
    assert_int_equal(at, info.st_size);
    msgpack_unpacked_destroy(&unpacked);
    free(frames);
    for (int i = 0; i < BP_BUNDLE_FILES; i++) {
        snprintf(name, sizeof name, "b/%s", bp_bundle_rows[i].name);
        assert_int_equal(stat(sample_path(*state, name), &info), 0);
        assert_int_equal(info.st_mode & 0777, bp_bundle_rows[i].secret ? 0600 : 0644);
    }
}

static void every_failure_has_one(void **state)
{
    struct bp_error err;
    struct stat info;
    struct bp_replay_setting setting = a_setting();
    const char *dir = *state;
    struct bp_evaluation *e = a_failure(BP_VERDICT_PASS);
    must(bp_bundle_write_failure(dir, &setting, e, &err), &err);
    assert_int_equal(stat(sample_path(dir, "failures"), &info), -1);
    e->verdict = BP_VERDICT_CRASH;
    e->duplicate = true;
    must(bp_bundle_write_failure(dir, &setting, e, &err), &err);
    assert_int_equal(stat(sample_path(dir, "failures"), &info), -1);
    e->duplicate = false;
    for (int again = 0; again < 2; again++) { /* the second replaces the first */
        must(bp_bundle_write_failure(dir, &setting, e, &err), &err);
        assert_int_equal(stat(sample_path(dir, "failures/00042/replay.json"), &info), 0);
        assert_int_equal(stat(sample_path(dir, "failures/00042.tmp"), &info), -1);
    }
    bp_evaluation_free(e);
    bp_replay_setting_free(&setting);
}

static void a_disk_error_leaves_nothing(void **state)
{
    struct bp_error err;
    struct stat info;
    struct bp_replay_setting setting = a_setting();
    struct bp_evaluation *e = a_failure(BP_VERDICT_CRASH);
    close(open(sample_path(*state, "failures"), O_CREAT | O_WRONLY, 0600));
    assert_int_equal(bp_bundle_write_failure(*state, &setting, e, &err), -1);
    assert_int_equal(bp_bundle_write(sample_path(*state, "none/b"), &setting, e, &err), -1);
    assert_int_equal(stat(sample_path(*state, "none"), &info), -1);
    bp_evaluation_free(e);
    bp_replay_setting_free(&setting);
}

/* ---- hostile ones ---- */

static void refused(const char *path, const char *why)
{
    struct bp_error err = {.msg = ""};
    struct bp_saved bundle;
    assert_int_equal(bp_bundle_read(path, &bundle, &err), -1);
    assert_int_equal(err.code, BP_ERR_USAGE);
    if (!strstr(err.msg, why))
        fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void put(const char *dir, const char *name, const char *text)
{
    struct bp_error err;
    must(bp_io_write_file_atomic(sample_path(dir, name), text, strlen(text), &err), &err);
}

static void missing_and_foreign_files(void **state)
{
    const char *dir = *state;
    refused(sample_path(dir, "nothing"), "cannot open the bundle");
    write_bundle(dir, "b");
    put(dir, "b/extra.sh", "x");
    refused(sample_path(dir, "b"), "it holds 'extra.sh'");
    unlink(sample_path(dir, "b/extra.sh"));
    unlink(sample_path(dir, "b/kernel.hip"));
    refused(sample_path(dir, "b"), "kernel.hip is missing");
    unlink(sample_path(dir, "b/replay.json"));
    refused(sample_path(dir, "b"), "replay.json is missing");
}

static void links_and_devices(void **state)
{
    const char *dir = *state;
    write_bundle(dir, "b");
    const char *kernel = sample_path(dir, "b/kernel.hip");
    unlink(kernel);
    assert_int_equal(symlink("/etc/passwd", kernel), 0);
    refused(sample_path(dir, "b"), "kernel.hip is a symbolic link");
    unlink(kernel);
    assert_int_equal(mkfifo(kernel, 0600), 0);
    refused(sample_path(dir, "b"), "kernel.hip is not a regular file");
}

static void huge_files(void **state)
{
    const char *dir = *state;
    write_bundle(dir, "b");
    assert_int_equal(truncate(sample_path(dir, "b/kernel.hip"), (off_t)1 << 40), 0);
    refused(sample_path(dir, "b"), "kernel.hip has more than");
    assert_int_equal(truncate(sample_path(dir, "b/kernel.hip"), 100), 0);
    assert_int_equal(truncate(sample_path(dir, "b/replay.json"), (off_t)1 << 40), 0);
    refused(sample_path(dir, "b"), "replay.json has more than");
}

/* The text with one piece replaced; the caller frees. */
static char *replaced(const char *text, const char *old, const char *fresh)
{
    const char *at = strstr(text, old);
    char *result = malloc(strlen(text) + strlen(fresh) + 1);
    assert_non_null(at);
    sprintf(result, "%.*s%s%s", (int)(at - text), text, fresh, at + strlen(old));
    return result;
}

static void wrong_json(void **state)
{
    static const struct {
        const char *old, *fresh, *why;
    } wrong[] = {
        {"\"schema\": 1", "\"schema\": 2", "has schema 2, this program reads schema 1"},
        {"\"schema\": 1", "\"schema\": \"1\"", "Expected integer"},
        {"\"lanes\": 2", "\"lanes\": 2, \"run\": \"rm -rf /\"", "unpacked"},
        {"\"ring_bytes\": 123456", "\"ring_bytes\": -1", "'ring_bytes' is out of range"},
        {"\"verdict\": \"CRASH\"", "\"verdict\": \"FINE\"", "unknown verdict"},
        {"\"number\": 42", "\"number\": 1e300", "Expected integer"},
        {"\"number\": 42", "\"number\": 42, \"number\": 43", "no JSON"},
        {"\"BM\": -64", "\"BM -o /x\": 1", "NAME: INTEGER"},
        {"\"BM\": -64", "\"BM\": \"$(id)\"", "NAME: INTEGER"},
        {"\"cpu\": \"a CPU\"", "\"cpu\": \"a\\u001b[2J\"", "'cpu' is too long or not text"},
        {"abab", "zzzz", "64 hexadecimal digits"},
        {"\"evaluation\": 3", "\"evaluation\": 0", "negative"},
        {"\"config\": {", "\"config\": [], \"x\": {", "unpacked"},
    };
    const char *dir = *state;
    write_bundle(dir, "b");
    char *text = sample_read(dir, "b/replay.json");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *forged = replaced(text, wrong[i].old, wrong[i].fresh);
        put(dir, "b/replay.json", forged);
        refused(sample_path(dir, "b"), wrong[i].why);
        free(forged);
    }
    free(text);
}

static void json_cut_anywhere(void **state)
{
    struct bp_error err;
    struct bp_replay replay;
    write_bundle(*state, "b");
    char *text = sample_read(*state, "b/replay.json");
    size_t size = strlen(text);
    must(bp_replay_parse(text, size, &replay, &err), &err);
    bp_replay_setting_free(&replay.setting);
    for (size_t cut = 0; cut + 2 < size; cut++) { /* the last two are "}\n" */
        char *part = malloc(cut + 1);
        memcpy(part, text, cut);
        assert_int_equal(bp_replay_parse(part, cut, &replay, &err), -1);
        free(part);
    }
    free(text);
}

static void a_packed_one_is_the_same(void **state)
{
    struct bp_error err;
    struct bp_saved bundle;
    struct stat first, second;
    const char *dir = *state;
    write_bundle(dir, "b");
    must(bp_bundle_pack(sample_path(dir, "b"), sample_path(dir, "one"), &err), &err);
    must(bp_bundle_pack(sample_path(dir, "b"), sample_path(dir, "two"), &err), &err);
    must(bp_bundle_read(sample_path(dir, "one"), &bundle, &err), &err);
    assert_string_equal(bundle.source, SAMPLE_SOURCE);
    assert_int_equal(bundle.replay.position.fresh_fill, 400);
    bp_bundle_free(&bundle);
    assert_int_equal(stat(sample_path(dir, "one"), &first), 0);
    assert_int_equal(stat(sample_path(dir, "two"), &second), 0);
    assert_int_equal(first.st_size, second.st_size);
    assert_int_equal(first.st_mode & 0777, 0600);
    /* Cut short it is refused, wherever. */
    for (off_t size = first.st_size - 1; size > 0; size -= 97) {
        assert_int_equal(truncate(sample_path(dir, "one"), size), 0);
        refused(sample_path(dir, "one"), "");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_setup, sample_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_bundle_is_read_back),
        TEST(a_failure_of_the_final_says_so),
        TEST(what_was_seen_is_beside_it),
        TEST(every_failure_has_one),
        TEST(a_disk_error_leaves_nothing),
        TEST(missing_and_foreign_files),
        TEST(links_and_devices),
        TEST(huge_files),
        TEST(wrong_json),
        TEST(json_cut_anywhere),
        TEST(a_packed_one_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
