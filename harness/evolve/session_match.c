#include "harness/evolve/session.h"

#include "base/log.h"
#include "harness/evolve/flight.h"
#include "harness/evolve/retry.h"
#include "harness/evolve/waiting.h"

static void fill_contender(const struct bp_candidate *candidate, struct bp_contender *contender)
{
    const struct bp_evaluation *evaluation = candidate->evaluation;
    contender->object_fd = candidate->object_fd;
    contender->object_bytes = candidate->object_bytes;
    for (uint32_t i = 0; i < evaluation->timing_count; i++)
        contender->per_call_ms[i] = evaluation->timings[i].median_ms;
}

/* A side that failed a match: the match's evidence takes the place of the trial's. */
static void keep_match_evidence(const struct bp_candidate *candidate, struct bp_match *match,
                                const struct bp_secret_position *began)
{
    struct bp_evidence *evidence = bp_match_take_evidence(match);
    if (!evidence)
        return;
    evidence->in_match = true;
    evidence->match = *began;
    bp_flight_replace_evidence(candidate->evaluation, evidence);
}

/* Once; what goes wrong is the result's outcome. */
static int play(struct bp_session *session, struct bp_match_options *options,
                const struct bp_candidate *const sides[2], struct bp_match_result *result,
                struct bp_error *err)
{
    struct bp_secret_position began;
    struct bp_match *match;
    struct bp_error why;
    *result = (struct bp_match_result){.failed_side = BP_RING_A};
    for (int side = BP_RING_A; side <= BP_RING_B; side++) {
        if (bp_flight_take_ring(session, (enum bp_ring_side)side, &result->outcome, err) < 0)
            return -1;
        if (result->outcome.verdict != BP_VERDICT_PASS)
            return 0;
    }
    if (bp_guard_take(session, BP_TURN_MATCH, err) < 0)
        return -1;
    bp_session_position(session, &began);
    options->number = ++session->matches;
    if (bp_match_start(options, &match, &why) < 0) {
        bp_outcome_of_error(&why, &result->outcome);
        return 0;
    }
    int status = 0;
    while (!bp_match_done(match) && status == 0)
        status = bp_waiting_step(session, err);
    bool unreaped = bp_match_left_unreaped(match);
    bp_match_result(match, result);
    if (result->outcome.verdict != BP_VERDICT_PASS)
        keep_match_evidence(sides[result->failed_side], match, &began);
    bp_match_free(&match);
    return status < 0
               ? -1
               : bp_retry_check_device(session, BP_STAGE_time, unreaped, &result->outcome, err);
}

/* Whether it is to be played again, after the pause if one is due: 1, 0 or -1. */
static int play_again(struct bp_session *session, const enum bp_verdict *outcomes, uint32_t count,
                      bool another_chance, struct bp_error *err)
{
    struct bp_attempts_policy policy = bp_retry_policy(session);
    switch (bp_attempts_next(&policy, outcomes, count)) {
    case BP_ATTEMPTS_BACK_OFF:
        return bp_retry_back_off(session, count, err) < 0 ? -1 : 1;
    case BP_ATTEMPTS_AGAIN:
        return 1;
    case BP_ATTEMPTS_STAND:
        break;
    }
    return another_chance;
}

int bp_session_match(struct bp_session *session, const struct bp_candidate *a,
                     const struct bp_candidate *b, const struct bp_match_rules *rules,
                     struct bp_match_result *result, struct bp_error *err)
{
    struct bp_match_options options = {
        .bench = session->bench,
        .batch_ms = session->timing.batch_ms,
        /* As much a batch as in a trial, and a warm-up round. */
        .limit_ms = session->timing.limit_ms * (rules->rounds + 1.0) / session->timing.batches,
        .rounds = rules->rounds,
        .stop_early = rules->stop_early,
        .draws = &session->draws,
    };
    const struct bp_candidate *const sides[2] = {[BP_RING_A] = a, [BP_RING_B] = b};
    enum bp_verdict outcomes[2][BP_MAX_ATTEMPTS]; /* by side, PASS for what the other did */
    uint32_t failures[2] = {0};
    bp_session_now(session, "match of #%u and #%u", a->evaluation->number, b->evaluation->number);
    fill_contender(a, &options.sides[BP_RING_A]);
    fill_contender(b, &options.sides[BP_RING_B]);
    for (uint32_t count = 1;; count++) {
        if (play(session, &options, sides, result, err) < 0)
            return -1;
        enum bp_verdict outcome = result->outcome.verdict;
        enum bp_ring_side side = result->failed_side;
        bool own = bp_attempts_is_failure(outcome);
        if (count <= BP_MAX_ATTEMPTS) { /* no policy has more */
            outcomes[!side][count - 1] = own ? BP_VERDICT_PASS : outcome;
            outcomes[side][count - 1] = outcome;
        }
        bool another_chance = own && ++failures[side] < rules->chances[side];
        int again = play_again(session, outcomes[side], count, another_chance, err);
        if (again <= 0)
            return again;
        bp_log(BP_LOG_WARNING, "session", "match %u, play %u: %s: %s; once more",
               a->evaluation->number, count, bp_verdict_name(outcome), result->outcome.message);
    }
}
