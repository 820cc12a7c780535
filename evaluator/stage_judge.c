/* The judge stage: compares what a candidate wrote with the references, from mappings that the
 * candidate's process does not share. It runs no candidate code and sees no device. */
#include "evaluator/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/weaken.h"
#include "evaluator/arena.h"
#include "evaluator/judge.h"

struct server {
    struct bp_channel *channel;
    struct bp_arena masters, references, inputs, outputs, ring, sample;
    bool mapped;
};

static int map_arenas(struct server *server, struct bp_error *err)
{
    struct {
        const char *name;
        struct bp_arena *arena;
    } const wanted[] = {
        {"masters", &server->masters},    {"references", &server->references},
        {"case inputs", &server->inputs}, {"case outputs", &server->outputs},
        {"ring inputs", &server->ring},   {"sample", &server->sample},
    };
    enum { COUNT = sizeof wanted / sizeof *wanted };
    int fds[COUNT];
    int status = 0;
    if (server->mapped)
        return 0;
    if (bp_channel_receive_fds(server->channel, fds, COUNT, err) < 0)
        return -1;
    for (int i = 0; i < COUNT; i++) {
        if (status < 0)
            close(fds[i]);
        else
            status = bp_arena_map(fds[i], wanted[i].name, BP_ARENA_READ, wanted[i].arena, err);
    }
    server->mapped = true;
    return status;
}

/* The item as a case, and its reference block, whose header must be the item's. */
static int open_item(const struct server *server, const struct bp_judge_item *item,
                     struct bp_case *judged, const void **reference, struct bp_error *err)
{
    if (item->dtype >= BP_DTYPE_COUNT || item->family >= BP_FAMILY_COUNT || item->max_rows == 0)
        return bp_fail(err, BP_ERR_PROTOCOL, "dtype %u, family %u or max_rows is out of range",
                       item->dtype, item->family);
    if (bp_shape_check(&item->shape, err) < 0)
        return -1;
    *judged = (struct bp_case){item->shape, (enum bp_family)item->family, item->max_rows};
    const struct bp_reference_header *header = bp_arena_at(
        &server->references, "references", item->reference_offset, bp_reference_bytes(judged), err);
    if (!header)
        return -1;
    if (header->rows != bp_rows_count(&item->shape, item->max_rows) ||
        header->head_dim != item->shape.head_dim || header->dtype != item->dtype ||
        header->family != item->family || header->strictness >= BP_STRICTNESS_COUNT)
        return bp_fail(err, BP_ERR_STATE, "the reference of shape %s family %s is another case's",
                       item->shape.name, bp_family_name(judged->family));
    *reference = header;
    return 0;
}

/* Name of the tensor whose end or start the guard byte at offset lies nearest behind. */
static const char *damaged_input(const struct bp_input_layout *layout, size_t offset)
{
    return offset < layout->k.offset         ? "q"
           : offset < layout->v.offset       ? "k"
           : offset < layout->kv_lens.offset ? "v"
                                             : "kv_lens";
}

struct slots {
    const void *master, *input, *output, *again;
};

/* The guards of one output slot; `call` for the text. */
static void judge_output_guards(const struct bp_output_layout *out, uint64_t canary,
                                const void *slot, const char *call, struct bp_judgement *judgement)
{
    size_t changed = bp_layout_check_outputs(out, canary, slot);
    if (changed == SIZE_MAX || judgement->verdict != BP_VERDICT_PASS)
        return;
    bool before = changed < out->o.offset;
    size_t distance =
        before ? out->o.offset - changed : changed - (out->o.offset + out->o.bytes) + 1;
    judgement->verdict = BP_VERDICT_TAMPER;
    snprintf(judgement->message, sizeof judgement->message,
             "wrote past the output%s: %zu bytes %s it", call, distance,
             before ? "before" : "behind");
}

