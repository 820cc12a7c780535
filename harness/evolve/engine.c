#include "harness/evolve/engine.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/ladder.h"
#include "harness/evolve/ledger.h"
#include "harness/evolve/recorder.h"
#include "harness/evolve/run_dir.h"
#include "harness/evolve/session.h"
#include "harness/evolve/setting.h"
#include "harness/evolve/standings.h"
#include "harness/exit_codes.h"
#include "harness/report/progress.h"
#include "kernels/embedded.h"

#define SUMMARY_PERIOD_NS 60000000000u

struct engine {
    const struct bp_engine_options *options;
    const struct bp_config *config;
    const struct bp_strategy *strategy;
    struct bp_key search_key; /* of --seed: search decisions only */
    struct bp_session session;
    struct bp_recorder recorder;
    char dir[4096];
    char driver[BP_TEXT_LINE], mask[BP_TEXT_SHORT]; /* for the summary */
    struct bp_ledger ledger;
    struct bp_progress progress;

    struct bp_ladder ladder;
    uint32_t number;                               /* of the last evaluation */
    uint64_t decision;                             /* number of the next proposal */
    struct bp_candidate eager, baseline, champion; /* evaluation null when there is none */
    const struct bp_point *points;                 /* of the batch under way, by candidate */
    struct bp_candidate *batch;
    enum bp_origin origin;
    struct bp_match_result final;
    bool compared; /* final holds a result */
    bool hopeless; /* the run failed by its baseline, not by us */
    uint64_t summary_ns;
    const char *status;
};

/* ---- candidates ---- */

static void drop(struct bp_candidate *candidate)
{
    bp_evaluation_free(candidate->evaluation);
    bp_close_fd(&candidate->object_fd);
    candidate->evaluation = NULL;
}

static int make(struct engine *engine, const char *name, const char *source, size_t source_bytes,
                const struct bp_space *space, const struct bp_point *point,
                struct bp_candidate *candidate, struct bp_error *err)
{
    *candidate = (struct bp_candidate){.evaluation = bp_evaluation_new(), .object_fd = -1};
    if (!candidate->evaluation)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an evaluation");
    struct bp_evaluation *evaluation = candidate->evaluation;
    if (bp_identity_set(evaluation, source, source_bytes, space, point, engine->session.dtype,
                        err) < 0)
        return -1;
    evaluation->number = ++engine->number;
    evaluation->origin = engine->origin;
    snprintf(evaluation->kernel_name, sizeof evaluation->kernel_name, "%s", name);
    bp_session_describe(&engine->session, evaluation);
    return 0;
}

/* ---- scores ---- */

/* Geometric mean over the suite of baseline time / candidate time. */
static void set_score(struct engine *engine, struct bp_evaluation *evaluation)
{
    if (evaluation->verdict != BP_VERDICT_PASS) {
        evaluation->has_score = true;
        evaluation->score = 0;
    } else if (engine->origin == BP_ORIGIN_BASELINE) {
        evaluation->has_score = true;
        evaluation->score = 1;
    } else if (engine->origin == BP_ORIGIN_SEARCH) {
        evaluation->has_score = true;
        evaluation->score = bp_ladder_score(&engine->ladder, bp_standings_geomean_ms(evaluation));
    }
}

/* A challenger that fails in the match loses its PASS; a failure that is not its own changes nothing. */
static void fail_match(struct bp_evaluation *challenger, const struct bp_match_result *result)
{
    bp_log(BP_LOG_WARNING, "engine", "match of %u ended in %s: %s", challenger->number,
           bp_verdict_name(result->outcome.verdict), result->outcome.message);
    if (result->failed_side != BP_RING_A || result->outcome.verdict == BP_VERDICT_INFRA)
        return;
    challenger->verdict = result->outcome.verdict;
    challenger->stage = BP_STAGE_time;
    challenger->score = 0;
    memcpy(challenger->message, result->outcome.message, sizeof challenger->message);
}

