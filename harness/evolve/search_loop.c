#include "harness/evolve/search_loop.h"

#include <stdio.h>

#include "base/clock.h"
#include "harness/evolve/contest.h"
#include "harness/evolve/standings.h"

/* ---- proposing ---- */

static int make_member(const struct bp_run *run, const struct bp_proposed *member,
                       struct bp_candidate *candidate, struct bp_error *err)
{
    const struct bp_config *config = run->config;
    struct bp_blueprint blueprint = {
        .number = member->number,
        .origin = BP_ORIGIN_SEARCH,
        .kernel = config->head.name,
        .source = config->source,
        .source_bytes = config->source_bytes,
        .space = &config->head.space,
        .point = &member->point,
    };
    if (bp_run_make(run, &blueprint, candidate, err) < 0)
        return -1;
    struct bp_evaluation *evaluation = candidate->evaluation;
    evaluation->parent = member->parent;
    snprintf(evaluation->strategy, sizeof evaluation->strategy, "%s", run->strategy->name);
    return 0;
}

/* What needs no compiler is answered from the record or refused. */
static int find_answer(const struct bp_run *run, struct bp_proposed *member, struct bp_error *err)
{
    struct bp_candidate candidate;
    if (make_member(run, member, &candidate, err) < 0)
        return -1;
    const struct bp_ledger_row *row =
        bp_ledger_find_source(&run->ledger, candidate.evaluation->source_hash);
    bp_run_drop(&candidate);
    member->answered = true;
    if (!bp_space_allows(&run->config->head.space, &member->point)) {
        member->verdict = BP_VERDICT_INVALID_CONFIG;
    } else if (row) {
        member->verdict = row->verdict;
        member->duplicate_of = row->number;
    } else {
        member->answered = false;
    }
    return 0;
}

/* Asks the strategy for one candidate, which it sees in flight from then on: 1 with *member set, 0 when
 * the space is used up. */
static int propose(struct bp_run *run, uint32_t number, struct bp_proposed *member,
                   struct bp_error *err)
{
    struct bp_proposal proposal;
    int got = run->strategy->propose(&run->ledger.history, &run->search_key, run->decision,
                                     &proposal, err);
    if (got <= 0)
        return got;
    *member = (struct bp_proposed){.decision = run->decision++,
                                   .number = number,
                                   .parent = proposal.parent,
                                   .point = proposal.point};
    if (find_answer(run, member, err) < 0 ||
        bp_ledger_expect(&run->ledger, &member->point, err) < 0)
        return -1;
    return 1;
}

static int propose_batch(struct bp_run *run, struct bp_batch *batch, struct bp_error *err)
{
    uint32_t known = run->ledger.history.count;
    int got = 1;
    batch->count = 0;
    while (batch->count < run->session.parallel && bp_run_budget_left(run, batch->count)) {
        got =
            propose(run, run->ledger.count + batch->count + 1, &batch->members[batch->count], err);
        if (got <= 0)
            break;
        batch->count++;
    }
    bp_ledger_settle(&run->ledger, known);
    run->exhausted = got == 0;
    return got < 0 ? -1 : 0;
}

/* ---- evaluating ---- */

static int record_answer(struct bp_run *run, const struct bp_proposed *member, struct bp_error *err)
{
    struct bp_candidate candidate;
    if (make_member(run, member, &candidate, err) < 0)
        return -1;
    struct bp_evaluation *evaluation = candidate.evaluation;
    const struct bp_ledger_row *row = bp_ledger_find_source(&run->ledger, evaluation->source_hash);
    evaluation->verdict = member->verdict;
    evaluation->stage = BP_STAGE_validate;
    evaluation->has_score = true;
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    evaluation->duplicate = member->duplicate_of != 0;
    evaluation->duplicate_of = member->duplicate_of;
    if (evaluation->duplicate && row) {
        evaluation->score = row->score;
        snprintf(evaluation->message, sizeof evaluation->message,
                 "same source and knobs as evaluation %u", member->duplicate_of);
    } else {
        snprintf(evaluation->message, sizeof evaluation->message,
                 "the knob values break a constraint");
    }
    bp_evaluation_safety(evaluation);
    int result = bp_run_record(run, evaluation, &member->point, err);
    bp_run_drop(&candidate);
    return result;
}

/* The member whose evaluation comes next, or null at the end of the batch. */
static const struct bp_proposed *next_member(const struct bp_run *run)
{
    uint32_t index = run->ledger.count + 1 - run->batch->members[0].number;
    return index < run->batch->count ? &run->batch->members[index] : NULL;
}

/* Records the answered members up to the next one that is not. */
static int record_answers(struct bp_run *run, struct bp_error *err)
{
    const struct bp_proposed *member;
    while ((member = next_member(run)) && member->answered)
        if (record_answer(run, member, err) < 0)
            return -1;
    return 0;
}

