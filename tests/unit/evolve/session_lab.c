#include "tests/unit/evolve/session_lab.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "harness/evolve/identity.h"

static char directory[] = "/tmp/bulletproof-session-XXXXXX";
struct bp_session *lab_session;
struct bp_config *lab_config;
struct lab_seen lab_seen;

/* ---- the session's callbacks ---- */

static void device_changed(void *context, const struct bp_device_change *change)
{
    (void)context;
    size_t used = strlen(lab_seen.moves);
    snprintf(lab_seen.moves + used, sizeof lab_seen.moves - used, "%s%s", used ? ">" : "",
             change->to);
}

static void probed(void *context, const struct bp_probe_record *probe)
{
    (void)context;
    lab_seen.probes++;
    lab_seen.passed += probe->passed;
    lab_seen.odd_probes += probe->passed != (probe->message[0] == '\0');
    if (probe->passed)
        printf("a probe took %.2f ms\n", probe->ms);
}

static void waiting(void *context, const char *text)
{
    (void)context;
    lab_seen.waits++;
    snprintf(lab_seen.waiting, sizeof lab_seen.waiting, "%s", text);
    if (lab_seen.interrupt)
        kill(getpid(), SIGINT);
}

static bool known_object(void *context, struct bp_candidate *candidate)
{
    (void)context, (void)candidate;
    void (*act)(void) = lab_seen.before_trial;
    lab_seen.before_trial = NULL;
    if (act)
        act();
    return false;
}

/* ---- helpers ---- */

void lab_moods(const char *stage, const char *moods)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, stage);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(moods, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0666), 0);
}

int lab_evaluate(struct bp_candidate *candidate, struct bp_error *err)
{
    *candidate = (struct bp_candidate){.evaluation = bp_evaluation_new(), .object_fd = -1};
    assert_non_null(candidate->evaluation);
    assert_int_equal(bp_identity_set(candidate->evaluation, lab_config->source,
                                     lab_config->source_bytes, &lab_config->head.space,
                                     &lab_config->head.default_point, lab_session->dtype, err),
                     0);
    bp_session_describe(lab_session, candidate->evaluation);
    return bp_session_evaluate(lab_session, candidate, 1, err);
}

void lab_drop(struct bp_candidate *candidate)
{
    bp_evaluation_free(candidate->evaluation);
    bp_close_fd(&candidate->object_fd);
}

void lab_expect(uint32_t count, const enum bp_verdict *outcomes, struct bp_candidate *candidate)
{
    struct bp_error err;
    if (lab_evaluate(candidate, &err) < 0)
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
    assert_int_equal(lab_seen.odd_probes, 0);
}

/* ---- fixture ---- */

int lab_reset(void **state)
{
    static const char *const stages[] = {"prepare", "run", "judge", "probe"};
    (void)state;
    memset(&lab_seen, 0, sizeof lab_seen);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        lab_moods(stages[i], "");
    lab_config->retry.attempts = 4;
    lab_config->retry.base_ms = 2;
    lab_config->retry.cap_ms = 20;
    lab_config->retry.factor = 2;
    lab_config->health.pause_ms = 10;
    lab_config->health.cap_ms = 1000;
    lab_session->timing.limit_ms = lab_config->limits.time_s * 1e3;
    return 0;
}

static int copy_worker(struct bp_error *err)
{
    struct bp_buffer bytes;
    bp_buffer_init(&bytes, 64u << 20);
    int result = -1;
    snprintf(lab_session->worker_path, sizeof lab_session->worker_path, "%s/worker", directory);
    if (bp_io_read_file(MOODY_WORKER, &bytes, err) == 0)
        result = bp_io_write_file_atomic(lab_session->worker_path, bytes.data, bytes.size, err);
    bp_buffer_free(&bytes);
    if (result == 0 && (chmod(lab_session->worker_path, 0755) < 0 || chmod(directory, 0755) < 0))
        return bp_fail_errno(err, "chmod");
    return result;
}

static int load(struct bp_error *err)
{
    bp_config_defaults(lab_config);
    snprintf(lab_config->dtype, sizeof lab_config->dtype, "f16");
    snprintf(lab_config->suite, sizeof lab_config->suite, "tiny");
    lab_config->parallel = 1;
    lab_config->timing.ring_mb = 1;
    lab_config->timing.batch_ms = 1;
    return bp_config_read_kernel(KERNEL, lab_config, err);
}

int lab_open(void **state)
{
    struct bp_session_callbacks callbacks = {.device_changed = device_changed,
                                             .probed = probed,
                                             .waiting = waiting,
                                             .known_object = known_object};
    struct bp_error err;
    struct bp_key key;
    (void)state;
    bp_log_set_level(BP_LOG_ERROR);
    lab_session = calloc(1, sizeof *lab_session);
    lab_config = calloc(1, sizeof *lab_config);
    bp_key_random(&key);
    if (!lab_session || !lab_config || !mkdtemp(directory) || load(&err) < 0 ||
        bp_session_init(lab_session, lab_config, &callbacks, &err) < 0 || copy_worker(&err) < 0 ||
        bp_session_open(lab_session, &key, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    return 0;
}

int lab_close(void **state)
{
    char command[128];
    (void)state;
    bp_session_close(lab_session);
    uint32_t left = lab_session->loop.child_count;
    bp_config_free(lab_config);
    free(lab_config);
    free(lab_session);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) != 0 || left != 0;
}
