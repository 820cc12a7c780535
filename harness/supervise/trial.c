#include "harness/supervise/trial.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/weaken.h"
#include "evaluator/statistics.h"

/* A shape whose calls are long gets fewer batches: no more once it took this long, and three. */
#define SHAPE_BUDGET_MS 1500.0
#define SHAPE_MIN_BATCHES 3

struct shape_times {
    double per_call_ms[BP_STATISTICS_MAX];
    uint32_t count;
    double spent_ms;
};

struct bp_trial {
    struct bp_trial_options options;
    struct bp_trial_object object;
    bool started; /* object is set */
    struct bp_child *run, *judge;
    bool run_ready, judge_ready;
    bool run_ended, judge_ended;
    bool called;           /* every case once: the answer due is that of the second calls */
    bool judge_is_culprit; /* evidence is about the judge */
    bool unreaped;         /* one of them is not gone */

    bool decided; /* outcome is final; waiting for the children to go */
    struct bp_outcome outcome;
    enum bp_stage stage;

    struct bp_stopwatch watch;
    int sample_fd;         /* owned */
    double batch_ms;       /* per call, of the batch whose sample the judge looks at */
    uint32_t round, shape; /* round 0: one call; then warm-up; then timed batches */
    struct shape_times times[BP_SUITE_MAX_TIMED];

    struct bp_plan_record *plans;
    uint32_t plan_count;
    struct bp_case_result *cases;
    uint32_t case_count;
    bool counted;
    struct bp_counters counters;
    struct bp_evidence *evidence; /* of the run child; of the judge when it was the one to end */
    char sandbox[BP_TEXT_LINE];
    uint64_t started_ns;
    double busy_ms; /* of both children at the last change of stage */
    struct bp_durations duration;
};

static const struct bp_suite *suite_of(const struct bp_trial *trial)
{
    return bp_bench_options(trial->options.bench)->suite;
}

/* What an emulator cannot do is not the candidate's doing, and its child may say so. */
static bool is_emulated(const struct bp_trial *trial)
{
    return bp_bench_options(trial->options.bench)->kind == BP_DEVICE_KIND_EMULATED;
}

static const struct bp_child_settings *settings_of(const struct bp_trial *trial)
{
    return &bp_bench_options(trial->options.bench)->children;
}

/* Moves on to a stage; what the children worked since the last change belongs to the stage left. */
static void enter(struct bp_trial *trial, enum bp_stage stage)
{
    double busy_ms = bp_child_busy_ms(trial->run) + bp_child_busy_ms(trial->judge);
    double spent_ms = busy_ms - trial->busy_ms;
    trial->busy_ms = busy_ms;
    if (trial->stage == BP_STAGE_run)
        trial->duration.run_ms += spent_ms;
    else if (trial->stage == BP_STAGE_judge)
        trial->duration.judge_ms += spent_ms;
    else
        trial->duration.time_ms += spent_ms;
    trial->stage = stage;
}

static void decide(struct bp_trial *trial)
{
    if (trial->decided)
        return;
    trial->decided = true;
    enter(trial, trial->stage);
    if (trial->run && !trial->run_ended)
        bp_child_stop(trial->run);
    if (trial->judge && !trial->judge_ended)
        bp_child_stop(trial->judge);
}

static void infra(struct bp_trial *trial, const struct bp_error *err)
{
    if (trial->decided)
        return;
    trial->outcome.verdict = BP_VERDICT_INFRA;
    snprintf(trial->outcome.message, sizeof trial->outcome.message, "%s", err->msg);
    decide(trial);
}

/* ---- the run child: load, plan, cases ---- */

static int request_run(struct bp_trial *trial, struct bp_error *err)
{
    if (!trial->started || !trial->run_ready)
        return 0;
    struct bp_bench_object object = {.fd = trial->object.fd,
                                     .bytes = trial->object.bytes,
                                     .lane = trial->options.lane,
                                     .side = BP_RING_A,
                                     .with_cases = true,
                                     .hold = trial->options.held != NULL};
    return bp_bench_request_run(trial->options.bench, trial->run, &object, err);
}