/* Nothing becomes best before it has won interleaved rounds against the incumbent. */
static int challenge(struct engine *engine, struct bp_candidate *candidate, bool *promoted,
                     struct bp_error *err)
{
    struct bp_match_result result;
    struct bp_evaluation *challenger = candidate->evaluation;
    *promoted = false;
    if (challenger->verdict != BP_VERDICT_PASS || challenger->duplicate ||
        !bp_ladder_is_contender(&engine->ladder, challenger->score))
        return 0;
    bp_progress_add(&engine->progress, "  match of #%u and #%u", challenger->number,
                    engine->champion.evaluation->number);
    if (bp_session_match(&engine->session, candidate, &engine->champion,
                         engine->config->timing.match_rounds, true, &result, err) < 0)
        return -1;
    if (result.outcome.verdict != BP_VERDICT_PASS) {
        fail_match(challenger, &result);
        return 0;
    }
    bp_log(BP_LOG_INFO, "engine", "match of %u and %u: ratio %.4f [%.4f, %.4f] in %u rounds",
           challenger->number, engine->champion.evaluation->number, exp(result.log_ratio.estimate),
           exp(result.log_ratio.low), exp(result.log_ratio.high), result.rounds);
    challenger->score =
        bp_ladder_match(&engine->ladder, &result, engine->session.suite.timed_count, promoted);
    return 0;
}

/* ---- the record ---- */

static void fill_summary(const struct engine *engine, struct bp_run_summary *summary)
{
    const struct bp_ledger *ledger = &engine->ledger;
    *summary = (struct bp_run_summary){
        .status = engine->status,
        .kernel = engine->config->head.name,
        .suite = engine->session.suite.name,
        .device = engine->session.host.cpu_name,
        .dtype = bp_dtype_name(engine->session.dtype),
        .strategy = engine->strategy->name,
        .driver = engine->driver,
        .mask = engine->mask,
        .seed = engine->config->seed,
        .evaluations = ledger->count,
        .duplicates = ledger->duplicates,
        .elapsed_s = bp_progress_elapsed_s(&engine->progress),
        .best_number = ledger->champion_number,
        .best_score = ledger->champion_score,
        .safety = ledger->safety,
        .history_count = ledger->count,
        .history = ledger->history,
    };
    memcpy(summary->verdicts, ledger->verdicts, sizeof summary->verdicts);
    struct bp_standings standings = {
        .eager = engine->eager.evaluation,
        .baseline = engine->baseline.evaluation,
        .evolved = engine->champion.evaluation,
        .final = engine->compared ? &engine->final : NULL,
        .suite = &engine->session.suite,
        .tuning_time_s = summary->elapsed_s,
    };
    bp_standings_fill(&standings, summary);
}

static int write_summary(struct engine *engine, struct bp_error *err)
{
    struct bp_run_summary summary;
    fill_summary(engine, &summary);
    engine->summary_ns = bp_clock_ns();
    return bp_recorder_summary(&engine->recorder, &summary, err);
}

static void show(struct engine *engine)
{
    struct bp_progress_state state = {
        .done = engine->ledger.count,
        .total = engine->config->budget.evaluations,
        .seconds_limit = engine->config->budget.seconds,
        .verdicts = engine->ledger.verdicts,
        .duplicates = engine->ledger.duplicates,
        .best = engine->ledger.champion_number ? engine->ladder.level : 0,
        .best_number = engine->ledger.champion_number,
    };
    bp_progress_show(&engine->progress, &state);
}

static bool is_written(void *context)
{
    const struct engine *engine = context;
    return bp_recorder_idle(&engine->recorder);
}

static int record(struct engine *engine, const struct bp_evaluation *evaluation,
                  const struct bp_point *point, bool promoted, struct bp_error *err)
{
    if (bp_ledger_add(&engine->ledger, evaluation, point, promoted, err) < 0 ||
        bp_recorder_evaluation(&engine->recorder, evaluation, promoted, err) < 0)
        return -1;
    bp_log(BP_LOG_INFO, "engine", "evaluation %u: %s score %.4f%s %s", evaluation->number,
           bp_verdict_name(evaluation->verdict), evaluation->score, promoted ? ", promoted" : "",
           evaluation->message);
    if (evaluation->device_driver[0])
        memcpy(engine->driver, evaluation->device_driver, sizeof engine->driver);
    if (bp_clock_ns() - engine->summary_ns > SUMMARY_PERIOD_NS && write_summary(engine, err) < 0)
        return -1;
    /* Only what is on disk is shown, and the writer does not run beside the next candidate. */
    if (bp_session_wait(&engine->session, is_written, engine, err) < 0 ||
        bp_recorder_check(&engine->recorder, err) < 0)
        return -1;
    show(engine);
    return 0;
}

/* ---- callbacks of the session ---- */

static void prepared(void *context, uint32_t done, uint32_t total)
{
    struct engine *engine = context;
    bp_progress_preparing(&engine->progress, done, total);
}