/* Candidates of the members that a compiler must see and that have not been recorded yet. */
static int make_candidates(struct bp_run *run, struct bp_candidate *candidates, uint32_t *count,
                           struct bp_error *err)
{
    *count = 0;
    for (uint32_t i = 0; i < run->batch->count; i++) {
        const struct bp_proposed *member = &run->batch->members[i];
        if (member->answered || member->number <= run->ledger.count)
            continue;
        if (make_member(run, member, &candidates[*count], err) < 0)
            return -1;
        ++*count;
    }
    return 0;
}

static int evaluate_batch(struct bp_run *run, const struct bp_batch *batch, struct bp_error *err)
{
    struct bp_candidate candidates[BP_MAX_LANES];
    uint32_t count;
    run->batch = batch;
    int result = make_candidates(run, candidates, &count, err);
    if (result == 0)
        result = record_answers(run, err);
    if (result == 0 && count > 0)
        result = bp_search_evaluate(run, candidates, count, err);
    for (uint32_t i = 0; i < count; i++)
        bp_run_drop(&candidates[i]);
    run->batch = NULL;
    return result;
}

int bp_search_evaluate(struct bp_run *run, struct bp_candidate *candidates, uint32_t count,
                       struct bp_error *err)
{
    if (!run->replayed)
        return bp_session_evaluate(&run->session, candidates, count, err);
    for (uint32_t i = 0; i < count; i++) {
        if (bp_replayed_evaluation(run->replayed, candidates[i].evaluation, err) < 0)
            return -1;
        bool known = bp_search_known_object(run, &candidates[i]);
        if (!known && candidates[i].evaluation->attempt_count == 0)
            return bp_fail(err, BP_ERR_USAGE, "the replayed run knew the object of evaluation %u",
                           candidates[i].evaluation->number);
        if (bp_search_evaluated(run, &candidates[i], err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what the session calls ---- */

bool bp_search_known_object(void *context, struct bp_candidate *candidate)
{
    struct bp_run *run = context;
    struct bp_evaluation *evaluation = candidate->evaluation;
    const struct bp_ledger_row *row = bp_ledger_find_object(&run->ledger, evaluation->object_hash);
    if (!row || evaluation->origin != BP_ORIGIN_SEARCH)
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

static int evaluated_member(struct bp_run *run, struct bp_candidate *candidate,
                            struct bp_error *err)
{
    const struct bp_proposed *member = next_member(run);
    if (!member || member->number != candidate->evaluation->number)
        return bp_fail(err, BP_ERR_STATE, "evaluation %u is out of order",
                       candidate->evaluation->number);
    if (bp_contest_challenge(run, candidate, err) < 0 ||
        bp_run_record(run, candidate->evaluation, &member->point, err) < 0)
        return -1;
    if (candidate->evaluation->promoted)
        bp_run_crown(run, candidate);
    return record_answers(run, err);
}

int bp_search_evaluated(void *context, struct bp_candidate *candidate, struct bp_error *err)
{
    struct bp_run *run = context;
    struct bp_evaluation *evaluation = candidate->evaluation;
    if (!evaluation->duplicate)
        bp_contest_score(run, evaluation);
    if (evaluation->origin == BP_ORIGIN_SEARCH)
        return evaluated_member(run, candidate, err);
    bool baseline = evaluation->origin == BP_ORIGIN_BASELINE;
    /* It is the first champion. */
    if (baseline && evaluation->verdict == BP_VERDICT_PASS &&
        bp_contest_try_unseen(run, candidate, err) < 0)
        return -1;
    evaluation->promoted = baseline && evaluation->verdict == BP_VERDICT_PASS;
    if (evaluation->promoted)
        bp_ladder_start(&run->ladder, bp_standings_geomean_ms(evaluation));
    return bp_run_record(run, evaluation, baseline ? &run->config->baseline : NULL, err);
}

/* ---- the loop ---- */

/* The batch is on disk before its results can be: a run that goes on after a crash evaluates the same
 * candidates under the same numbers. */
static int record_batch(struct bp_run *run, const struct bp_batch *batch, struct bp_error *err)
{
    if (bp_run_event(run, "batch", bp_batch_json(batch, &run->config->head.space), err) < 0)
        return -1;
    return bp_run_flush(run, err);
}

int bp_search_run(struct bp_run *run, struct bp_batch *pending, struct bp_error *err)
{
    struct bp_batch batch;
    if (pending && evaluate_batch(run, pending, err) < 0)
        return -1;
    while (!run->exhausted && bp_run_budget_left(run, 0)) {
        if (propose_batch(run, &batch, err) < 0)
            return -1;
        if (batch.count > 0 &&
            (record_batch(run, &batch, err) < 0 || evaluate_batch(run, &batch, err) < 0))
            return -1;
    }
    return 0;
}
