#include "harness/evolve/unseen.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/weaken.h"
#include "harness/evolve/flight.h"
#include "harness/evolve/retry.h"
#include "harness/evolve/unseen_shapes.h"

_Static_assert(BP_UNSEEN_MAX_SHAPES <= BP_MAX_UNSEEN, "a note a shape");

/* A candidate on one shape. */
struct check {
    struct bp_session *session;
    const struct bp_candidate *candidate;
    struct bp_key key;
    struct bp_suite *suite;       /* of the shape alone */
    struct bp_bench *bench;       /* owned: of this suite and key */
    struct bp_trial *trial;       /* owned */
    struct bp_orders orders;      /* for the bench's own prepare child */
    struct bp_evaluation *result; /* owned: what the trial finds out */
    struct bp_outcome outcome;
    enum bp_stage stage;
    bool unreaped;
};

static int open_bench(struct check *check, struct bp_error *err)
{
    const struct bp_session *session = check->session;
    struct bp_bench_options options = {
        .children = session->children,
        .suite = check->suite,
        .dtype = session->dtype,
        .threads = session->threads,
        .lanes = 1,
        .run_key = check->key,
    };
    const struct bp_session_device *device = bp_session_device(session);
    options.kind = device->parsed.kind;
    memcpy(options.device, device->name, sizeof options.device);
    memcpy(options.arch, device->arch, sizeof options.arch);
    return bp_bench_open(&options, &check->bench, err);
}

/* Masters, references, and the candidate's copy. */
static int order_cases(struct check *check, struct bp_error *err)
{
    struct bp_orders *orders = &check->orders;
    *orders = (struct bp_orders){0};
    for (uint32_t i = 0; i < check->suite->case_count; i++) {
        if (bp_bench_make(check->bench, i, bp_orders_done, orders, err) < 0)
            return -1;
        orders->left++;
    }
    if (bp_bench_fill_cases(check->bench, 0, 1, bp_orders_done, orders, err) < 0)
        return -1;
    orders->left++;
    return 0;
}

/* Starts all that needs no waiting. */
static int start(struct check *check, struct bp_error *err)
{
    struct bp_trial_options options = {.evaluation = 1, .draws = &check->session->draws};
    check->result = bp_evaluation_new();
    if (!check->result)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an unseen shape");
    if (open_bench(check, err) < 0 || order_cases(check, err) < 0)
        return -1;
    options.bench = check->bench;
    return bp_trial_open(&options, &check->trial, err);
}

static int wait_for_orders(struct check *check, struct bp_error *err)
{
    while (check->orders.left > 0)
        if (bp_waiting_step(check->session, err) < 0)
            return -1;
    if (check->orders.failed)
        bp_outcome_of_error(&check->orders.err, &check->outcome);
    return 0;
}

static int run(struct check *check, struct bp_error *err)
{
    struct bp_trial_object object = {.fd = check->candidate->object_fd,
                                     .bytes = check->candidate->object_bytes};
    struct bp_error why;
    check->stage = BP_STAGE_run;
    if (bp_trial_start(check->trial, &object, &why) < 0) {
        bp_outcome_of_error(&why, &check->outcome);
        return 0;
    }
    while (!bp_trial_done(check->trial))
        if (bp_waiting_step(check->session, err) < 0)
            return -1;
    check->unreaped = bp_trial_left_unreaped(check->trial);
    bp_trial_finish(check->trial, &check->outcome, &check->stage, check->result);
    return bp_retry_check_device(check->session, check->stage, check->unreaped, &check->outcome,
                                 err);
}

static void end(struct check *check)
{
    bp_trial_free(&check->trial);
    bp_bench_close(&check->bench);
    bp_evaluation_free(check->result);
    check->result = NULL;
}

/* Once; what goes wrong is the outcome. */
static int try_once(struct check *check, struct bp_error *err)
{
    struct bp_error why;
    check->outcome = (struct bp_outcome){.verdict = BP_VERDICT_PASS};
    check->stage = BP_STAGE_prepare;
    if (bp_guard_take(check->session, BP_TURN_UNSEEN, err) < 0)
        return -1;
    if (start(check, &why) < 0) {
        bp_outcome_of_error(&why, &check->outcome);
        return 0;
    }
    if (wait_for_orders(check, err) < 0)
        return -1;
    return check->outcome.verdict == BP_VERDICT_PASS ? run(check, err) : 0;
}

