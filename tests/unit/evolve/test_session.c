/* A session with real children, some of which fail as told: what is retried and what is not, what the
 * device goes through, and that no failure of ours ends the run. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/session.h"
#include "tests/lib/descriptors.h"

static char directory[] = "/tmp/bulletproof-session-XXXXXX";
static struct bp_session *session;
static struct bp_config *config;

static struct {
    char moves[1024]; /* "healthy>suspect>probing …" of the device */
    uint32_t probes, passed, waits;
    uint32_t odd_probes; /* passed with a message, or failed without one */
    char waiting[512];
    bool interrupt;             /* at the next wait */
    void (*before_trial)(void); /* once */
    struct bp_timer timer;
} seen;

/* ---- the session's callbacks ---- */

static void device_changed(void *context, const struct bp_device_change *change)
{
    (void)context;
    size_t used = strlen(seen.moves);
    snprintf(seen.moves + used, sizeof seen.moves - used, "%s%s", used ? ">" : "", change->to);
}

static void probed(void *context, const struct bp_probe_record *probe)
{
    (void)context;
    seen.probes++;
    seen.passed += probe->passed;
    seen.odd_probes += probe->passed != (probe->message[0] == '\0');
    if (probe->passed)
        printf("a probe took %.2f ms\n", probe->ms);
}

static void waiting(void *context, const char *text)
{
    (void)context;
    seen.waits++;
    snprintf(seen.waiting, sizeof seen.waiting, "%s", text);
    if (seen.interrupt)
        kill(getpid(), SIGINT);
}

static bool known_object(void *context, struct bp_candidate *candidate)
{
    (void)context, (void)candidate;
    void (*act)(void) = seen.before_trial;
    seen.before_trial = NULL;
    if (act)
        act();
    return false;
}

/* ---- helpers ---- */

static void set_moods(const char *stage, const char *moods)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, stage);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(moods, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0666), 0);
}

static int evaluate(struct bp_candidate *candidate, struct bp_error *err)
{
    *candidate = (struct bp_candidate){.evaluation = bp_evaluation_new(), .object_fd = -1};
    assert_non_null(candidate->evaluation);
    assert_int_equal(bp_identity_set(candidate->evaluation, config->source, config->source_bytes,
                                     &config->head.space, &config->head.default_point,
                                     session->dtype, err),
                     0);
    bp_session_describe(session, candidate->evaluation);
    return bp_session_evaluate(session, candidate, 1, err);
}

static void drop(struct bp_candidate *candidate)
{
    bp_evaluation_free(candidate->evaluation);
    bp_close_fd(&candidate->object_fd);
}

/* Evaluates and compares the outcomes of all attempts. */
static void expect(uint32_t count, const enum bp_verdict *outcomes, struct bp_candidate *candidate)
{
    struct bp_error err;
    if (evaluate(candidate, &err) < 0)
        fail_msg("%s", err.msg);
    const struct bp_evaluation *evaluation = candidate->evaluation;
    for (uint32_t i = 0; i < evaluation->attempt_count; i++)
        printf("attempt %u: %s in %s, %.1f ms: %s\n", i + 1,
               bp_verdict_name(evaluation->attempts[i].outcome),
               bp_stage_name(evaluation->attempts[i].stage), evaluation->attempts[i].duration_ms,
               evaluation->attempts[i].message);
    assert_int_equal(evaluation->attempt_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(evaluation->attempts[i].outcome, outcomes[i]);
    assert_int_equal(evaluation->verdict, outcomes[count - 1]);
    assert_int_equal(seen.odd_probes, 0);
}

#define EXPECT(candidate, ...)                                                                     \
    expect(sizeof((enum bp_verdict[]){__VA_ARGS__}) / sizeof(enum bp_verdict),                     \
           (enum bp_verdict[]){__VA_ARGS__}, candidate)

/* Process 1 of a stage's child, a child of ours, or -1. */
static pid_t find_child(const char *stage)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *children = fopen(path, "r");
    int pid = -1, found = -1;
    while (children && fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        int fd = open(path, O_RDONLY);
        ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
        text[length > 0 ? length : 0] = '\0';
        if (length > 0 && strcmp(text + strlen(text) + 1, stage) == 0)
            found = pid;
        close(fd);
    }
    if (children)
        fclose(children);
    return found;
}

