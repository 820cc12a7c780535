#include "harness/supervise/match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"

#define EARLY_ROUNDS 4 /* fewer rounds never end a match */

struct side {
    struct bp_child *child;
    bool loaded, ended;
    struct bp_stopwatch watch;
    double times[BP_SUITE_MAX_TIMED][BP_STATISTICS_MAX];
};

struct bp_match {
    struct bp_match_options options;
    struct side sides[2];
    struct bp_child *judge; /* looks at a row of every batch */
    bool judge_ended, judge_ready;
    bool unreaped;     /* a child is not gone */
    int sample_fd;     /* owned */
    bool judge_mapped; /* it has its descriptors */
    double batch_ms;   /* per call, of the batch whose sample the judge looks at */

    bool decided;
    struct bp_match_result result;
    struct bp_random coins;
    bool warm;      /* the warm-up round is over */
    uint32_t shape; /* of the current turn */
    uint32_t turn;  /* 0 or 1 within the shape */
    bool coin;      /* of this round */
    struct bp_rounds rounds;
    struct bp_evidence *evidence[2]; /* owned, by side */
};

static const struct bp_bench_options *bench_options(const struct bp_match *match)
{
    return bp_bench_options(match->options.bench);
}

/* As in trial.c. */
static bool is_emulated(const struct bp_match *match)
{
    return bench_options(match)->kind == BP_DEVICE_KIND_EMULATED;
}

static void decide(struct bp_match *match)
{
    if (match->decided)
        return;
    match->decided = true;
    for (int i = 0; i < 2; i++)
        if (match->sides[i].child && !match->sides[i].ended)
            bp_child_stop(match->sides[i].child);
    if (match->judge && !match->judge_ended)
        bp_child_stop(match->judge);
}

static void infra(struct bp_match *match, const struct bp_error *err)
{
    if (match->decided)
        return;
    match->result.outcome.verdict = BP_VERDICT_INFRA;
    snprintf(match->result.outcome.message, sizeof match->result.outcome.message, "%s", err->msg);
    decide(match);
}

/* ---- rounds ---- */

static uint32_t side_of_turn(const struct bp_match *match)
{
    return (match->turn + match->shape + match->coin) & 1;
}

static uint32_t round_of(const struct bp_match *match)
{
    return match->rounds.count;
}

static void end_rounds(struct bp_match *match)
{
    match->result.outcome.verdict = BP_VERDICT_PASS;
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t i = 0; i < match->rounds.shapes; i++)
            match->result.median_ms[s][i] =
                bp_statistics_middle(match->sides[s].times[i], round_of(match));
    decide(match);
}

/* Surely slower, or slower so far at half time: giving up early can only keep the incumbent. */
static bool is_hopeless(const struct bp_match *match)
{
    const struct bp_interval *ratio = &match->result.log_ratio;
    return (round_of(match) >= EARLY_ROUNDS && ratio->high < 0) ||
           (2 * round_of(match) >= match->options.rounds && ratio->estimate < 0);
}

/* Ends a timed round: its value, and whether another is wanted. */
static bool is_over(struct bp_match *match)
{
    double x[BP_SUITE_MAX_TIMED];
    uint32_t round = round_of(match);
    for (uint32_t i = 0; i < match->rounds.shapes; i++)
        x[i] = log(match->sides[1].times[i][round] / match->sides[0].times[i][round]);
    bp_rounds_add(&match->rounds, x);
    match->result.rounds = round_of(match);
    match->result.log_ratio = bp_rounds_interval(&match->rounds);
    return round_of(match) == match->options.rounds ||
           (match->options.stop_early && is_hopeless(match));
}

static int start_turn(struct bp_match *match, struct bp_error *err)
{
    struct side *side = &match->sides[side_of_turn(match)];
    if (bp_stopwatch_is_used_up(&side->watch, false, &match->result.outcome)) {
        match->result.failed_side = side->watch.side;
        decide(match);
        return 0;
    }
    return bp_stopwatch_start(&side->watch, match->shape, err);
}

static int next_turn(struct bp_match *match, struct bp_error *err)
{
    if (++match->turn == 2) {
        match->turn = 0;
        match->shape++;
    }
    if (match->shape < bench_options(match)->suite->timed_count)
        return start_turn(match, err);
    match->shape = 0;
    if (match->warm && is_over(match)) {
        end_rounds(match);
        return 0;
    }
    match->warm = true;
    match->coin = bp_random_below(&match->coins, 2);
    return start_turn(match, err);
}