static int request_cases(struct bp_trial *trial, bool again, struct bp_error *err)
{
    struct bp_msg_cases_request request = {
        .first = 0, .count = suite_of(trial)->case_count, .again = again};
    return bp_child_request(trial->run, BP_MESSAGE_cases_request, &request, NULL, 0,
                            settings_of(trial)->run_ms, err);
}

static int request_counters(struct bp_trial *trial, struct bp_error *err)
{
    struct bp_msg_count_request request = {.cases = suite_of(trial)->case_count};
    return bp_child_request(trial->run, BP_MESSAGE_count_request, &request, NULL, 0,
                            settings_of(trial)->run_ms, err);
}

static int take_plans(struct bp_trial *trial, const struct bp_msg_plan_result *result,
                      struct bp_error *err)
{
    trial->plans = bp_fault_calloc(result->plan_count + 1, sizeof *trial->plans);
    if (!trial->plans)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for plans");
    trial->plan_count = result->plan_count;
    memcpy(trial->plans, result->plans, result->plan_count * sizeof *trial->plans);
    return request_cases(trial, false, err);
}

static int request_judge(struct bp_trial *trial, struct bp_error *err)
{
    if (trial->stage != BP_STAGE_judge || !trial->judge_ready)
        return 0;
    BP_AUTO_FREE struct bp_msg_judge_request *request = bp_fault_calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a judge request");
    bp_bench_judge_request(trial->options.bench, trial->options.evaluation, request);
    int fds[BP_JUDGE_FDS];
    bp_bench_judge_fds(trial->options.bench, trial->options.lane, trial->sample_fd, fds);
    return bp_child_request(trial->judge, BP_MESSAGE_judge_request, request, fds, BP_JUDGE_FDS,
                            settings_of(trial)->judge_ms, err);
}

/* ---- the clock ---- */

static uint32_t rounds(const struct bp_trial *trial)
{
    return 1 + trial->options.timing.warmup_batches + trial->options.timing.batches;
}

static bool is_timed_round(const struct bp_trial *trial)
{
    return trial->round > trial->options.timing.warmup_batches;
}

static bool is_enough(const struct shape_times *times)
{
    return times->count >= SHAPE_MIN_BATCHES && times->spent_ms > SHAPE_BUDGET_MS;
}

/* Starts the batch that (round, shape) names; the outcome stands when there is none left. */
static int next_batch(struct bp_trial *trial, struct bp_error *err)
{
    enter(trial, BP_STAGE_time);
    if (bp_stopwatch_is_used_up(&trial->watch, false, &trial->outcome)) {
        decide(trial);
        return 0;
    }
    for (; trial->round < rounds(trial); trial->round++, trial->shape = 0)
        for (; trial->shape < suite_of(trial)->timed_count; trial->shape++)
            if (!is_timed_round(trial) || !is_enough(&trial->times[trial->shape]))
                return bp_stopwatch_start(&trial->watch, trial->shape, err);
    trial->stage = BP_STAGE_judge;
    decide(trial);
    return 0;
}

/* The time counts once the judge has seen the row. */
static int take_batch(struct bp_trial *trial, enum bp_message_type type, struct bp_error *err)
{
    struct bp_msg_sample_request sample;
    int over = bp_stopwatch_answer(&trial->watch, type, err);
    if (over <= 0)
        return over;
    if (bp_stopwatch_stop(&trial->watch, &trial->batch_ms, &sample, err) < 0)
        return -1;
    enter(trial, BP_STAGE_judge);
    return bp_child_request(trial->judge, BP_MESSAGE_sample_request, &sample, NULL, 0,
                            settings_of(trial)->judge_ms, err);
}

