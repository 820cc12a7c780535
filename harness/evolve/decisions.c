#include "harness/evolve/decisions.h"

#include <stdio.h>
#include <string.h>

#include "harness/store/json_parts.h"

/* ---- batches ---- */

static json_t *knobs_json(const struct bp_space *space, const struct bp_point *point)
{
    json_t *knobs = json_object();
    for (uint32_t i = 0; i < space->knob_count; i++)
        if (json_object_set_new(knobs, space->knobs[i].name,
                                json_integer(bp_space_value(space, point, i))) < 0) {
            json_decref(knobs);
            return NULL;
        }
    return knobs;
}

static json_t *answer_json(const struct bp_proposed *member)
{
    if (!member->answered)
        return json_null();
    return json_pack("{s:s, s:I}", "verdict", bp_verdict_name(member->verdict), "duplicate_of",
                     (json_int_t)member->duplicate_of);
}

json_t *bp_batch_json(const struct bp_batch *batch, const struct bp_space *space)
{
    json_t *proposals = json_array();
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct bp_proposed *member = &batch->members[i];
        json_t *one = json_pack("{s:I, s:I, s:o, s:I, s:o}", "decision",
                                (json_int_t)member->decision, "number", (json_int_t)member->number,
                                "knobs", knobs_json(space, &member->point), "parent",
                                (json_int_t)member->parent, "answer", answer_json(member));
        if (json_array_append_new(proposals, one) < 0) {
            json_decref(proposals);
            return NULL;
        }
    }
    return json_pack("{s:o}", "proposals", proposals);
}

static int read_knobs(json_t *json, const struct bp_space *space, struct bp_point *point,
                      struct bp_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        if (!json_is_integer(value))
            return bp_fail(err, BP_ERR_USAGE, "knob %s is no integer", name);
        if (bp_space_choose(space, name, json_integer_value(value), point, err) < 0)
            return -1;
    }
    return 0;
}

static int fail_event(const json_error_t *error, const char *kind, struct bp_error *err)
{
    return bp_fail(err, BP_ERR_USAGE, "an event %s cannot be read: %s", kind, error->text);
}

static int read_member(json_t *json, const struct bp_space *space, struct bp_proposed *member,
                       struct bp_error *err)
{
    json_error_t error;
    json_t *knobs, *answer;
    const char *verdict;
    json_int_t decision, number, parent, duplicate_of = 0;
    *member = (struct bp_proposed){0};
    if (json_unpack_ex(json, &error, 0, "{s:I, s:I, s:o, s:I, s:o}", "decision", &decision,
                       "number", &number, "knobs", &knobs, "parent", &parent, "answer",
                       &answer) < 0)
        return fail_event(&error, "batch", err);
    member->decision = (uint64_t)decision;
    member->number = (uint32_t)number;
    member->parent = (uint32_t)parent;
    if (read_knobs(knobs, space, &member->point, err) < 0)
        return -1;
    if (json_is_null(answer))
        return 0;
    if (json_unpack_ex(answer, &error, 0, "{s:s, s:I}", "verdict", &verdict, "duplicate_of",
                       &duplicate_of) < 0)
        return fail_event(&error, "batch", err);
    member->answered = true;
    member->duplicate_of = (uint32_t)duplicate_of;
    if (!bp_verdict_parse(verdict, &member->verdict))
        return bp_fail(err, BP_ERR_USAGE, "an event batch has the unknown verdict '%s'", verdict);
    return 0;
}

static int read_batch(const json_t *json, const struct bp_space *space, struct bp_batch *batch,
                      struct bp_error *err)
{
    json_t *proposals = json_object_get(json, "proposals");
    size_t count = json_array_size(proposals);
    if (count == 0 || count > BP_MAX_LANES)
        return bp_fail(err, BP_ERR_USAGE, "an event batch has %zu proposals", count);
    batch->count = (uint32_t)count;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (read_member(json_array_get(proposals, i), space, &batch->members[i], err) < 0)
            return -1;
        if (batch->members[i].number != batch->members[0].number + i)
            return bp_fail(err, BP_ERR_USAGE, "an event batch skips a number");
    }
    return 0;
}

int bp_batch_parse(const char *text, const struct bp_space *space, struct bp_batch *batch,
                   struct bp_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    int result = read_batch(json, space, batch, err);
    json_decref(json);
    return result;
}

/* ---- unseen shapes ---- */

json_t *bp_unseen_event_json(const struct bp_evaluation *evaluation)
{
    const struct bp_unseen *unseen = &evaluation->unseen;
    const struct bp_unseen_shape *failure = bp_unseen_failure(unseen);
    json_t *shapes = json_array();
    for (uint32_t i = 0; i < unseen->count; i++) {
        const struct bp_unseen_shape *one = &unseen->shapes[i];
        if (json_array_append_new(shapes, json_pack("{s:s, s:s}", "shape", one->shape, "verdict",
                                                    bp_verdict_name(one->verdict))) < 0) {
            json_decref(shapes);
            return NULL;
        }
    }
    return json_pack("{s:I, s:s, s:o, s:o}", "number", (json_int_t)evaluation->number, "outcome",
                     bp_verdict_name(failure ? failure->verdict : BP_VERDICT_PASS), "message",
                     bp_json_text(failure ? failure->message : ""), "shapes", shapes);
}