/* The time counts once the judge has seen the row. */
static int take_batch(struct bp_match *match, struct side *side, enum bp_message_type type,
                      struct bp_error *err)
{
    struct bp_msg_sample_request sample;
    int fds[BP_JUDGE_FDS];
    int over = bp_stopwatch_answer(&side->watch, type, err);
    if (over <= 0)
        return over;
    if (bp_stopwatch_stop(&side->watch, &match->batch_ms, &sample, err) < 0)
        return -1;
    uint32_t fd_count = match->judge_mapped ? 0 : BP_JUDGE_FDS;
    match->judge_mapped = true;
    bp_bench_judge_fds(match->options.bench, match->options.lane, match->sample_fd, fds);
    return bp_child_request(match->judge, BP_MESSAGE_sample_request, &sample, fds, fd_count,
                            bench_options(match)->children.judge_ms, err);
}

static int take_sample_result(struct bp_match *match, const struct bp_msg_sample_result *result,
                              struct bp_error *err)
{
    uint32_t s = side_of_turn(match);
    struct bp_outcome outcome;
    enum bp_floor floor = BP_FLOOR_KEPT;
    bp_outcome_of_claim(BP_STAGE_judge, result->verdict, result->message, &outcome);
    if (outcome.verdict == BP_VERDICT_PASS)
        floor = bp_stopwatch_check_floor(&match->sides[s].watch, match->batch_ms, &outcome);
    if (outcome.verdict != BP_VERDICT_PASS) {
        match->result.outcome = outcome;
        match->result.failed_side = (enum bp_ring_side)s;
        decide(match);
        return 0;
    }
    if (floor == BP_FLOOR_AGAIN)
        return start_turn(match, err);
    if (match->warm)
        match->sides[s].times[match->shape][round_of(match)] = match->batch_ms;
    return next_turn(match, err);
}

/* The first batch, once everybody is there. */
static int start_rounds(struct bp_match *match, struct bp_error *err)
{
    if (!match->sides[0].loaded || !match->sides[1].loaded || !match->judge_ready)
        return 0;
    return start_turn(match, err);
}

/* ---- answers ---- */

static int request_run(struct bp_match *match, uint32_t s, struct bp_error *err)
{
    const struct bp_contender *contender = &match->options.sides[s];
    struct bp_bench_object object = {.fd = contender->object_fd,
                                     .bytes = contender->object_bytes,
                                     .lane = match->options.lane,
                                     .side = (enum bp_ring_side)s};
    return bp_bench_request_run(match->options.bench, match->sides[s].child, &object, err);
}

static int take_side_answer(struct bp_match *match, uint32_t s, enum bp_message_type type,
                            struct bp_error *err)
{
    struct side *side = &match->sides[s];
    if (type == BP_MESSAGE_ready)
        return request_run(match, s, err);
    if (type != BP_MESSAGE_plan_result)
        return take_batch(match, side, type, err);
    side->loaded = true;
    if (bp_child_freeze(side->child, err) < 0)
        return -1;
    return start_rounds(match, err);
}

static void judge_answer(struct bp_match *match, enum bp_message_type type, const void *message)
{
    struct bp_error err;
    int result = 0;
    if (type == BP_MESSAGE_failure) {
        bp_outcome_of_failure(BP_STAGE_judge, message, false, &match->result.outcome);
        decide(match);
    } else if (type == BP_MESSAGE_sample_result) {
        result = take_sample_result(match, message, &err);
    } else {
        match->judge_ready = true;
        result = start_rounds(match, &err);
    }
    if (result < 0)
        infra(match, &err);
}

static void match_answer(void *context, struct bp_child *child, enum bp_message_type type,
                         const void *message)
{
    struct bp_match *match = context;
    struct bp_error err;
    if (match->decided)
        return;
    if (child == match->judge) {
        judge_answer(match, type, message);
        return;
    }
    uint32_t s = child == match->sides[1].child;
    if (type == BP_MESSAGE_failure) {
        match->result.failed_side = (enum bp_ring_side)s;
        bp_outcome_of_failure(BP_STAGE_time, message,
                              bp_child_candidate_ran(child) && !is_emulated(match),
                              &match->result.outcome);
        decide(match);
    } else if (take_side_answer(match, s, type, &err) < 0) {
        infra(match, &err);
    }
}