static bool known_object(void *context, struct bp_candidate *candidate)
{
    struct engine *engine = context;
    struct bp_evaluation *evaluation = candidate->evaluation;
    const struct bp_ledger_row *row =
        bp_ledger_find_object(&engine->ledger, evaluation->object_hash);
    if (!row || engine->origin != BP_ORIGIN_SEARCH)
        return false;
    evaluation->duplicate = true;
    evaluation->duplicate_of = row->number;
    evaluation->verdict = row->verdict;
    evaluation->stage = row->stage;
    evaluation->has_score = true;
    evaluation->score = row->score;
    snprintf(evaluation->message, sizeof evaluation->message, "same object as evaluation %u",
             row->number);
    return true;
}

/* Moves the candidate into `kept`: its evaluation and object live on there. */
static void keep(struct bp_candidate *kept, struct bp_candidate *candidate)
{
    drop(kept);
    *kept = *candidate;
    *candidate = (struct bp_candidate){.object_fd = -1};
}

static int evaluated(void *context, struct bp_candidate *candidate, struct bp_error *err)
{
    struct engine *engine = context;
    struct bp_evaluation *evaluation = candidate->evaluation;
    const struct bp_point *point = NULL;
    bool promoted = false;
    if (!evaluation->duplicate)
        set_score(engine, evaluation);
    if (engine->origin == BP_ORIGIN_SEARCH) {
        point = &engine->points[candidate - engine->batch];
        if (challenge(engine, candidate, &promoted, err) < 0)
            return -1;
    } else if (engine->origin == BP_ORIGIN_BASELINE) {
        point = &engine->config->baseline;
        promoted = evaluation->verdict == BP_VERDICT_PASS;
    }
    if (record(engine, evaluation, point, promoted, err) < 0)
        return -1;
    if (promoted && engine->origin == BP_ORIGIN_SEARCH)
        keep(&engine->champion, candidate);
    return 0;
}

/* ---- eager and baseline ---- */

static int evaluate_one(struct engine *engine, struct bp_candidate *candidate, struct bp_error *err)
{
    engine->batch = candidate;
    return bp_session_evaluate(&engine->session, candidate, 1, err);
}

static int evaluate_eager(struct engine *engine, struct bp_error *err)
{
    struct bp_kernel_head head;
    engine->origin = BP_ORIGIN_EAGER;
    const struct bp_embedded_file *file = &bp_embedded_eager[0];
    if (bp_kernel_head_parse(file->name, file->text, file->size, &head, err) < 0)
        return -1;
    int result = make(engine, head.name, file->text, file->size, &head.space, &head.default_point,
                      &engine->eager, err);
    bp_kernel_head_free(&head);
    return result < 0 ? -1 : evaluate_one(engine, &engine->eager, err);
}

/* A second owner of the same evaluation's facts and object: the baseline is the first champion. */
static int crown_baseline(struct engine *engine, struct bp_error *err)
{
    const struct bp_evaluation *baseline = engine->baseline.evaluation;
    struct bp_evaluation *copy = bp_evaluation_new();
    engine->champion.object_fd = fcntl(engine->baseline.object_fd, F_DUPFD_CLOEXEC, 3);
    engine->champion.object_bytes = engine->baseline.object_bytes;
    engine->champion.evaluation = copy;
    if (!copy || engine->champion.object_fd < 0)
        return bp_fail_errno(err, "cannot keep the baseline");
    bp_ladder_start(&engine->ladder, bp_standings_geomean_ms(baseline));
    copy->number = baseline->number;
    copy->timing_count = baseline->timing_count;
    memcpy(copy->timings, baseline->timings, sizeof copy->timings);
    return 0;
}

static int evaluate_baseline(struct engine *engine, struct bp_error *err)
{
    const struct bp_config *config = engine->config;
    engine->origin = BP_ORIGIN_BASELINE;
    if (make(engine, config->head.name, config->source, config->source_bytes, &config->head.space,
             &config->baseline, &engine->baseline, err) < 0 ||
        evaluate_one(engine, &engine->baseline, err) < 0)
        return -1;
    if (engine->baseline.evaluation->verdict == BP_VERDICT_PASS)
        return crown_baseline(engine, err);
    engine->hopeless = true;
    return bp_fail(err, BP_ERR_UNAVAILABLE, "the baseline config is not usable: %s: %s",
                   bp_verdict_name(engine->baseline.evaluation->verdict),
                   engine->baseline.evaluation->message);
}

/* ---- search ---- */

static bool budget_left(const struct engine *engine)
{
    double elapsed = bp_progress_elapsed_s(&engine->progress);
    return engine->number < engine->config->budget.evaluations &&
           (engine->config->budget.seconds == 0 || elapsed < engine->config->budget.seconds);
}