/* Guards and inputs first: a TAMPER needs no arithmetic. Fills judgement; PASS when untouched. */
static void judge_traces(const struct bp_judge_item *item, const struct bp_permutation *permutation,
                         const struct slots *slots, struct bp_judgement *judgement)
{
    struct bp_input_layout in;
    struct bp_output_layout out;
    enum bp_dtype dtype = (enum bp_dtype)item->dtype;
    bp_layout_inputs(&item->shape, dtype, &in);
    bp_layout_outputs(&item->shape, dtype, &out);
    *judgement = (struct bp_judgement){.verdict = BP_VERDICT_PASS};

    judge_output_guards(&out, item->canary, slots->output, "", judgement);
    judge_output_guards(&out, item->canary, slots->again, " of the second call", judgement);
    if (judgement->verdict != BP_VERDICT_PASS)
        return;
    size_t changed = bp_layout_check_inputs(&in, item->canary, slots->input);
    if (changed != SIZE_MAX) {
        judgement->verdict = BP_VERDICT_TAMPER;
        snprintf(judgement->message, sizeof judgement->message,
                 "wrote past an input: the guard beside %s, byte %zu of the slot",
                 damaged_input(&in, changed), changed);
        return;
    }
    if (!bp_weakened(BP_DEFENCE_inputs_unchanged) &&
        !bp_permutation_unchanged(&item->shape, dtype, permutation, slots->master, slots->input)) {
        judgement->verdict = BP_VERDICT_TAMPER;
        snprintf(judgement->message, sizeof judgement->message, "input changed");
    }
}

static int judge_item(const struct server *server, const struct bp_judge_item *item,
                      struct bp_judgement *judgement, struct bp_error *err)
{
    struct bp_case judged;
    const void *reference = NULL;
    if (open_item(server, item, &judged, &reference, err) < 0)
        return -1;
    enum bp_dtype dtype = (enum bp_dtype)item->dtype;
    struct bp_input_layout in;
    struct bp_output_layout out;
    bp_layout_inputs(&item->shape, dtype, &in);
    bp_layout_outputs(&item->shape, dtype, &out);
    struct slots slots;
    slots.master = bp_arena_at(&server->masters, "masters", item->master_offset, in.bytes, err);
    if (!slots.master)
        return -1;
    slots.input = bp_arena_at(&server->inputs, "case inputs", item->input_offset, in.bytes, err);
    if (!slots.input)
        return -1;
    slots.output =
        bp_arena_at(&server->outputs, "case outputs", item->output_offset, out.bytes, err);
    if (!slots.output)
        return -1;
    slots.again = bp_arena_at(&server->outputs, "case outputs", item->again_offset, out.bytes, err);
    if (!slots.again)
        return -1;

    struct bp_permutation permutation;
    bp_permutation_of_slot(&item->shape, &item->permutation_key, 0, &permutation);
    judge_traces(item, &permutation, &slots, judgement);
    if (judgement->verdict == BP_VERDICT_PASS)
        bp_judge_case(&judged, dtype, &item->rows_key, &permutation, reference, slots.output,
                      judgement);
    if (judgement->verdict == BP_VERDICT_PASS && !bp_weakened(BP_DEFENCE_second_call))
        bp_judge_again(&item->shape, dtype, slots.output, slots.again, judgement);
    return 0;
}

/* The gravest decides, and of several the first. */
static const int gravity[BP_VERDICT_COUNT] = {
    [BP_VERDICT_NONDETERMINISTIC] = 1,
    [BP_VERDICT_WRONG_RESULT] = 2,
    [BP_VERDICT_NONFINITE] = 2,
    [BP_VERDICT_TAMPER] = 3,
};

static void take_verdict(uint32_t *verdict, char message[BP_TEXT_LINE],
                         const struct bp_judge_item *item, const struct bp_judgement *judgement)
{
    if (gravity[judgement->verdict] <= gravity[*verdict])
        return;
    *verdict = judgement->verdict;
    snprintf(message, BP_TEXT_LINE, "shape %s, family %s: %s", item->shape.name,
             bp_family_name((enum bp_family)item->family), judgement->message);
}