static int take_sample_result(struct bp_trial *trial, const struct bp_msg_sample_result *result,
                              struct bp_error *err)
{
    uint32_t shape = trial->shape;
    struct shape_times *times = &trial->times[shape];
    bp_outcome_of_claim(BP_STAGE_judge, result->verdict, result->message, &trial->outcome);
    enum bp_floor floor = BP_FLOOR_KEPT;
    if (trial->outcome.verdict == BP_VERDICT_PASS)
        floor = bp_stopwatch_check_floor(&trial->watch, trial->batch_ms, &trial->outcome);
    if (trial->outcome.verdict != BP_VERDICT_PASS) {
        decide(trial);
        return 0;
    }
    if (floor == BP_FLOOR_AGAIN)
        return next_batch(trial, err);
    if (is_timed_round(trial)) {
        times->per_call_ms[times->count++] = trial->batch_ms;
        times->spent_ms += trial->batch_ms * trial->watch.calls[shape];
    } else {
        bp_stopwatch_set_calls(&trial->watch, shape, trial->batch_ms);
    }
    trial->shape++;
    return next_batch(trial, err);
}

static void batch_failed(void *context, const struct bp_error *err)
{
    infra(context, err);
}

static int start_timing(struct bp_trial *trial, struct bp_error *err)
{
    trial->watch = (struct bp_stopwatch){.bench = trial->options.bench,
                                         .child = trial->run,
                                         .side = BP_RING_A,
                                         .batch_ms = trial->options.timing.batch_ms,
                                         .limit_ms = trial->options.timing.limit_ms,
                                         .sample_fd = trial->sample_fd,
                                         .draws = trial->options.draws,
                                         .failed = batch_failed,
                                         .context = trial};
    bp_stopwatch_open(&trial->watch);
    return next_batch(trial, err);
}

/* ---- answers ---- */

static int begin_judging(struct bp_trial *trial, struct bp_error *err)
{
    enter(trial, BP_STAGE_judge);
    /* Nothing of the candidate moves while its outputs are looked at. */
    if (bp_child_freeze(trial->run, err) < 0)
        return -1;
    return request_judge(trial, err);
}

static int take_run_answer(struct bp_trial *trial, enum bp_message_type type, const void *message,
                           struct bp_error *err)
{
    switch (type) {
    case BP_MESSAGE_ready:
        trial->run_ready = true;
        memcpy(trial->sandbox, ((const struct bp_msg_ready *)message)->sandbox,
               sizeof trial->sandbox);
        return request_run(trial, err);
    case BP_MESSAGE_plan_result:
        return take_plans(trial, message, err);
    case BP_MESSAGE_cases_result:
        if (!trial->called && !bp_weakened(BP_DEFENCE_second_call)) {
            trial->called = true;
            return request_cases(trial, true, err);
        }
        return is_emulated(trial) ? request_counters(trial, err) : begin_judging(trial, err);
    case BP_MESSAGE_count_result:
        trial->counted = true;
        trial->counters = ((const struct bp_msg_count_result *)message)->counters;
        return begin_judging(trial, err);
    default: /* of a batch: the child's table lets nothing else through */
        return take_batch(trial, type, err);
    }
}

static int take_judge_result(struct bp_trial *trial, const struct bp_msg_judge_result *result,
                             struct bp_error *err)
{
    trial->cases = bp_fault_calloc(result->case_count + 1, sizeof *trial->cases);
    if (!trial->cases)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for case results");
    trial->case_count = result->case_count;
    memcpy(trial->cases, result->cases, result->case_count * sizeof *trial->cases);
    bp_outcome_of_claim(BP_STAGE_judge, result->verdict, result->message, &trial->outcome);
    if (trial->outcome.verdict == BP_VERDICT_PASS && suite_of(trial)->timed_count > 0 &&
        trial->options.timing.batches > 0)
        return start_timing(trial, err);
    decide(trial);
    return 0;
}