/* A proposal that needs no compiler is answered from the record or refused. 1: it was. */
static int answer_at_once(struct engine *engine, struct bp_candidate *candidate,
                          const struct bp_point *point, struct bp_error *err)
{
    struct bp_evaluation *evaluation = candidate->evaluation;
    const struct bp_ledger_row *row =
        bp_ledger_find_source(&engine->ledger, evaluation->source_hash);
    if (!bp_space_allows(engine->ledger.space, point)) {
        evaluation->verdict = BP_VERDICT_INVALID_CONFIG;
        snprintf(evaluation->message, sizeof evaluation->message,
                 "the knob values break a constraint");
    } else if (row) {
        evaluation->verdict = row->verdict;
        evaluation->score = row->score;
        evaluation->duplicate = true;
        evaluation->duplicate_of = row->number;
        snprintf(evaluation->message, sizeof evaluation->message,
                 "same source and knobs as evaluation %u", row->number);
    } else {
        return 0;
    }
    evaluation->stage = BP_STAGE_validate;
    evaluation->has_score = true;
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    bp_evaluation_safety(evaluation);
    return record(engine, evaluation, point, false, err) < 0 ? -1 : 1;
}

/* Asks the strategy for one candidate: 1 with candidate and point set, 0 when the space is used up. */
static int propose(struct engine *engine, struct bp_candidate *candidate, struct bp_point *point,
                   struct bp_error *err)
{
    struct bp_history history;
    struct bp_proposal proposal;
    bp_ledger_view(&engine->ledger, &history);
    int got =
        engine->strategy->propose(&history, &engine->search_key, engine->decision, &proposal, err);
    if (got <= 0)
        return got;
    engine->decision++;
    *point = proposal.point;
    const struct bp_config *config = engine->config;
    if (make(engine, config->head.name, config->source, config->source_bytes, &config->head.space,
             point, candidate, err) < 0)
        return -1;
    candidate->evaluation->parent = proposal.parent;
    snprintf(candidate->evaluation->strategy, sizeof candidate->evaluation->strategy, "%s",
             engine->strategy->name);
    return 1;
}

/* One batch: proposals, compiled together, tried one by one. 0 when nothing is left to propose. */
static int search_batch(struct engine *engine, struct bp_candidate *batch, struct bp_point *points,
                        struct bp_error *err)
{
    uint32_t count = 0, known = engine->ledger.observation_count;
    int got = 1;
    while (count < engine->session.parallel && budget_left(engine) && got > 0) {
        got = propose(engine, &batch[count], &points[count], err);
        if (got <= 0)
            break;
        bp_ledger_settle(&engine->ledger, known);
        int answered = answer_at_once(engine, &batch[count], &points[count], err);
        known = engine->ledger.observation_count;
        if (answered != 0)
            drop(&batch[count]);
        else
            count++;
        if (answered < 0)
            return -1;
        for (uint32_t i = 0; i < count; i++)
            if (bp_ledger_expect(&engine->ledger, &points[i], err) < 0)
                return -1;
    }
    bp_ledger_settle(&engine->ledger, known);
    engine->batch = batch;
    engine->points = points;
    if (got >= 0 && count > 0 && bp_session_evaluate(&engine->session, batch, count, err) < 0)
        got = -1;
    for (uint32_t i = 0; i < count; i++)
        drop(&batch[i]);
    return got < 0 ? -1 : got > 0 || count > 0;
}

static int search(struct engine *engine, struct bp_error *err)
{
    uint32_t lanes = engine->session.parallel;
    BP_AUTO_FREE struct bp_candidate *batch = calloc(lanes, sizeof *batch);
    BP_AUTO_FREE struct bp_point *points = calloc(lanes, sizeof *points);
    if (!batch || !points)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a batch");
    for (uint32_t i = 0; i < lanes; i++)
        batch[i].object_fd = -1;
    engine->origin = BP_ORIGIN_SEARCH;
    while (budget_left(engine)) {
        int got = search_batch(engine, batch, points, err);
        if (got <= 0)
            return got;
    }
    return 0;
}

/* The champion's claim rests on fresh rounds against the original baseline. */
static int compare_finally(struct engine *engine, struct bp_error *err)
{
    if (engine->ledger.champion_number == engine->baseline.evaluation->number)
        return 0;
    bp_progress_say(&engine->progress, "comparing the best with the baseline, %u fresh rounds",
                    engine->config->timing.final_rounds);
    if (bp_session_match(&engine->session, &engine->champion, &engine->baseline,
                         engine->config->timing.final_rounds, false, &engine->final, err) < 0)
        return -1;
    engine->compared = engine->final.outcome.verdict == BP_VERDICT_PASS;
    if (!engine->compared)
        bp_progress_say(&engine->progress, "the final comparison failed: %s",
                        engine->final.outcome.message);
    return 0;
}