/* For one that was just launched, as a process has no arguments yet while exec goes on. */
static pid_t await_child(const char *stage)
{
    uint64_t give_up = bp_clock_ns() + 10000000000u;
    pid_t found;
    while ((found = find_child(stage)) < 0 && bp_clock_ns() < give_up)
        usleep(1000);
    return found;
}

/* ---- tests ---- */

static void our_failures_are_retried_to_the_end(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("judge", "xx");
    EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    assert_int_equal(candidate.evaluation->safety.retries, 2);
    assert_int_equal(candidate.evaluation->safety.fallbacks, 0);
    assert_int_equal(seen.probes, 0);
    drop(&candidate);
}

static void attempts_are_bounded(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("judge", "xxxxx");
    EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_INFRA, BP_VERDICT_INFRA);
    assert_int_equal(bp_evaluation_blame(candidate.evaluation), BP_BLAME_HARNESS);
    drop(&candidate);
}

static void candidates_failures_are_not(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("run", "ll");
    EXPECT(&candidate, BP_VERDICT_LAUNCH_ERROR);
    drop(&candidate);
}

static void a_fault_that_does_not_come_back_was_the_devices(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("run", "f");
    EXPECT(&candidate, BP_VERDICT_GPU_FAULT, BP_VERDICT_PASS);
    assert_string_equal(seen.moves, "suspect>probing>healthy");
    assert_int_equal(seen.probes, 1);
    assert_int_equal(seen.waits, 0);
    drop(&candidate);
}

static void a_fault_that_comes_back_is_the_candidates(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("run", "fff");
    EXPECT(&candidate, BP_VERDICT_GPU_FAULT, BP_VERDICT_GPU_FAULT);
    assert_int_equal(bp_evaluation_blame(candidate.evaluation), BP_BLAME_CANDIDATE);
    assert_string_equal(seen.moves, "suspect>probing>healthy>suspect>probing>healthy");
    drop(&candidate);
}

static void a_device_that_fails_probes_is_waited_for(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    set_moods("run", "f");
    set_moods("probe", "xx");
    EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    assert_string_equal(
        seen.moves,
        "suspect>probing>quarantined>suspect>probing>quarantined>suspect>probing>healthy");
    assert_int_equal(seen.probes, 3);
    assert_int_equal(seen.passed, 1);
    assert_int_equal(seen.waits, 2);
    printf("%s\n", seen.waiting);
    assert_non_null(strstr(seen.waiting, "device cpu is quarantined (the child ended"));
    assert_non_null(strstr(seen.waiting, "next probe in 0.02 s")); /* twice as long as at first */
    assert_non_null(strstr(candidate.evaluation->attempts[0].message, "GPU_FAULT"));
    drop(&candidate);
}

static void the_wait_can_be_interrupted(void **state)
{
    struct bp_candidate candidate;
    struct bp_error err;
    (void)state;
    config->health.pause_ms = config->health.cap_ms = 60000;
    set_moods("run", "f");
    set_moods("probe", "x");
    seen.interrupt = true;
    uint64_t started = bp_clock_ns();
    assert_int_equal(evaluate(&candidate, &err), -1);
    assert_int_equal(err.code, BP_ERR_INTERRUPTED);
    assert_true(bp_ns_to_ms(bp_clock_ns() - started) < 20000);
    drop(&candidate);
    /* So that the other tests can use the session: what a new run would do. */
    session->loop.stop_signal = 0;
    session->slots.list[0].health = (struct bp_health){0};
}

static pid_t killed;

/* No assertion in what the session calls: a jump out of it would leave it in the middle. */
static void kill_prepare(void)
{
    killed = await_child("prepare");
    if (killed > 0 && kill(killed, SIGKILL) < 0)
        killed = -1;
}

static void a_prepare_child_is_replaced(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    seen.before_trial = kill_prepare;
    EXPECT(&candidate, BP_VERDICT_PASS);
    assert_true(killed > 0);
    assert_true(await_child("prepare") > 0);
    assert_int_not_equal(await_child("prepare"), killed);
    drop(&candidate);
}

