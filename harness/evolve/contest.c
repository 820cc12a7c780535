#include "harness/evolve/contest.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "harness/evolve/attempts.h"
#include "harness/evolve/decisions.h"
#include "harness/evolve/standings.h"
#include "harness/evolve/unseen.h"

#define CHAMPION_CHANCES 2 /* a champion has passed before: once may be an accident */

void bp_contest_score(const struct bp_run *run, struct bp_evaluation *evaluation)
{
    bool passed = evaluation->verdict == BP_VERDICT_PASS;
    evaluation->has_score = !passed || evaluation->origin != BP_ORIGIN_EAGER;
    evaluation->score = 0;
    if (passed && evaluation->origin == BP_ORIGIN_BASELINE)
        evaluation->score = 1;
    else if (passed && evaluation->origin == BP_ORIGIN_SEARCH)
        evaluation->score = bp_ladder_score(&run->ladder, bp_standings_geomean_ms(evaluation));
}

/* Objects are not in the record: after a resume the first match compiles its sides again. */
static int ensure_object(struct bp_run *run, struct bp_candidate *candidate, struct bp_error *err)
{
    bool has_object = candidate->object_fd >= 0;
    return has_object ? 0 : bp_session_compile(&run->session, candidate, err);
}

static int play(struct bp_run *run, struct bp_candidate *a, struct bp_candidate *b,
                enum bp_meeting meeting, struct bp_match_result *result, struct bp_error *err)
{
    const struct bp_match_rules rules[] = {
        [BP_MEETING_MATCH] = {run->config->timing.match_rounds, true, {1, CHAMPION_CHANCES}},
        [BP_MEETING_FINAL] = {run->config->timing.final_rounds, false, {CHAMPION_CHANCES, 2}},
    };
    if (run->replayed)
        return bp_replayed_match(run->replayed, meeting, a->evaluation->source_hash,
                                 b->evaluation->source_hash, result, err);
    if (ensure_object(run, a, err) < 0 || ensure_object(run, b, err) < 0)
        return -1;
    return bp_session_match(&run->session, a, b, &rules[meeting], result, err);
}

/* Whether the champion, which played on that side, is to blame for how the match ended. The baseline is
 * the foot of the ladder: there is nobody to take its place. */
static bool champion_failed(const struct bp_run *run, const struct bp_match_result *result,
                            enum bp_ring_side side)
{
    return bp_attempts_is_failure(result->outcome.verdict) && result->failed_side == side &&
           run->champion.evaluation->number != run->baseline.evaluation->number;
}

/* A challenger that fails in the match loses its PASS. A failure that is not its own changes nothing for
 * it. */
static void fail_match(struct bp_evaluation *challenger, const struct bp_match_result *result)
{
    const char *whose = result->outcome.verdict == BP_VERDICT_INFRA ? "nobody's failure"
                        : result->failed_side == BP_RING_A          ? "the challenger's failure"
                                                                    : "the champion's failure";
    bp_log(BP_LOG_WARNING, "engine", "match of %u ended in %s (%s): %s", challenger->number,
           bp_verdict_name(result->outcome.verdict), whose, result->outcome.message);
    if (result->failed_side != BP_RING_A || result->outcome.verdict == BP_VERDICT_INFRA)
        return;
    bp_evaluation_fail(challenger, result->outcome.verdict, BP_STAGE_time, result->outcome.message);
}

int bp_contest_try_unseen(struct bp_run *run, struct bp_candidate *candidate, struct bp_error *err)
{
    struct bp_evaluation *evaluation = candidate->evaluation;
    /* A replay has the notes of the recorded evaluation. */
    if (!run->replayed &&
        bp_unseen_try(&run->session, candidate, BP_UNSEEN_CHALLENGE, &evaluation->unseen, err) < 0)
        return -1;
    bp_unseen_judge(evaluation);
    return bp_run_attach(run, "unseen", bp_unseen_event_json(evaluation), err);
}

/* Right on the shapes of the suite and faster there: the best only if it is right elsewhere too. */
static int confirm(struct bp_run *run, struct bp_candidate *candidate,
                   const struct bp_match_result *result, struct bp_error *err)
{
    bool won = result->outcome.verdict == BP_VERDICT_PASS && bp_ladder_is_won(result);
    return won ? bp_contest_try_unseen(run, candidate, err) : 0;
}

