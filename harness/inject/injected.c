#include "harness/inject/injected.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "harness/evolve/engine.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/session.h"
#include "harness/exit_codes.h"

#ifdef __SANITIZE_ADDRESS__
#define SLOWNESS 4 /* of everything, where a sanitizer watches */
#else
#define SLOWNESS 1
#endif

/* One variant is faster than the baseline and plays its whole match, the others are too slow for any:
 * each run passes the same points. */
static const char space[] = "space: {knobs: {KIND: [0, 14, 61, 62, 63], A: [0], B: [0]}}\n";

/* What differs between the configs: budget counts eager and baseline, seconds are before SLOWNESS. */
struct ground {
    const char *kernel; /* as it can be opened */
    const char *device, *suite;
    int evaluations, compile_s, run_s;
    const char *more;
};

static int parse(const struct ground *ground, const struct bp_buffer *source,
                 struct bp_config *config, struct bp_error *err)
{
    char text[8192], absolute[PATH_MAX]; /* the config is written elsewhere, and names the kernel */
    if (!realpath(ground->kernel, absolute))
        return bp_fail_errno(err, "%s", ground->kernel);
    int length = snprintf(
        text, sizeof text,
        "kernel: \"%s\"\ndtype: f16\ndevice: \"%s\"\nsuite: %s\nparallel: 2\n"
        "strategy: {name: random}\nbudget: {evaluations: %d}\n"
        "timing: {batch_ms: 1, warmup_batches: 1, batches: 5, match_rounds: 8, final_rounds: 4,"
        " ring_mb: 1}\n"
        "retry: {base_ms: 20, cap_ms: 500, attempts: 4}\n"
        "limits: {compile_s: %d, run_s: %d, judge_s: %d, prepare_s: %d}\n%s",
        absolute, ground->device, ground->suite, ground->evaluations, ground->compile_s * SLOWNESS,
        ground->run_s * SLOWNESS, 2 * SLOWNESS, 2 * SLOWNESS, ground->more);
    if ((size_t)length >= sizeof text)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", absolute);
    return bp_config_parse("inject", text, (size_t)length, source->data, source->size, config, err);
}

/* The kernel is the user's to name. */
static int load(const struct ground *ground, struct bp_config *config, struct bp_error *err)
{
    struct bp_buffer source;
    bp_buffer_init(&source, BP_SOURCE_MAX_BYTES);
    int result = bp_io_read_file(ground->kernel, &source, err);
    if (result < 0)
        err->code = BP_ERR_USAGE;
    else
        result = parse(ground, &source, config, err);
    bp_buffer_free(&source);
    return result;
}

int bp_injected_load(const struct bp_campaign *campaign, struct bp_injected_config *config,
                     struct bp_error *err)
{
    const struct ground session = {campaign->kernel, "cpu", "odd_17", 6, 2, 2, ""};
    const struct ground search = {campaign->kernel, "cpu", "odd_17", 6, 5, 2, space};
    const struct ground device = {campaign->device_kernel, campaign->device, "tiny_decode", 3, 8, 4,
                                  "health: {probe_s: 4}\n"};
    if (load(&session, &config->session, err) < 0 || load(&search, &config->search, err) < 0)
        return -1;
    const struct bp_space *knobs = &config->session.head.space;
    if (bp_space_knob(knobs, "KIND") == knobs->knob_count)
        return bp_fail(err, BP_ERR_USAGE, "%s has no knob KIND", campaign->kernel);
    config->has_device = campaign->device[0] != '\0';
    return config->has_device ? load(&device, &config->device, err) : 0;
}

void bp_injected_free(struct bp_injected_config *config)
{
    bp_config_free(&config->session);
    bp_config_free(&config->search);
    bp_config_free(&config->device);
}

/* ---- two candidates ---- */

/* The kernel's defaults, KIND apart. */
static int choose_kind(const struct bp_kernel_head *head, int64_t kind, struct bp_point *point,
                       struct bp_error *err)
{
    const char *names[BP_MAX_KNOBS];
    int64_t values[BP_MAX_KNOBS];
    for (uint32_t k = 0; k < head->space.knob_count; k++) {
        const struct bp_knob *knob = &head->space.knobs[k];
        names[k] = knob->name;
        values[k] = strcmp(knob->name, "KIND") == 0
                        ? kind
                        : bp_space_value(&head->space, &head->default_point, k);
    }
    return bp_space_point(&head->space, head->space.knob_count, names, values, point, err);
}