static int take_judge_answer(struct bp_trial *trial, enum bp_message_type type, const void *message,
                             struct bp_error *err)
{
    if (type == BP_MESSAGE_ready) {
        trial->judge_ready = true;
        return request_judge(trial, err);
    }
    if (type == BP_MESSAGE_judge_result)
        return take_judge_result(trial, message, err);
    return take_sample_result(trial, message, err);
}

static void trial_answer(void *context, struct bp_child *child, enum bp_message_type type,
                         const void *message)
{
    struct bp_trial *trial = context;
    struct bp_error err;
    bool is_run = child == trial->run;
    if (trial->decided)
        return;
    if (type == BP_MESSAGE_failure) {
        enum bp_stage stage = is_run ? trial->stage : BP_STAGE_judge;
        bp_outcome_of_failure(stage, message,
                              is_run && bp_child_candidate_ran(child) && !is_emulated(trial),
                              &trial->outcome);
        decide(trial);
    } else if (is_run ? take_run_answer(trial, type, message, &err) < 0
                      : take_judge_answer(trial, type, message, &err) < 0) {
        infra(trial, &err);
    }
}

/* The run child's, unless the judge ended when nobody had asked it to. */
static void keep_evidence(struct bp_trial *trial, enum bp_stage stage, const struct bp_child *child,
                          const struct bp_child_end *end)
{
    bool is_culprit = child == trial->judge && !trial->decided;
    if (child != trial->run && !is_culprit)
        return;
    if (trial->judge_is_culprit)
        return;
    trial->judge_is_culprit = is_culprit;
    bp_evidence_free(trial->evidence);
    trial->evidence = bp_evidence_of_child(stage, child, end);
}

static void trial_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_trial *trial = context;
    bool is_run = child == trial->run;
    *(is_run ? &trial->run_ended : &trial->judge_ended) = true;
    trial->unreaped |= end->unreaped;
    if (trial->started)
        trial->duration.total_ms = bp_ns_to_ms(bp_clock_ns() - trial->started_ns);
    /* A run child that dies while the judge works is still the candidate's doing. */
    enum bp_stage stage = !is_run                          ? BP_STAGE_judge
                          : trial->stage == BP_STAGE_judge ? BP_STAGE_run
                                                           : trial->stage;
    keep_evidence(trial, stage, child, end);
    if (trial->decided)
        return;
    double timeout_ms = is_run ? settings_of(trial)->run_ms : settings_of(trial)->judge_ms;
    if (!is_run || end->cause != BP_CHILD_DEADLINE || stage != BP_STAGE_time ||
        !bp_stopwatch_is_used_up(&trial->watch, true, &trial->outcome))
        bp_outcome_of_end(stage, end, timeout_ms, &trial->outcome);
    bp_evidence_name_fault(trial->evidence, bp_bench_options(trial->options.bench)->kind,
                           &trial->outcome);
    if (is_run)
        enter(trial, stage);
    decide(trial);
}

static void trial_confined(void *context, struct bp_child *child, pid_t pid)
{
    struct bp_trial *trial = context;
    (void)child;
    if (trial->options.held)
        trial->options.held(trial->options.held_context, pid);
}

static const struct bp_child_handlers handlers = {trial_answer, trial_ended, trial_confined};

/* ---- life cycle ---- */

int bp_trial_open(const struct bp_trial_options *options, struct bp_trial **slot,
                  struct bp_error *err)
{
    struct bp_trial *trial = bp_fault_calloc(1, sizeof *trial);
    if (!trial)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a trial");
    trial->options = *options;
    if (trial->options.timing.batches > BP_STATISTICS_MAX)
        trial->options.timing.batches = BP_STATISTICS_MAX;
    trial->stage = BP_STAGE_run;
    trial->sample_fd = bp_sample_arena(err);
    if (trial->sample_fd < 0 ||
        bp_bench_start_run(options->bench, &handlers, trial, &trial->run, err) < 0 ||
        bp_bench_start_judge(options->bench, &handlers, trial, &trial->judge, err) < 0) {
        bp_trial_free(&trial);
        return -1;
    }
    *slot = trial;
    return 0;
}