static void take_note(const struct check *check, struct bp_unseen *unseen)
{
    struct bp_unseen_shape *note = &unseen->shapes[unseen->count++];
    const struct bp_evaluation *result = check->result;
    *note = (struct bp_unseen_shape){.verdict = check->outcome.verdict, .stage = check->stage};
    memcpy(note->shape, check->suite->name, sizeof note->shape);
    if (note->verdict != BP_VERDICT_PASS)
        snprintf(note->message, sizeof note->message, "on an unseen shape, %s: %s",
                 check->suite->name, check->outcome.message);
    for (uint32_t i = 0; result && i < result->case_count; i++) {
        note->rows += result->cases[i].rows;
        if (result->cases[i].max_ratio > note->max_ratio)
            note->max_ratio = result->cases[i].max_ratio;
    }
}

static void keep_evidence(const struct check *check)
{
    struct bp_evidence *evidence = check->result ? check->result->evidence : NULL;
    if (!evidence)
        return;
    check->result->evidence = NULL;
    evidence->in_unseen = true;
    bp_flight_replace_evidence(check->candidate->evaluation, evidence);
}

/* As often as its outcomes ask for; the last one stands. */
static int try_shape(struct check *check, struct bp_unseen *unseen, struct bp_error *err)
{
    struct bp_attempts_policy policy = bp_retry_policy(check->session);
    enum bp_verdict outcomes[BP_MAX_ATTEMPTS];
    for (uint32_t count = 1;; count++) {
        int result = try_once(check, err);
        outcomes[count - 1] = check->outcome.verdict;
        enum bp_attempts_next next = count == BP_MAX_ATTEMPTS
                                         ? BP_ATTEMPTS_STAND
                                         : bp_attempts_next(&policy, outcomes, count);
        if (result == 0 && next == BP_ATTEMPTS_STAND) {
            take_note(check, unseen);
            if (bp_unseen_failure(unseen))
                keep_evidence(check);
        }
        end(check);
        if (result < 0 || next == BP_ATTEMPTS_STAND)
            return result;
        bp_log(BP_LOG_WARNING, "session", "evaluation %u, %s: %s; trying again",
               check->candidate->evaluation->number, check->suite->name, check->outcome.message);
        if (next == BP_ATTEMPTS_BACK_OFF && bp_retry_back_off(check->session, count, err) < 0)
            return -1;
    }
}

static bool is_admitted(const void *context, const struct bp_shape *shape)
{
    const struct bp_config *config = context;
    return !config->source || bp_kernel_head_supports(&config->head, shape);
}

static int try_shapes(struct check *check, const struct bp_key *key, struct bp_unseen *unseen,
                      struct bp_error *err)
{
    struct bp_shape shapes[BP_UNSEEN_MAX_SHAPES];
    const struct bp_session *session = check->session;
    uint32_t count =
        bp_unseen_shapes_draw(key, &session->suite, is_admitted, session->config, shapes);
    for (uint32_t i = 0; i < count && !bp_unseen_failure(unseen); i++) {
        bp_key_derive(key, "shape", i, &check->key);
        bp_unseen_shapes_suite(&check->key, &shapes[i], check->suite);
        if (try_shape(check, unseen, err) < 0)
            return -1;
    }
    return 0;
}

int bp_unseen_try(struct bp_session *session, const struct bp_candidate *candidate,
                  const char *purpose, struct bp_unseen *unseen, struct bp_error *err)
{
    struct check check = {.session = session, .candidate = candidate};
    uint32_t number = candidate->evaluation->number;
    struct bp_key key;
    unseen->count = 0;
    if (bp_weakened(BP_DEFENCE_unseen))
        return 0;
    BP_AUTO_FREE struct bp_suite *suite = calloc(1, sizeof *suite);
    if (!suite)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for unseen shapes");
    check.suite = suite;
    bp_session_now(session, "trying #%u on unseen shapes", number);
    bp_key_derive(&bp_bench_options(session->bench)->run_key, purpose, number, &key);
    uint64_t began_ns = bp_clock_ns();
    int result = try_shapes(&check, &key, unseen, err);
    bp_log(BP_LOG_INFO, "session", "evaluation %u: %u unseen shapes in %.0f ms", number,
           unseen->count, bp_ns_to_ms(bp_clock_ns() - began_ns));
    return result;
}

void bp_unseen_judge(struct bp_evaluation *evaluation)
{
    const struct bp_unseen_shape *failure = bp_unseen_failure(&evaluation->unseen);
    if (failure)
        bp_evaluation_fail(evaluation, failure->verdict, failure->stage, failure->message);
}
