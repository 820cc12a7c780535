#include "harness/evolve/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/standings.h"
#include "harness/store/demotion.h"

#define SUMMARY_PERIOD_NS 60000000000u

/* ---- candidates ---- */

void bp_run_drop(struct bp_candidate *candidate)
{
    bp_evaluation_free(candidate->evaluation);
    bp_close_fd(&candidate->object_fd);
    candidate->evaluation = NULL;
}

int bp_run_make(const struct bp_run *run, const struct bp_blueprint *blueprint,
                struct bp_candidate *candidate, struct bp_error *err)
{
    *candidate = (struct bp_candidate){.evaluation = bp_evaluation_new(), .object_fd = -1};
    struct bp_evaluation *evaluation = candidate->evaluation;
    if (!evaluation)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an evaluation");
    if (bp_identity_set(evaluation, blueprint->source, blueprint->source_bytes, blueprint->space,
                        blueprint->point, run->session.dtype, err) < 0) {
        bp_run_drop(candidate);
        return -1;
    }
    evaluation->number = blueprint->number;
    evaluation->origin = blueprint->origin;
    snprintf(evaluation->kernel_name, sizeof evaluation->kernel_name, "%s", blueprint->kernel);
    bp_session_describe(&run->session, evaluation);
    return 0;
}

void bp_run_crown(struct bp_run *run, struct bp_candidate *candidate)
{
    bp_run_drop(&run->champion);
    run->champion = *candidate;
    run->compared = false;
    *candidate = (struct bp_candidate){.object_fd = -1};
}

int bp_run_crown_baseline(struct bp_run *run, struct bp_error *err)
{
    const struct bp_candidate *baseline = &run->baseline;
    struct bp_candidate copy = {.evaluation = bp_evaluation_copy(baseline->evaluation),
                                .object_fd = -1,
                                .object_bytes = baseline->object_bytes};
    if (!copy.evaluation)
        return bp_fail(err, BP_ERR_MEMORY, "no memory to keep the baseline");
    if (baseline->object_fd >= 0) {
        copy.object_fd = fcntl(baseline->object_fd, F_DUPFD_CLOEXEC, 3);
        if (copy.object_fd < 0) {
            bp_evaluation_free(copy.evaluation);
            return bp_fail_errno(err, "cannot keep the baseline");
        }
    }
    bp_run_crown(run, &copy);
    return 0;
}

int bp_run_demote(struct bp_run *run, const struct bp_outcome *outcome, enum bp_stage stage,
                  int (*put)(struct bp_run *run, const char *kind, json_t *json,
                             struct bp_error *err),
                  struct bp_error *err)
{
    struct bp_demotion demotion = {.evaluation = run->ledger.champion_number,
                                   .verdict = outcome->verdict,
                                   .since = run->ledger.count + 1};
    struct bp_candidate next = {.object_fd = -1};
    bp_evaluation_fail(run->champion.evaluation, outcome->verdict, stage, outcome->message);
    if (bp_recorder_failure(&run->recorder, run->champion.evaluation, err) < 0)
        return -1;
    bp_ledger_demote(&run->ledger, demotion.evaluation, outcome->verdict);
    demotion.champion = run->ledger.champion_number;
    demotion.score = run->ledger.champion_score;
    bp_ladder_step_down(&run->ladder, demotion.score);
    if (bp_store_load_evaluation(run->recorder.store, demotion.champion, &next.evaluation, err) < 0)
        return -1;
    bp_run_crown(run, &next);
    bp_progress_say(&run->progress,
                    "#%u was the best and failed in its matches (%s): now it is #%u",
                    demotion.evaluation, bp_verdict_name(outcome->verdict), demotion.champion);
    if (bp_recorder_best(&run->recorder, run->champion.evaluation, err) < 0)
        return -1;
    return put(run, "demoted", bp_demotion_json(&demotion), err);
}

/* ---- the record ---- */

/* A start that evaluates nothing, because the run is finished, has it from the record. */
static const char *driver_of(const struct bp_run *run)
{
    const struct bp_evaluation *baseline = run->baseline.evaluation;
    return run->driver[0] || !baseline ? run->driver : baseline->device_driver;
}