static void match_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_match *match = context;
    bool is_judge = child == match->judge;
    uint32_t s = child == match->sides[1].child;
    *(is_judge ? &match->judge_ended : &match->sides[s].ended) = true;
    if (!is_judge)
        match->evidence[s] = bp_evidence_of_child(BP_STAGE_time, child, end);
    match->unreaped |= end->unreaped;
    if (match->decided)
        return;
    match->result.failed_side = (enum bp_ring_side)s;
    if (is_judge || end->cause != BP_CHILD_DEADLINE ||
        !bp_stopwatch_is_used_up(&match->sides[s].watch, true, &match->result.outcome))
        bp_outcome_of_end(is_judge ? BP_STAGE_judge : BP_STAGE_time, end,
                          bench_options(match)->children.run_ms, &match->result.outcome);
    if (!is_judge)
        bp_evidence_name_fault(match->evidence[s], bench_options(match)->kind,
                               &match->result.outcome);
    decide(match);
}

static const struct bp_child_handlers handlers = {match_answer, match_ended};

/* ---- life cycle ---- */

static void batch_failed(void *context, const struct bp_error *err)
{
    infra(context, err);
}

static int start_side(struct bp_match *match, uint32_t s, struct bp_error *err)
{
    struct side *side = &match->sides[s];
    if (bp_bench_start_run(match->options.bench, &handlers, match, &side->child, err) < 0)
        return -1;
    side->watch = (struct bp_stopwatch){.bench = match->options.bench,
                                        .child = side->child,
                                        .side = (enum bp_ring_side)s,
                                        .batch_ms = match->options.batch_ms,
                                        .limit_ms = match->options.limit_ms,
                                        .sample_fd = match->sample_fd,
                                        .draws = match->options.draws,
                                        .failed = batch_failed,
                                        .context = match};
    bp_stopwatch_open(&side->watch);
    for (uint32_t i = 0; i < bench_options(match)->suite->timed_count; i++)
        bp_stopwatch_set_calls(&side->watch, i, match->options.sides[s].per_call_ms[i]);
    return 0;
}

int bp_match_start(const struct bp_match_options *options, struct bp_match **slot,
                   struct bp_error *err)
{
    struct bp_match *match = bp_fault_calloc(1, sizeof *match);
    if (!match)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a match");
    match->options = *options;
    match->rounds.shapes = bp_bench_options(options->bench)->suite->timed_count;
    if (match->options.rounds > BP_STATISTICS_MAX)
        match->options.rounds = BP_STATISTICS_MAX;
    match->sample_fd = bp_sample_arena(err);
    match->result.outcome.verdict = BP_VERDICT_INFRA;
    struct bp_key key;
    bp_key_derive(&bench_options(match)->run_key, "coins", options->number, &key);
    bp_random_start(&match->coins, &key);
    if (match->sample_fd < 0 || start_side(match, 0, err) < 0 || start_side(match, 1, err) < 0 ||
        bp_bench_start_judge(options->bench, &handlers, match, &match->judge, err) < 0) {
        bp_match_free(&match);
        return -1;
    }
    *slot = match;
    return 0;
}

bool bp_match_done(const struct bp_match *match)
{
    return match->decided && match->sides[0].ended && match->sides[1].ended && match->judge_ended;
}

void bp_match_result(const struct bp_match *match, struct bp_match_result *result)
{
    *result = match->result;
    memcpy(result->device, bench_options(match)->device, sizeof result->device);
}

struct bp_evidence *bp_match_take_evidence(struct bp_match *match)
{
    if (match->result.outcome.verdict == BP_VERDICT_PASS)
        return NULL;
    return bp_steal_pointer(&match->evidence[match->result.failed_side]);
}

bool bp_match_left_unreaped(const struct bp_match *match)
{
    return match->unreaped;
}

void bp_match_free(struct bp_match **slot)
{
    struct bp_match *match = *slot;
    if (!match)
        return;
    bp_stopwatch_close(&match->sides[0].watch);
    bp_stopwatch_close(&match->sides[1].watch);
    bp_child_release(&match->sides[0].child);
    bp_child_release(&match->sides[1].child);
    bp_child_release(&match->judge);
    bp_close_fd(&match->sample_fd);
    bp_evidence_free(match->evidence[0]);
    bp_evidence_free(match->evidence[1]);
    free(match);
    *slot = NULL;
}