static void book(struct bp_run *run, struct bp_evaluation *challenger, struct bp_duel *duel)
{
    const struct bp_match_result *result = &duel->result;
    if (result->outcome.verdict != BP_VERDICT_PASS) {
        fail_match(challenger, result);
        return;
    }
    bp_log(BP_LOG_INFO, "engine", "match of %u and %u: ratio %.4f [%.4f, %.4f] in %u rounds",
           duel->challenger, duel->incumbent, exp(result->log_ratio.estimate),
           exp(result->log_ratio.low), exp(result->log_ratio.high), result->rounds);
    if (challenger->verdict == BP_VERDICT_PASS)
        challenger->score =
            bp_ladder_match(&run->ladder, result, run->session.suite.timed_count, &duel->promoted);
}

int bp_contest_challenge(struct bp_run *run, struct bp_candidate *candidate, struct bp_error *err)
{
    struct bp_evaluation *challenger = candidate->evaluation;
    if (challenger->verdict != BP_VERDICT_PASS || challenger->duplicate ||
        !bp_ladder_is_contender(&run->ladder, challenger->score))
        return 0;
    struct bp_duel duel = {.challenger = challenger->number,
                           .incumbent = run->champion.evaluation->number};
    bp_progress_add(&run->progress, "  match of #%u and #%u", duel.challenger, duel.incumbent);
    if (play(run, candidate, &run->champion, BP_MEETING_MATCH, &duel.result, err) < 0 ||
        confirm(run, candidate, &duel.result, err) < 0)
        return -1;
    book(run, challenger, &duel);
    duel.ladder = run->ladder;
    challenger->promoted = duel.promoted;
    if (bp_run_attach(run, "match", bp_duel_json(&duel, run->session.suite.timed_count), err) < 0)
        return -1;
    if (!champion_failed(run, &duel.result, BP_RING_B))
        return 0;
    if (bp_run_demote(run, &duel.result.outcome, BP_STAGE_time, bp_run_attach, err) < 0)
        return -1;
    return bp_contest_challenge(run, candidate, err); /* with the next one down the ladder */
}

/* The champion once more on shapes that it has never seen, then fresh rounds. A failure there is the
 * comparison's; *stage is set to where it came. */
static int play_final(struct bp_run *run, enum bp_stage *stage, struct bp_error *err)
{
    struct bp_unseen unseen = {0};
    *stage = BP_STAGE_time;
    if (!run->replayed &&
        (ensure_object(run, &run->champion, err) < 0 ||
         bp_unseen_try(&run->session, &run->champion, BP_UNSEEN_FINAL, &unseen, err) < 0))
        return -1;
    const struct bp_unseen_shape *failure = bp_unseen_failure(&unseen);
    if (!failure)
        return play(run, &run->champion, &run->baseline, BP_MEETING_FINAL, &run->final, err);
    *stage = failure->stage;
    run->final = (struct bp_match_result){.failed_side = BP_RING_A,
                                          .outcome = {.verdict = failure->verdict}};
    memcpy(run->final.outcome.message, failure->message, sizeof run->final.outcome.message);
    return 0;
}

/* To replay the failure takes as many rounds, or the same shapes. */
static int demote_finalist(struct bp_run *run, enum bp_stage stage, struct bp_error *err)
{
    struct bp_evidence *evidence = run->champion.evaluation->evidence;
    if (evidence)
        evidence->in_final = true;
    return bp_run_demote(run, &run->final.outcome, stage, bp_run_event, err);
}

int bp_contest_final(struct bp_run *run, struct bp_error *err)
{
    enum bp_stage stage;
    struct bp_duel duel = {.challenger = run->champion.evaluation->number,
                           .incumbent = run->baseline.evaluation->number};
    if (duel.challenger == duel.incumbent || run->compared)
        return 0;
    bp_progress_say(&run->progress, "comparing the best with the baseline, %u fresh rounds",
                    run->config->timing.final_rounds);
    if (play_final(run, &stage, err) < 0)
        return -1;
    duel.result = run->final;
    duel.ladder = run->ladder;
    run->compared = run->final.outcome.verdict == BP_VERDICT_PASS;
    if (!run->compared)
        bp_progress_say(&run->progress, "the final comparison failed: %s",
                        run->final.outcome.message);
    if (bp_run_event(run, "final", bp_duel_json(&duel, run->session.suite.timed_count), err) < 0)
        return -1;
    if (champion_failed(run, &duel.result, BP_RING_A))
        return demote_finalist(run, stage, err) < 0 ? -1 : bp_contest_final(run, err);
    return bp_run_flush(run, err);
}