static void a_prepare_child_that_does_not_come_back_costs_an_attempt(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    seen.before_trial = kill_prepare;
    set_moods("prepare", "xxxx");
    EXPECT(&candidate, BP_VERDICT_INFRA, BP_VERDICT_PASS);
    drop(&candidate);
}

static struct rlimit descriptors;

static void grant_descriptors(void *context)
{
    (void)context;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

static void a_child_that_cannot_be_started_costs_an_attempt(void **state)
{
    struct bp_candidate candidate;
    struct bp_error err;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    struct rlimit few = {open_descriptors(), descriptors.rlim_max};
    config->retry.base_ms = config->retry.cap_ms = 400;
    config->retry.attempts = 16;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    seen.timer = (struct bp_timer){.expired = grant_descriptors};
    assert_int_equal(
        bp_loop_start_timer(&session->loop, &seen.timer, bp_clock_ns() + 20000000, &err), 0);
    int result = evaluate(&candidate, &err);
    grant_descriptors(NULL);
    assert_int_equal(result, 0);
    const struct bp_evaluation *evaluation = candidate.evaluation;
    printf("%u attempts, the first: %s\n", evaluation->attempt_count,
           evaluation->attempts[0].message);
    assert_int_equal(evaluation->verdict, BP_VERDICT_PASS);
    assert_true(evaluation->attempt_count > 1);
    assert_non_null(strstr(evaluation->attempts[0].message, "Too many open files"));
    drop(&candidate);
}

static pid_t traced, tracer;

/* Nobody but its tracer can wait for a dead process: to us it is as one in state D. */
static void trace_run_child(void)
{
    int told[2];
    char byte;
    traced = await_child("run");
    tracer = traced > 0 && pipe2(told, O_CLOEXEC) == 0 ? fork() : -1;
    if (tracer < 0)
        return;
    if (tracer == 0) {
        if (ptrace(PTRACE_SEIZE, traced, 0, 0) < 0)
            _exit(errno);
        if (write(told[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(0);
    }
    close(told[1]);
    if (read(told[0], &byte, 1) != 1)
        tracer = -1;
    close(told[0]);
}

static void a_child_that_is_not_reaped_blocks_nothing(void **state)
{
    struct bp_candidate candidate, other;
    struct bp_error err;
    (void)state;
    seen.before_trial = trace_run_child;
    EXPECT(&candidate, BP_VERDICT_PASS);
    assert_true(traced > 0);
    drop(&candidate);
    if (tracer < 0) {
        assert_true(waitpid(-1, NULL, WNOHANG) >= 0);
        skip();
    }
    assert_string_equal(seen.moves, "suspect>probing>healthy");
    uint32_t children = session->loop.child_count;
    EXPECT(&other, BP_VERDICT_PASS);
    drop(&other);
    assert_true(children >= 2); /* prepare, and the one that is left */
    kill(tracer, SIGKILL);
    assert_int_equal(waitpid(tracer, NULL, 0), tracer);
    uint64_t give_up = bp_clock_ns() + 5000000000u;
    while (session->loop.child_count > 1 && bp_clock_ns() < give_up)
        assert_int_equal(bp_loop_step(&session->loop, &err), 0);
    assert_int_equal(session->loop.child_count, 1);
}

static void all_timed_calls_share_a_limit(void **state)
{
    struct bp_candidate candidate;
    (void)state;
    session->timing.limit_ms = 0.1;
    EXPECT(&candidate, BP_VERDICT_RUN_TIMEOUT);
    assert_int_equal(candidate.evaluation->stage, BP_STAGE_time);
    assert_non_null(strstr(candidate.evaluation->message, "in all"));
    assert_string_equal(seen.moves, "suspect>probing>healthy");
    drop(&candidate);
}

static uint32_t chances = 1; /* of the challenger */

static void play(const char *moods, const struct bp_candidate *a, const struct bp_candidate *b,
                 struct bp_match_result *result)
{
    struct bp_match_rules rules = {.rounds = 4, .chances = {chances, 2}};
    struct bp_error err;
    set_moods("run", moods);
    session->matches = 0;
    assert_int_equal(bp_session_match(session, a, b, &rules, result, &err), 0);
    printf("%u plays, %s %s\n", (unsigned)session->matches,
           bp_verdict_name(result->outcome.verdict), result->outcome.message);
}

/* A candidate whose calls crash, with the timings of one that passed. */
static void make_crashing(const struct bp_candidate *good, struct bp_candidate *bad)
{
    static char source[] = "#include \"gqa.h\"\n"
                           "GQA_KERNEL void gqa_plan(gqa_shape s, gqa_launch_plan *plan)\n"
                           "{ (void)s; gqa_plan_launch(plan, 0, 1, 1, 1, 1, 0); }\n"
                           "GQA_KERNEL void gqa_kernel0(gqa_shape, const gqa_t *, const gqa_t *,\n"
                           "                            const gqa_t *, gqa_t *, void *)\n"
                           "{ *(volatile int *)nullptr = 1; }\n";
    char *text = config->source;
    size_t bytes = config->source_bytes;
    struct bp_error err;
    config->source = source;
    config->source_bytes = sizeof source - 1;
    int result = evaluate(bad, &err);
    config->source = text;
    config->source_bytes = bytes;
    assert_int_equal(result, 0);
    assert_int_equal(bad->evaluation->verdict, BP_VERDICT_CRASH);
    assert_int_equal(bad->evaluation->attempt_count, 1);
    bad->evaluation->timing_count = good->evaluation->timing_count;
    memcpy(bad->evaluation->timings, good->evaluation->timings, sizeof bad->evaluation->timings);
}

static void matches_are_played_again(void **state)
{
    struct bp_candidate good, bad;
    struct bp_match_result result;
    (void)state;
    EXPECT(&good, BP_VERDICT_PASS);
    make_crashing(&good, &bad);
    play("", &good, &good, &result);
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(session->matches, 1);
    play("x", &good, &good, &result); /* ours, whichever side it is */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(session->matches, 2);
    play("f", &good, &good, &result); /* perhaps the device's */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_PASS);
    assert_int_equal(session->matches, 2);
    play("", &bad, &good, &result); /* the challenger's own */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(session->matches, 1);
    chances = 2; /* as the champion has them in the final comparison */
    play("", &bad, &good, &result);
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(session->matches, 2);
    chances = 1;
    config->retry.attempts = 1;     /* however few there are */
    play("", &good, &bad, &result); /* the incumbent's, twice */
    assert_int_equal(result.outcome.verdict, BP_VERDICT_CRASH);
    assert_int_equal(result.failed_side, BP_RING_B);
    assert_int_equal(session->matches, 2);
    play("l", &good, &good, &result); /* once, of whoever takes it: an end, or a second chance */
    bool was_incumbent = result.outcome.verdict == BP_VERDICT_PASS;
    assert_int_equal(session->matches, was_incumbent ? 2 : 1);
    assert_int_equal(result.failed_side, BP_RING_A);
    assert_int_equal(session->slots.list[0].health.state, BP_HEALTH_healthy);
    drop(&good);
    drop(&bad);
}

/* Of the last play, in which it failed. */
static void check_match_evidence(const struct bp_candidate *candidate)
{
    const struct bp_evidence *evidence = candidate->evaluation->evidence;
    assert_non_null(evidence);
    assert_true(evidence->in_match);
    assert_int_equal(evidence->match.matches + 1, session->matches);
    assert_string_equal(evidence->cause, "exited");
    assert_true(evidence->position.evaluation >= 1);
    assert_memory_equal(&evidence->position.key, &evidence->match.key, sizeof evidence->match.key);
    assert_true(evidence->object_fd >= 0);
    assert_true(evidence->compile_command[0] != '\0');
}

static void either_side_leaves_evidence(void **state)
{
    struct bp_candidate good, bad;
    struct bp_match_result result;
    struct bp_error err;
    (void)state;
    EXPECT(&good, BP_VERDICT_PASS);
    make_crashing(&good, &bad);
    play("", &bad, &good, &result);
    check_match_evidence(&bad);
    assert_false(good.evaluation->evidence->in_match);
    play("", &good, &bad, &result);
    assert_int_equal(result.failed_side, BP_RING_B);
    check_match_evidence(&bad);
    bp_evidence_free(bad.evaluation->evidence); /* as of one that was loaded from a record */
    bad.evaluation->evidence = NULL;
    bp_close_fd(&bad.object_fd);
    assert_int_equal(bp_session_compile(session, &bad, &err), 0);
    assert_false(bad.evaluation->evidence->in_match);
    play("", &good, &bad, &result);
    check_match_evidence(&bad);
    assert_false(good.evaluation->evidence->in_match);
    drop(&good);
    drop(&bad);
}

/* ---- fixture ---- */

static int reset(void **state)
{
    static const char *const stages[] = {"prepare", "run", "judge", "probe"};
    (void)state;
    memset(&seen, 0, sizeof seen);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        set_moods(stages[i], "");
    config->retry.attempts = 4;
    config->retry.base_ms = 2;
    config->retry.cap_ms = 20;
    config->retry.factor = 2;
    config->health.pause_ms = 10;
    config->health.cap_ms = 1000;
    session->timing.limit_ms = config->limits.time_s * 1e3;
    return 0;
}

static int copy_worker(struct bp_error *err)
{
    struct bp_buffer bytes;
    bp_buffer_init(&bytes, 64u << 20);
    int result = -1;
    snprintf(session->worker_path, sizeof session->worker_path, "%s/worker", directory);
    if (bp_io_read_file(MOODY_WORKER, &bytes, err) == 0)
        result = bp_io_write_file_atomic(session->worker_path, bytes.data, bytes.size, err);
    bp_buffer_free(&bytes);
    if (result == 0 && (chmod(session->worker_path, 0755) < 0 || chmod(directory, 0755) < 0))
        return bp_fail_errno(err, "chmod");
    return result;
}

static int load(struct bp_error *err)
{
    bp_config_defaults(config);
    snprintf(config->dtype, sizeof config->dtype, "f16");
    snprintf(config->suite, sizeof config->suite, "tiny");
    config->parallel = 1;
    config->timing.ring_mb = 1;
    config->timing.batch_ms = 1;
    return bp_config_read_kernel(KERNEL, config, err);
}

static int open_session(void **state)
{
    struct bp_session_callbacks callbacks = {.device_changed = device_changed,
                                             .probed = probed,
                                             .waiting = waiting,
                                             .known_object = known_object};
    struct bp_error err;
    struct bp_key key;
    (void)state;
    bp_log_set_level(BP_LOG_ERROR);
    session = calloc(1, sizeof *session);
    config = calloc(1, sizeof *config);
    bp_key_random(&key);
    if (!session || !config || !mkdtemp(directory) || load(&err) < 0 ||
        bp_session_init(session, config, &callbacks, &err) < 0 || copy_worker(&err) < 0 ||
        bp_session_open(session, &key, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    return 0;
}

static int close_session(void **state)
{
    char command[128];
    (void)state;
    bp_session_close(session);
    uint32_t left = session->loop.child_count;
    bp_config_free(config);
    free(config);
    free(session);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) != 0 || left != 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(our_failures_are_retried_to_the_end),
        TEST(attempts_are_bounded),
        TEST(candidates_failures_are_not),
        TEST(a_fault_that_does_not_come_back_was_the_devices),
        TEST(a_fault_that_comes_back_is_the_candidates),
        TEST(a_device_that_fails_probes_is_waited_for),
        TEST(the_wait_can_be_interrupted),
        TEST(a_prepare_child_is_replaced),
        TEST(a_prepare_child_that_does_not_come_back_costs_an_attempt),
        TEST(a_child_that_cannot_be_started_costs_an_attempt),
        TEST(a_child_that_is_not_reaped_blocks_nothing),
        TEST(all_timed_calls_share_a_limit),
        TEST(matches_are_played_again),
        TEST(either_side_leaves_evidence),
    };
    return cmocka_run_group_tests(tests, open_session, close_session);
}