static int evaluate(struct bp_session *session, const struct bp_config *config, int64_t kind,
                    struct bp_evaluation *evaluation, struct bp_error *err)
{
    struct bp_point point;
    if (choose_kind(&config->head, kind, &point, err) < 0 ||
        bp_identity_set(evaluation, config->source, config->source_bytes, &config->head.space,
                        &point, session->dtype, err) < 0)
        return -1;
    bp_session_describe(session, evaluation);
    struct bp_candidate candidate = {.evaluation = evaluation, .object_fd = -1};
    int result = bp_session_evaluate(session, &candidate, 1, err);
    bp_close_fd(&candidate.object_fd);
    return result;
}

static int evaluate_both(struct bp_session *session, const struct bp_injected_candidate *run,
                         struct bp_process_report *report, struct bp_error *err)
{
    struct bp_evaluation *wrong = bp_evaluation_new(), *right = bp_evaluation_new();
    int result = wrong && right ? evaluate(session, run->config, run->kind, wrong, err)
                                : bp_fail(err, BP_ERR_MEMORY, "no memory");
    if (result == 0)
        result = evaluate(session, run->config, 0, right, err);
    if (result == 0) {
        report->verdict = wrong->verdict;
        report->next_verdict = right->verdict;
        report->attempts = wrong->attempt_count;
        report->verdict_ms = wrong->duration.total_ms;
        snprintf(report->message, sizeof report->message, "%.100s; then %s: %.100s", wrong->message,
                 bp_verdict_name(right->verdict), right->message);
    }
    bp_evaluation_free(wrong);
    bp_evaluation_free(right);
    return result;
}

static int fail_exit(const struct bp_error *err)
{
    fprintf(stderr, "bulletproof: %s\n", err->msg);
    return bp_exit_of_error(err);
}

/* Null when there is none; bp_session_close and free. */
static struct bp_session *open_session(const struct bp_config *config, struct bp_error *err)
{
    const struct bp_session_callbacks none = {0};
    struct bp_key run_key;
    struct bp_session *session = calloc(1, sizeof *session);
    bp_key_random(&run_key);
    if (!session) {
        bp_fail(err, BP_ERR_MEMORY, "no memory");
        return NULL;
    }
    if (bp_session_init(session, config, &none, err) == 0 &&
        bp_session_open(session, &run_key, err) == 0)
        return session;
    free(session);
    return NULL;
}

int bp_injected_look(void *context, const char *dir, struct bp_process_report *report)
{
    struct bp_error err;
    (void)dir;
    struct bp_session *session = open_session(context, &err);
    if (!session) {
        snprintf(report->message, sizeof report->message, "%s", err.msg);
        return fail_exit(&err);
    }
    bp_session_close(session);
    free(session);
    return BP_EXIT_OK;
}

int bp_injected_candidate(void *context, const char *dir, struct bp_process_report *report)
{
    const struct bp_injected_candidate *run = context;
    struct bp_error err;
    (void)dir;
    struct bp_session *session = open_session(run->config, &err);
    if (!session)
        return fail_exit(&err);
    int result = evaluate_both(session, run, report, &err);
    bp_session_close(session);
    free(session);
    return result == 0 ? BP_EXIT_OK : fail_exit(&err);
}

/* ---- a run of the search ---- */

#ifdef BP_FAULT_INJECTION
static void arm(const struct bp_injected_search *run, struct bp_process_report *report)
{
    bp_fault_count_in(&report->fired);
    bp_fault_reset();
    if (run->point != BP_FAULT_none)
        bp_fault_arm(run->point, &run->place, run->mode);
}

static void tell_counts(struct bp_process_report *report)
{
    bp_fault_take_census(&report->census);
}
#else
static void arm(const struct bp_injected_search *run, struct bp_process_report *report)
{
    (void)run, (void)report;
}

static void tell_counts(struct bp_process_report *report)
{
    (void)report;
}
#endif

int bp_injected_search(void *context, const char *dir, struct bp_process_report *report)
{
    const struct bp_injected_search *run = context;
    char out[4200], config[4200];
    struct bp_error err;
    snprintf(out, sizeof out, "%s/run", dir);
    snprintf(config, sizeof config, "%s/config.yaml", dir);
    struct bp_engine_options options = {.config = config, .out = out};
    int status =
        bp_io_write_file_atomic(config, run->config->text, strlen(run->config->text), &err);
    if (status == 0) {
        arm(run, report);
        status = bp_engine_run(&options, &err);
        tell_counts(report);
    }
    return status >= 0 ? status : fail_exit(&err);
}