void bp_run_summary(const struct bp_run *run, struct bp_run_summary *summary)
{
    const struct bp_ledger *ledger = &run->ledger;
    *summary = (struct bp_run_summary){
        .status = run->status,
        .kernel = run->config->head.name,
        .suite = run->session.suite.name,
        .device = run->session.slots.title,
        .dtype = bp_dtype_name(run->session.dtype),
        .strategy = run->strategy->name,
        .driver = driver_of(run),
        .emulated = bp_session_device(&run->session)->parsed.kind == BP_DEVICE_KIND_EMULATED,
        .mask = run->mask,
        .seed = run->config->seed,
        .evaluations = ledger->count,
        .duplicates = ledger->duplicates,
        .elapsed_s = bp_progress_elapsed_s(&run->progress),
        .best_number = ledger->champion_number,
        .best_score = ledger->champion_score,
        .safety = ledger->safety,
    };
    memcpy(summary->verdicts, ledger->verdicts, sizeof summary->verdicts);
    struct bp_standings standings = {
        .eager = run->eager.evaluation,
        .baseline = run->baseline.evaluation,
        .evolved = run->champion.evaluation,
        .final = run->compared ? &run->final : NULL,
        .failure =
            !run->compared && run->final.outcome.message[0] ? run->final.outcome.message : NULL,
        .suite = &run->session.suite,
        .tuning_time_s = summary->elapsed_s,
    };
    bp_standings_fill(&standings, summary);
}

static int write_summary(struct bp_run *run, struct bp_error *err)
{
    struct bp_run_summary summary;
    bp_run_summary(run, &summary);
    run->summary_ns = bp_clock_ns();
    return bp_recorder_summary(&run->recorder, &summary, err);
}

void bp_run_progress(const struct bp_run *run, struct bp_progress_state *state)
{
    *state = (struct bp_progress_state){
        .done = run->ledger.count,
        .total = run->config->budget.evaluations,
        .seconds_limit = run->config->budget.seconds,
        .verdicts = run->ledger.verdicts,
        .duplicates = run->ledger.duplicates,
        .best = run->ledger.champion_number ? run->ladder.level : 0,
        .best_number = run->ledger.champion_number,
    };
}

static void show(struct bp_run *run)
{
    struct bp_progress_state state;
    bp_run_progress(run, &state);
    bp_progress_show(&run->progress, &state);
    bp_attendant_tell(&run->attendant, &state);
}

static bool is_written(void *context)
{
    const struct bp_run *run = context;
    return bp_recorder_idle(&run->recorder);
}

int bp_run_flush(struct bp_run *run, struct bp_error *err)
{
    if (bp_session_wait(&run->session, is_written, run, err) < 0)
        return -1;
    return bp_recorder_check(&run->recorder, err);
}

/* Takes json, which may be null, and adds how long the run has taken. */
static int event_text(const struct bp_run *run, json_t *json, char **text, struct bp_error *err)
{
    json_t *elapsed = json_real(bp_progress_elapsed_s(&run->progress));
    *text = NULL;
    if (json && json_object_set_new(json, "elapsed_s", elapsed) == 0)
        *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return *text ? 0 : bp_fail(err, BP_ERR_MEMORY, "no memory for an event");
}

int bp_run_event(struct bp_run *run, const char *kind, json_t *json, struct bp_error *err)
{
    BP_AUTO_FREE char *text = NULL;
    if (event_text(run, json, &text, err) < 0)
        return -1;
    return bp_store_event(run->recorder.store, kind, text, err);
}

int bp_run_attach(struct bp_run *run, const char *kind, json_t *json, struct bp_error *err)
{
    BP_AUTO_FREE char *text = NULL;
    if (event_text(run, json, &text, err) < 0)
        return -1;
    return bp_store_attach(run->recorder.store, kind, text, err);
}

int bp_run_record(struct bp_run *run, const struct bp_evaluation *evaluation,
                  const struct bp_point *point, struct bp_error *err)
{
    struct bp_recorded recorded;
    bool promoted = evaluation->promoted;
    bp_evaluation_short(evaluation, &recorded);
    if (bp_ledger_add(&run->ledger, &recorded, point, err) < 0 ||
        bp_recorder_evaluation(&run->recorder, evaluation, promoted, err) < 0)
        return -1;
    bp_log(BP_LOG_INFO, "engine", "evaluation %u: %s score %.4f%s %s", evaluation->number,
           bp_verdict_name(evaluation->verdict), evaluation->score, promoted ? ", promoted" : "",
           evaluation->message);
    if (evaluation->device_driver[0])
        memcpy(run->driver, evaluation->device_driver, sizeof run->driver);
    if (bp_clock_ns() - run->summary_ns > SUMMARY_PERIOD_NS && write_summary(run, err) < 0)
        return -1;
    /* Only what is on disk is shown, and the writer does not run beside the next candidate. */
    if (bp_run_flush(run, err) < 0)
        return -1;
    show(run);
    return bp_attendant_await_disk(&run->attendant, err);
}

bool bp_run_budget_left(const struct bp_run *run, uint32_t proposed)
{
    double elapsed = bp_progress_elapsed_s(&run->progress);
    return run->ledger.count + proposed < run->config->budget.evaluations &&
           (run->config->budget.seconds == 0 || elapsed < run->config->budget.seconds);
}