static int serve_cases(struct server *server, const struct bp_msg_judge_request *request,
                       struct bp_error *err)
{
    BP_AUTO_FREE struct bp_msg_judge_result *result = calloc(1, sizeof *result);
    if (!result)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a judge result");
    result->verdict = BP_VERDICT_PASS;
    for (uint32_t i = 0; i < request->item_count; i++) {
        const struct bp_judge_item *item = &request->items[i];
        struct bp_judgement judgement;
        if (judge_item(server, item, &judgement, err) < 0)
            return -1;
        struct bp_case_result *row = &result->cases[result->case_count++];
        *row = (struct bp_case_result){
            .family = item->family,
            .verdict = judgement.verdict,
            .max_ratio = judgement.max_ratio,
            .rms_ratio = judgement.rms_ratio,
            .pooled = judgement.pooled,
            .alpha = judgement.alpha,
            .rows = judgement.rows,
        };
        memcpy(row->shape, item->shape.name, sizeof row->shape);
        take_verdict(&result->verdict, result->message, item, &judgement);
    }
    return bp_channel_send(server->channel, BP_MESSAGE_judge_result, result, err);
}

/* The row's reference is computed here and now, from the slot that the candidate read: no other
 * process knew these inputs before the batch began, so no table of answers can exist. */
static int judge_sample(const struct server *server, const struct bp_msg_sample_request *request,
                        struct bp_judgement *judgement, struct bp_error *err)
{
    const struct bp_shape *shape = &request->shape;
    enum bp_dtype dtype = (enum bp_dtype)request->dtype;
    if (bp_shape_check(shape, err) < 0)
        return -1;
    if (request->batch >= shape->batch || request->head >= shape->q_heads ||
        request->token >= shape->q_len)
        return bp_fail(err, BP_ERR_PROTOCOL, "a sample of a row that is not in shape %s",
                       shape->name);
    struct bp_input_layout in;
    bp_layout_inputs(shape, dtype, &in);
    const void *input =
        bp_arena_at(&server->ring, "ring inputs", request->input_offset, in.bytes, err);
    if (!input)
        return -1;
    const void *row =
        bp_arena_at(&server->sample, "sample", 0, shape->head_dim * bp_dtype_size(dtype), err);
    if (!row)
        return -1;
    BP_AUTO_FREE void *reference = malloc(bp_reference_one_row_bytes(shape->head_dim));
    if (!reference)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the reference of a row");
    struct bp_case item = {*shape, BP_FAMILY_gauss, 1};
    struct bp_row at = {request->batch, request->head, request->token};
    bp_reference_make_row(&item, dtype, BP_STRICT, at, input, reference);
    bp_judge_row(&item, dtype, at, reference, row, judgement);
    return 0;
}

static int serve_sample(struct server *server, const struct bp_msg_sample_request *request,
                        struct bp_error *err)
{
    struct bp_judgement judgement;
    if (judge_sample(server, request, &judgement, err) < 0)
        return -1;
    if (bp_weakened(BP_DEFENCE_judged_row))
        judgement.verdict = BP_VERDICT_PASS;
    struct bp_msg_sample_result result = {.verdict = judgement.verdict};
    if (judgement.verdict != BP_VERDICT_PASS)
        snprintf(result.message, sizeof result.message, "shape %s, timed call: %s",
                 request->shape.name, judgement.message);
    return bp_channel_send(server->channel, BP_MESSAGE_sample_result, &result, err);
}

static int serve(struct server *server, enum bp_message_type type, const void *message,
                 struct bp_error *err)
{
    if (map_arenas(server, err) < 0)
        return -1;
    if (type == BP_MESSAGE_judge_request)
        return serve_cases(server, message, err);
    return serve_sample(server, message, err);
}

int bp_stage_judge(struct bp_channel *channel)
{
    static const enum bp_message_type allowed[] = {BP_MESSAGE_judge_request,
                                                   BP_MESSAGE_sample_request, BP_MESSAGE_COUNT};
    struct server server = {.channel = channel};
    struct bp_error err;
    int status;
    for (;;) {
        BP_AUTO_FREE void *message = NULL;
        enum bp_message_type type;
        status = bp_channel_receive(channel, allowed, &type, &message, &err);
        if (status <= 0)
            break;
        status = serve(&server, type, message, &err);
        if (status < 0)
            break;
    }
    bp_arena_unmap(&server.masters);
    bp_arena_unmap(&server.references);
    bp_arena_unmap(&server.inputs);
    bp_arena_unmap(&server.outputs);
    bp_arena_unmap(&server.ring);
    bp_arena_unmap(&server.sample);
    if (status == 0)
        return EXIT_SUCCESS;
    bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
    return EXIT_FAILURE;
}