/* ---- matches ---- */

static json_t *medians_json(const double *medians, uint32_t shapes)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < shapes; i++)
        if (json_array_append_new(list, json_real(medians[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* What only a match that both sides ended well has. */
static json_t *measured_json(const struct bp_duel *duel, uint32_t shapes)
{
    const struct bp_match_result *result = &duel->result;
    if (result->outcome.verdict != BP_VERDICT_PASS)
        return json_null();
    return json_pack("{s:i, s:{s:f, s:f, s:f}, s:o, s:o, s:{s:f, s:f}}", "rounds",
                     (int)result->rounds, "log_ratio", "estimate", result->log_ratio.estimate,
                     "low", result->log_ratio.low, "high", result->log_ratio.high, "challenger_ms",
                     medians_json(result->median_ms[BP_RING_A], shapes), "incumbent_ms",
                     medians_json(result->median_ms[BP_RING_B], shapes), "ladder", "level",
                     duel->ladder.level, "baseline_ms", duel->ladder.baseline_ms);
}

static json_t *failed_json(const struct bp_match_result *result)
{
    if (result->outcome.verdict == BP_VERDICT_PASS)
        return json_null();
    return json_string(result->failed_side == BP_RING_A ? "challenger" : "incumbent");
}

json_t *bp_duel_json(const struct bp_duel *duel, uint32_t shapes)
{
    const struct bp_match_result *result = &duel->result;
    return json_pack("{s:I, s:I, s:s, s:s, s:o, s:o, s:b, s:o}", "challenger",
                     (json_int_t)duel->challenger, "incumbent", (json_int_t)duel->incumbent,
                     "device", result->device, "outcome", bp_verdict_name(result->outcome.verdict),
                     "message", bp_json_text(result->outcome.message), "failed",
                     failed_json(result), "promoted", duel->promoted, "measured",
                     measured_json(duel, shapes));
}

static int read_medians(json_t *list, double *medians, struct bp_error *err)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > BP_SUITE_MAX_TIMED)
        return bp_fail(err, BP_ERR_USAGE, "an event match has %zu medians", count);
    for (size_t i = 0; i < count; i++)
        medians[i] = json_number_value(json_array_get(list, i));
    return 0;
}

static int read_measured(json_t *json, struct bp_duel *duel, struct bp_error *err)
{
    json_error_t error;
    struct bp_match_result *result = &duel->result;
    json_t *challenger, *incumbent;
    int rounds;
    if (json_unpack_ex(json, &error, 0, "{s:i, s:{s:F, s:F, s:F}, s:o, s:o, s:{s:F, s:F}}",
                       "rounds", &rounds, "log_ratio", "estimate", &result->log_ratio.estimate,
                       "low", &result->log_ratio.low, "high", &result->log_ratio.high,
                       "challenger_ms", &challenger, "incumbent_ms", &incumbent, "ladder", "level",
                       &duel->ladder.level, "baseline_ms", &duel->ladder.baseline_ms) < 0)
        return fail_event(&error, "match", err);
    result->rounds = (uint32_t)rounds;
    if (read_medians(challenger, result->median_ms[BP_RING_A], err) < 0)
        return -1;
    return read_medians(incumbent, result->median_ms[BP_RING_B], err);
}

static int read_duel(json_t *json, struct bp_duel *duel, struct bp_error *err)
{
    json_error_t error;
    struct bp_outcome *outcome = &duel->result.outcome;
    const char *verdict, *message, *side, *device = "";
    json_int_t challenger, incumbent;
    json_t *measured, *failed;
    int promoted;
    *duel = (struct bp_duel){0};
    if (json_unpack_ex(json, &error, 0, "{s:I, s:I, s?s, s:s, s:s, s:o, s:b, s:o}", "challenger",
                       &challenger, "incumbent", &incumbent, "device", &device, "outcome", &verdict,
                       "message", &message, "failed", &failed, "promoted", &promoted, "measured",
                       &measured) < 0)
        return fail_event(&error, "match", err);
    duel->challenger = (uint32_t)challenger;
    duel->incumbent = (uint32_t)incumbent;
    duel->promoted = promoted;
    snprintf(duel->result.device, sizeof duel->result.device, "%s", device);
    side = json_string_value(failed);
    if (side && strcmp(side, "incumbent") == 0)
        duel->result.failed_side = BP_RING_B;
    snprintf(outcome->message, sizeof outcome->message, "%s", message);
    if (!bp_verdict_parse(verdict, &outcome->verdict))
        return bp_fail(err, BP_ERR_USAGE, "an event match has the unknown verdict '%s'", verdict);
    return outcome->verdict == BP_VERDICT_PASS ? read_measured(measured, duel, err) : 0;
}

int bp_duel_parse(const char *text, struct bp_duel *duel, struct bp_error *err)
{
    json_t *json = json_loads(text, 0, NULL);
    int result = read_duel(json, duel, err);
    json_decref(json);
    return result;
}