int bp_trial_start(struct bp_trial *trial, const struct bp_trial_object *object,
                   struct bp_error *err)
{
    trial->started = true;
    trial->object = *object;
    trial->started_ns = bp_clock_ns();
    return trial->decided ? 0 : request_run(trial, err);
}

bool bp_trial_done(const struct bp_trial *trial)
{
    return trial->decided && trial->run_ended && trial->judge_ended;
}

static void put_timing(const struct bp_trial *trial, uint32_t index, struct bp_timing *timing)
{
    const struct bp_shape *shape = &suite_of(trial)->timed[index];
    const struct shape_times *times = &trial->times[index];
    enum bp_dtype dtype = bp_bench_options(trial->options.bench)->dtype;
    struct bp_interval ms = bp_statistics_median(times->per_call_ms, times->count);
    memcpy(timing->shape, shape->name, sizeof timing->shape);
    timing->median_ms = ms.estimate;
    timing->ci_low_ms = ms.low;
    timing->ci_high_ms = ms.high;
    timing->gflops = bp_shape_flops_useful(shape) / ms.estimate * 1e-6;
    timing->gflops_full = bp_shape_flops_full(shape) / ms.estimate * 1e-6;
    timing->gbps = bp_shape_bytes(shape, dtype) / ms.estimate * 1e-6;
    timing->roofline =
        bp_ceilings_best_ms(&bp_bench_options(trial->options.bench)->ceilings, shape, dtype) /
        ms.estimate;
    timing->batches = times->count;
    timing->calls_per_batch = trial->watch.calls[index];
}

void bp_trial_finish(struct bp_trial *trial, struct bp_outcome *outcome, enum bp_stage *stage,
                     struct bp_evaluation *evaluation)
{
    *outcome = trial->outcome;
    *stage = trial->stage;
    free(evaluation->plans); /* of an earlier attempt */
    free(evaluation->cases);
    evaluation->plans = bp_steal_pointer(&trial->plans);
    evaluation->plan_count = trial->plan_count;
    evaluation->cases = bp_steal_pointer(&trial->cases);
    evaluation->case_count = trial->case_count;
    evaluation->counted = trial->counted;
    evaluation->counters = trial->counters;
    memcpy(evaluation->sandbox, trial->sandbox, sizeof evaluation->sandbox);
    bp_evidence_free(evaluation->evidence);
    evaluation->evidence = bp_steal_pointer(&trial->evidence);
    const struct bp_durations *spent = &trial->duration;
    evaluation->duration.run_ms += spent->run_ms;
    evaluation->duration.judge_ms += spent->judge_ms;
    evaluation->duration.time_ms += spent->time_ms;
    evaluation->duration.total_ms += spent->total_ms;
    evaluation->duration.prepare_ms += trial->watch.prepared_ms;
    evaluation->duration.overhead_ms += spent->total_ms - trial->watch.prepared_ms -
                                        bp_child_busy_ms(trial->run) -
                                        bp_child_busy_ms(trial->judge);
    if (trial->outcome.verdict != BP_VERDICT_PASS || trial->times[0].count == 0)
        return;
    evaluation->timing_count = suite_of(trial)->timed_count;
    for (uint32_t i = 0; i < evaluation->timing_count; i++)
        put_timing(trial, i, &evaluation->timings[i]);
}

bool bp_trial_left_unreaped(const struct bp_trial *trial)
{
    return trial->unreaped;
}

void bp_trial_free(struct bp_trial **slot)
{
    struct bp_trial *trial = *slot;
    if (!trial)
        return;
    bp_stopwatch_close(&trial->watch);
    bp_child_release(&trial->run);
    bp_child_release(&trial->judge);
    bp_close_fd(&trial->sample_fd);
    free(trial->plans);
    free(trial->cases);
    bp_evidence_free(trial->evidence);
    free(trial);
    *slot = NULL;
}
