#include "harness/evolve/replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "evaluator/gates.h"
#include "harness/evolve/debugger.h"
#include "harness/evolve/gates.h"
#include "harness/evolve/session.h"
#include "harness/evolve/setting.h"
#include "harness/evolve/unseen.h"

#define DEBUGGER_DEADLINE_S 86400.0

struct replay {
    const struct bp_replay_options *options;
    const struct bp_replay *then;
    struct bp_config config;
    struct bp_session session;
    struct bp_secret_position position;
    struct bp_candidate candidate; /* of the evaluation under way */
    struct bp_debugger debugger;
    struct bp_error debugger_error;
    bool debugger_failed;
};

/* ---- one candidate, as then ---- */

static struct bp_evaluation *make_evaluation(const struct replay *replay, struct bp_error *err)
{
    const struct bp_saved *bundle = replay->options->bundle;
    struct bp_evaluation *evaluation = bp_evaluation_new();
    if (evaluation)
        evaluation->source = malloc(bundle->source_bytes + 1);
    if (!evaluation || !evaluation->source) {
        bp_evaluation_free(evaluation);
        bp_fail(err, BP_ERR_MEMORY, "no memory for an evaluation");
        return NULL;
    }
    memcpy(evaluation->source, bundle->source, bundle->source_bytes);
    evaluation->source[bundle->source_bytes] = '\0';
    evaluation->source_bytes = bundle->source_bytes;
    evaluation->number = replay->then->number;
    evaluation->knob_count = replay->then->knob_count;
    memcpy(evaluation->knobs, replay->then->knobs, sizeof evaluation->knobs);
    memcpy(evaluation->kernel_name, replay->config.head.name, sizeof evaluation->kernel_name);
    bp_session_describe(&replay->session, evaluation);
    return evaluation;
}

/* Whether the knobs were refused then and are now; the evaluation has its verdict. */
static bool is_refused(const struct replay *replay, struct bp_evaluation *evaluation)
{
    const char *names[BP_MAX_DEFINES];
    int64_t values[BP_MAX_DEFINES];
    struct bp_point point;
    struct bp_error why;
    if (replay->then->verdict != BP_VERDICT_INVALID_CONFIG)
        return false;
    for (uint32_t i = 0; i < evaluation->knob_count; i++) {
        names[i] = evaluation->knobs[i].name;
        values[i] = strtoll(evaluation->knobs[i].value, NULL, 10);
    }
    if (bp_space_point(&replay->config.head.space, evaluation->knob_count, names, values, &point,
                       &why) == 0)
        return false;
    evaluation->verdict = BP_VERDICT_INVALID_CONFIG;
    evaluation->stage = BP_STAGE_validate;
    snprintf(evaluation->message, sizeof evaluation->message, "%s", why.msg);
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    return true;
}

/* The incumbent of then is not in the bundle: the candidate plays against itself, with the inputs and
 * coins of then as far as its batches have as many calls. */
static int play_match(struct replay *replay, struct bp_error *err)
{
    struct bp_evaluation *evaluation = replay->candidate.evaluation;
    struct bp_match_result result;
    const struct bp_config *config = &replay->config;
    struct bp_match_rules rules = {.chances = {1, 2}};
    rules.rounds =
        replay->then->in_final ? config->timing.final_rounds : config->timing.match_rounds;
    bp_session_seek(&replay->session, &replay->then->match);
    if (bp_session_match(&replay->session, &replay->candidate, &replay->candidate, &rules, &result,
                         err) < 0)
        return -1;
    if (result.outcome.verdict == BP_VERDICT_PASS)
        return 0;
    bp_evaluation_fail(evaluation, result.outcome.verdict, BP_STAGE_time, result.outcome.message);
    return 0;
}

/* The same shapes: they follow from the session's key and the evaluation's number. */
static int try_unseen(struct replay *replay, struct bp_error *err)
{
    struct bp_evaluation *evaluation = replay->candidate.evaluation;
    const char *purpose = replay->then->in_final ? BP_UNSEEN_FINAL : BP_UNSEEN_CHALLENGE;
    if (bp_unseen_try(&replay->session, &replay->candidate, purpose, &evaluation->unseen, err) < 0)
        return -1;
    bp_unseen_judge(evaluation);
    return 0;
}

static int evaluate(struct replay *replay, struct bp_error *err)
{
    const struct bp_replay *then = replay->then;
    bp_session_seek(&replay->session, &replay->position);
    int result = bp_session_evaluate(&replay->session, &replay->candidate, 1, err);
    bool passed = result == 0 && replay->candidate.evaluation->verdict == BP_VERDICT_PASS;
    if (passed && then->in_unseen)
        result = try_unseen(replay, err);
    if (passed && then->in_match)
        result = play_match(replay, err);
    bp_close_fd(&replay->candidate.object_fd);
    return result;
}

static int evaluate_once(struct replay *replay, struct bp_replay_report *report,
                         struct bp_error *err)
{
    struct bp_evaluation *evaluation = make_evaluation(replay, err);
    if (!evaluation)
        return -1;
    replay->candidate = (struct bp_candidate){.evaluation = evaluation, .object_fd = -1};
    if (!is_refused(replay, evaluation)) {
        if (!replay->session.bench &&
            bp_session_open(&replay->session, &replay->position.key, err) < 0) {
            bp_evaluation_free(evaluation);
            return -1;
        }
        if (evaluate(replay, err) < 0) {
            bp_evaluation_free(evaluation);
            return -1;
        }
    }
    report->times++;
    report->verdicts[evaluation->verdict]++;
    if (report->evaluation && report->evaluation->verdict != replay->then->verdict) {
        bp_evaluation_free(evaluation);
    } else {
        bp_evaluation_free(report->evaluation);
        report->evaluation = evaluation;
    }
    return 0;
}