/* ---- the whole ---- */

static int open_run(struct engine *engine, struct bp_error *err)
{
    struct bp_key run_key;
    if (bp_recorder_open(&engine->recorder, engine->dir, engine->config, err) < 0)
        return -1;
    bp_store_run_key(engine->recorder.store, &run_key);
    if (bp_session_open(&engine->session, &run_key, err) < 0)
        return -1;
    return bp_setting_of(&engine->session, &engine->recorder.setting, err);
}

static int work(struct engine *engine, struct bp_error *err)
{
    if (open_run(engine, err) < 0 || evaluate_eager(engine, err) < 0 ||
        evaluate_baseline(engine, err) < 0 || search(engine, err) < 0)
        return -1;
    return compare_finally(engine, err);
}

static int print_end(struct engine *engine, struct bp_error *err)
{
    struct bp_run_summary summary;
    BP_AUTO_FREE char *text = NULL;
    fill_summary(engine, &summary);
    if (bp_recorder_results(&engine->recorder, &summary, err) < 0)
        return -1;
    bp_progress_end(&engine->progress);
    if (engine->options->json) {
        json_t *object = bp_summary_json(&summary);
        if (!object)
            return bp_fail(err, BP_ERR_MEMORY, "no memory for the summary");
        json_dumpf(object, stdout, BP_JSON_FLAGS); /* main looks whether it could be written */
        putchar('\n');
        json_decref(object);
        return 0;
    }
    if (bp_results_text(&summary, &text, err) < 0)
        return -1;
    printf("%s\nresults in %s\n", text, engine->dir);
    return 0;
}

static void close_all(struct engine *engine)
{
    struct bp_error err;
    bp_session_close(&engine->session);
    drop(&engine->eager);
    drop(&engine->baseline);
    drop(&engine->champion);
    bp_ledger_free(&engine->ledger);
    if (bp_recorder_close(&engine->recorder, &err) < 0)
        bp_progress_say(&engine->progress, "bulletproof: %s", err.msg);
}

/* What ended the run, as status word and exit status; says an error. */
static int conclude(struct engine *engine, int result, const struct bp_error *err)
{
    engine->status = "finished";
    if (result == 0)
        return BP_EXIT_OK;
    bool interrupted = err->code == BP_ERR_INTERRUPTED;
    engine->status = interrupted ? "interrupted" : "failed";
    bp_progress_say(&engine->progress, "bulletproof: %s", err->msg);
    bp_log(BP_LOG_INFO, "engine", "ended: %s", err->msg);
    return interrupted ? BP_EXIT_INTERRUPTED : engine->hopeless ? BP_EXIT_FAILED : BP_EXIT_HARNESS;
}

static int init(struct engine *engine, const struct bp_engine_options *options,
                struct bp_error *err)
{
    const struct bp_config *config = options->config;
    struct bp_session_callbacks callbacks = {
        .prepared = prepared,
        .known_object = known_object,
        .evaluated = evaluated,
        .context = engine,
    };
    engine->options = options;
    engine->config = config;
    engine->status = "running";
    engine->eager.object_fd = engine->baseline.object_fd = engine->champion.object_fd = -1;
    engine->strategy = bp_strategy_find(config->strategy);
    if (!engine->strategy)
        return bp_fail(err, BP_ERR_USAGE, "unknown strategy '%s'", config->strategy);
    bp_key_from_seed(config->seed, &engine->search_key);
    bp_ledger_init(&engine->ledger, &config->head.space);
    bp_progress_start(&engine->progress);
    engine->summary_ns = bp_clock_ns();
    if (bp_session_init(&engine->session, config, &callbacks, err) < 0)
        return -1;
    bp_standings_mask(&engine->session.suite, engine->mask, sizeof engine->mask);
    return bp_run_dir_create(options->out, config->output, config->head.name, engine->dir,
                             sizeof engine->dir, err);
}

int bp_engine_run(const struct bp_engine_options *options, struct bp_error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the engine");
    if (init(engine, options, err) < 0) {
        free(engine);
        return -1;
    }
    bp_progress_say(&engine->progress, "run directory %s", engine->dir);
    int status = conclude(engine, work(engine, err), err);
    bp_session_close(&engine->session); /* nothing of ours runs on while the summary is written */
    if (engine->ledger.count > 0 && print_end(engine, err) < 0) {
        bp_progress_say(&engine->progress, "bulletproof: %s", err->msg);
        status = BP_EXIT_HARNESS;
    }
    close_all(engine);
    free(engine);
    return status;
}