/* Instrumented, on the gates' own small shapes: names the cause where it is one that they look for. */
static int sanitize(struct replay *replay, struct bp_replay_report *report, struct bp_error *err)
{
    struct bp_session_gates request = {.gates = BP_GATES_ALL};
    if (!replay->options->sanitize)
        return 0;
    if (!replay->session.bench)
        return bp_fail(err, BP_ERR_USAGE,
                       "--sanitize: a candidate whose knobs are refused cannot be "
                       "compiled");
    struct bp_evaluation *evaluation = make_evaluation(replay, err);
    if (!evaluation)
        return -1;
    struct bp_candidate candidate = {.evaluation = evaluation, .object_fd = -1};
    int result = bp_session_gate(&replay->session, &candidate, &request, &report->gate,
                                 &report->gate_note, err);
    bp_evaluation_free(evaluation);
    return result;
}

/* ---- the debugger ---- */

static void held(void *context, pid_t pid)
{
    struct replay *replay = context;
    replay->debugger.loop = &replay->session.loop;
    replay->debugger.object_fd = replay->candidate.object_fd;
    if (bp_debugger_attach(&replay->debugger, pid, &replay->debugger_error) < 0) {
        replay->debugger_failed = true;
        replay->session.loop.stop_signal = SIGINT;
    }
}

/* The loop was stopped because of the debugger: that is the reason to tell. */
static int fail_attached(const struct replay *replay, struct bp_error *err)
{
    if (replay->debugger_failed)
        *err = replay->debugger_error;
    return -1;
}

static int prepare_debugger(struct replay *replay, struct bp_error *err)
{
    if (!replay->options->gdb)
        return 0;
    if (bp_debugger_find(&replay->debugger, err) < 0)
        return -1;
    replay->debugger.grace_ms = replay->config.limits.run_s * 1e3;
    replay->config.limits.run_s = DEBUGGER_DEADLINE_S;
    return 0;
}

/* ---- the whole ---- */

static int load_config(struct replay *replay, struct bp_error *err)
{
    const struct bp_saved *bundle = replay->options->bundle;
    const char *text = replay->then->setting.config;
    if (bp_config_parse("replay.json", text, strlen(text), bundle->source, bundle->source_bytes,
                        &replay->config, err) < 0)
        return -1;
    /* Of several devices the one on which it happened. */
    snprintf(replay->config.device, sizeof replay->config.device, "%s",
             replay->then->setting.device);
    replay->config.retry.attempts = 1; /* a second attempt would have other inputs */
    replay->config.parallel = 1;
    replay->config.allow_degraded = replay->options->allow_degraded;
    return 0;
}

static int describe_differences(struct replay *replay, char *text, size_t size,
                                struct bp_error *err)
{
    struct bp_replay_setting now;
    if (bp_setting_of(&replay->session, &now, err) < 0)
        return -1;
    bp_setting_compare(&replay->then->setting, &now, text, size);
    bp_replay_setting_free(&now);
    return 0;
}

/* What only the compile tells. */
static void add_compile_differences(const struct replay *replay, struct bp_replay_report *report)
{
    const struct bp_replay *then = replay->then;
    const struct bp_evaluation *now = report->evaluation;
    size_t used = strlen(report->differences), size = sizeof report->differences;
    if (now && now->device_driver[0] && then->compiler[0] &&
        strcmp(now->device_driver, then->compiler) != 0)
        used += (size_t)snprintf(report->differences + used, size - used,
                                 "compiler: then %.120s, now %.120s\n", then->compiler,
                                 now->device_driver);
    if (now && then->object_sha256[0] && now->object_hash[0] && used < size &&
        strcmp(now->object_hash, then->object_sha256) != 0)
        snprintf(report->differences + used, size - used,
                 "code object: not the same bytes as then\n");
}

static int run(struct replay *replay, struct bp_replay_report *report, struct bp_error *err)
{
    struct bp_session_callbacks callbacks = {.prepared = replay->options->prepared};
    if (load_config(replay, err) < 0 || prepare_debugger(replay, err) < 0 ||
        bp_session_init(&replay->session, &replay->config, &callbacks, err) < 0)
        return -1;
    replay->session.ring_bytes = replay->then->setting.ring_bytes;
    replay->session.held = replay->options->gdb ? held : NULL;
    replay->session.held_context = replay;
    replay->position = replay->then->position;
    if (!replay->then->has_position) {
        bp_key_random(&replay->position.key);
        replay->position.evaluation = 1;
    }
    if (describe_differences(replay, report->differences, sizeof report->differences, err) < 0)
        return -1;
    for (uint32_t i = 0; i < replay->options->times; i++)
        if (evaluate_once(replay, report, err) < 0)
            return fail_attached(replay, err);
    add_compile_differences(replay, report);
    return sanitize(replay, report, err);
}

int bp_replay_run(const struct bp_replay_options *options, struct bp_replay_report *report,
                  struct bp_error *err)
{
    struct replay *replay = calloc(1, sizeof *replay);
    *report = (struct bp_replay_report){0};
    if (!replay)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a replay");
    replay->options = options;
    replay->then = &options->bundle->replay;
    int result = run(replay, report, err);
    if (options->gdb)
        bp_debugger_close(&replay->debugger);
    bp_session_close(&replay->session);
    bp_config_free(&replay->config);
    free(replay);
    if (result < 0) {
        bp_evaluation_free(report->evaluation);
        report->evaluation = NULL;
    }
    return result;
}

bool bp_replay_is_same(const struct bp_replay_report *report, const struct bp_replay *then)
{
    return report->times > 0 && report->verdicts[then->verdict] == report->times;
}
