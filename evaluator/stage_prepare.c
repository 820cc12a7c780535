/* The prepare stage: a trusted server that makes inputs and references and copies them, permuted,
 * for each evaluation. It never sees a candidate, and no candidate ever maps its arenas. */
#include "evaluator/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/weaken.h"
#include "evaluator/fresh.h"
#include "evaluator/inputs.h"
#include "evaluator/permutation.h"
#include "evaluator/reference.h"
#include "evaluator/shelf.h"

struct server {
    struct bp_channel *channel;
    struct bp_arena masters, references;
    bool mapped;
    struct bp_shelf made, filled; /* masters and references; what fills write to */
    struct bp_fresh *fresh;       /* owned; null before the first use */
};

/* Two arenas that the supervisor sent the descriptors of. */
struct pair {
    const char *first_name, *second_name;
    struct bp_arena *first, *second;
};

static int take_pair(struct bp_channel *channel, struct bp_shelf *shelf, const struct pair *pair,
                     struct bp_error *err)
{
    int fds[2];
    if (bp_channel_receive_fds(channel, fds, 2, err) < 0)
        return -1;
    BP_AUTO_FD int second_fd = fds[1];
    if (bp_shelf_take(shelf, fds[0], pair->first_name, pair->first, err) < 0)
        return -1;
    return bp_shelf_take(shelf, bp_steal_fd(&second_fd), pair->second_name, pair->second, err);
}

static int serve_arenas(struct server *server, const struct bp_msg_arenas_request *request,
                        struct bp_error *err)
{
    struct pair arenas = {"masters", "references", &server->masters, &server->references};
    if (server->mapped)
        return bp_fail(err, BP_ERR_PROTOCOL, "a second pair of arenas");
    if (take_pair(server->channel, &server->made, &arenas, err) < 0)
        return -1;
    server->mapped = true;
    if (request->masters_bytes > server->masters.size ||
        request->references_bytes > server->references.size)
        return bp_fail(err, BP_ERR_PROTOCOL, "arenas smaller than announced");
    struct bp_msg_arenas_result result = {server->masters.size + server->references.size};
    return bp_channel_send(server->channel, BP_MESSAGE_arenas_result, &result, err);
}

static int check_kind(uint32_t dtype, uint32_t family, uint32_t strictness, struct bp_error *err)
{
    if (dtype < BP_DTYPE_COUNT && family < BP_FAMILY_COUNT && strictness < BP_STRICTNESS_COUNT)
        return 0;
    return bp_fail(err, BP_ERR_PROTOCOL, "dtype %u, family %u or strictness %u is unknown", dtype,
                   family, strictness);
}

static int serve_make(struct server *server, const struct bp_msg_make_request *request,
                      struct bp_error *err)
{
    if (check_kind(request->dtype, request->family, request->strictness, err) < 0 ||
        bp_shape_check(&request->shape, err) < 0)
        return -1;
    if (request->max_rows == 0)
        return bp_fail(err, BP_ERR_PROTOCOL, "a case without rows");

    struct bp_case item = {request->shape, (enum bp_family)request->family, request->max_rows};
    enum bp_dtype dtype = (enum bp_dtype)request->dtype;
    struct bp_input_layout layout;
    bp_layout_inputs(&item.shape, dtype, &layout);
    void *master =
        bp_arena_at(&server->masters, "masters", request->master_offset, layout.bytes, err);
    if (!master)
        return -1;
    void *reference = bp_arena_at(&server->references, "references", request->reference_offset,
                                  bp_reference_bytes(&item), err);
    if (!reference)
        return -1;
    bp_layout_guard_inputs(&layout, request->canary, master);
    bp_inputs_make(&item.shape, item.family, dtype, &request->inputs_key, master);
    bp_reference_make(&item, dtype, (enum bp_strictness)request->strictness, &request->rows_key,
                      master, reference);
    struct bp_msg_make_result result = {bp_rows_count(&item.shape, item.max_rows)};
    return bp_channel_send(server->channel, BP_MESSAGE_make_result, &result, err);
}

struct targets {
    struct bp_arena inputs, outputs;
};

static int fill_inputs(const struct server *server, const struct targets *targets,
                       const struct bp_fill *fill, uint64_t *bytes, struct bp_error *err)
{
    enum bp_dtype dtype = (enum bp_dtype)fill->dtype;
    struct bp_input_layout layout;
    bp_layout_inputs(&fill->shape, dtype, &layout);
    const void *master =
        bp_arena_at(&server->masters, "masters", fill->master_offset, layout.bytes, err);
    if (!master)
        return -1;
    for (uint32_t i = 0; i < fill->slots; i++) {
        struct bp_permutation permutation;
        uint8_t *input = bp_arena_at(&targets->inputs, "inputs",
                                     fill->input_offset + i * layout.bytes, layout.bytes, err);
        if (!input)
            return -1;
        bp_permutation_of_slot(&fill->shape, &fill->permutation_key, i, &permutation);
        bp_permutation_copy(&fill->shape, dtype, &permutation, master, input);
        bp_layout_guard_inputs(&layout, fill->canary, input);
        *bytes += layout.bytes;
    }
    return 0;
}

static int fill_output(const struct targets *targets, const struct bp_fill *fill, uint64_t offset,
                       enum bp_poison poison, uint64_t *bytes, struct bp_error *err)
{
    struct bp_output_layout layout;
    bp_layout_outputs(&fill->shape, (enum bp_dtype)fill->dtype, &layout);
    uint8_t *output = bp_arena_at(&targets->outputs, "outputs", offset, layout.bytes, err);
    if (!output)
        return -1;
    bp_layout_guard_outputs(&layout, fill->canary, output);
    bp_layout_poison_output(&layout, poison, output);
    *bytes += layout.bytes;
    return 0;
}

static int fill_outputs(const struct targets *targets, const struct bp_fill *fill, uint64_t *bytes,
                        struct bp_error *err)
{
    struct bp_output_layout layout;
    bp_layout_outputs(&fill->shape, (enum bp_dtype)fill->dtype, &layout);
    for (uint32_t i = 0; i < fill->slots; i++)
        if (fill_output(targets, fill, fill->output_offset + i * layout.bytes, BP_POISON_LARGE,
                        bytes, err) < 0)
            return -1;
    return 0;
}

static struct bp_fresh *fresh_of(struct server *server, enum bp_dtype dtype, struct bp_error *err)
{
    if (server->fresh && server->fresh->dtype == dtype)
        return server->fresh;
    if (!server->fresh && !(server->fresh = malloc(sizeof *server->fresh))) {
        bp_fail(err, BP_ERR_MEMORY, "no memory for normal deviates");
        return NULL;
    }
    bp_fresh_open(server->fresh, dtype);
    return server->fresh;
}

static int fill_fresh(struct server *server, const struct targets *targets,
                      const struct bp_fill *fill, uint64_t *bytes, struct bp_error *err)
{
    enum bp_dtype dtype = (enum bp_dtype)fill->dtype;
    struct bp_input_layout in;
    struct bp_output_layout out;
    bp_layout_inputs(&fill->shape, dtype, &in);
    bp_layout_outputs(&fill->shape, dtype, &out);
    uint64_t input_bytes = fill->slots * in.bytes, output_bytes = fill->slots * out.bytes;
    void *inputs = bp_arena_at(&targets->inputs, "inputs", fill->input_offset, input_bytes, err);
    if (!inputs)
        return -1;
    uint8_t *outputs =
        bp_arena_at(&targets->outputs, "outputs", fill->output_offset, output_bytes, err);
    if (!outputs)
        return -1;
    struct bp_fresh *fresh = fresh_of(server, dtype, err);
    if (!fresh)
        return -1;
    bp_fresh_fill(fresh, &fill->shape, &fill->permutation_key, fill->slots, inputs);
    for (uint32_t i = 0; i < fill->slots; i++)
        bp_layout_poison_output(&out, BP_POISON_LARGE, outputs + i * out.bytes);
    *bytes += input_bytes + output_bytes;
    return 0;
}

/* Adds the bytes written to *bytes. */
static int fill_slots(struct server *server, const struct targets *targets,
                      const struct bp_fill *fill, uint64_t *bytes, struct bp_error *err)
{
    if (check_kind(fill->dtype, 0, 0, err) < 0 || bp_shape_check(&fill->shape, err) < 0)
        return -1;
    if (fill->parts & BP_FILL_FRESH)
        return fill_fresh(server, targets, fill, bytes, err);
    if ((fill->parts & BP_FILL_INPUTS) && fill_inputs(server, targets, fill, bytes, err) < 0)
        return -1;
    if ((fill->parts & BP_FILL_OUTPUTS) && fill_outputs(targets, fill, bytes, err) < 0)
        return -1;
    if ((fill->parts & BP_FILL_AGAIN) &&
        fill_output(targets, fill, fill->again_offset, BP_POISON_NAN, bytes, err) < 0)
        return -1;
    return 0;
}

static void scrub(const struct bp_arena *arena)
{
    if (arena->size > 0 && !bp_weakened(BP_DEFENCE_scrub))
        memset(arena->base, 0, arena->size);
}

static int serve_fill(struct server *server, const struct bp_msg_fill_request *request,
                      struct bp_error *err)
{
    struct targets targets;
    struct bp_msg_fill_result result = {0};
    struct pair arenas = {"inputs", "outputs", &targets.inputs, &targets.outputs};
    if (take_pair(server->channel, &server->filled, &arenas, err) < 0)
        return -1;
    if (request->scrub & BP_SCRUB_INPUTS)
        scrub(&targets.inputs);
    if (request->scrub & BP_SCRUB_OUTPUTS)
        scrub(&targets.outputs);
    for (uint32_t i = 0; i < request->fill_count; i++)
        if (fill_slots(server, &targets, &request->fills[i], &result.bytes, err) < 0)
            return -1;
    return bp_channel_send(server->channel, BP_MESSAGE_fill_result, &result, err);
}

static int serve(struct server *server, enum bp_message_type type, const void *message,
                 struct bp_error *err)
{
    if (type == BP_MESSAGE_arenas_request)
        return serve_arenas(server, message, err);
    if (type == BP_MESSAGE_make_request)
        return serve_make(server, message, err);
    return serve_fill(server, message, err);
}

int bp_stage_prepare(struct bp_channel *channel)
{
    static const enum bp_message_type allowed[] = {BP_MESSAGE_arenas_request,
                                                   BP_MESSAGE_make_request, BP_MESSAGE_fill_request,
                                                   BP_MESSAGE_COUNT};
    struct server server = {.channel = channel};
    struct bp_error err;
    int received;
    for (;;) {
        BP_AUTO_FREE void *message = NULL;
        enum bp_message_type type;
        received = bp_channel_receive(channel, allowed, &type, &message, &err);
        if (received <= 0)
            break;
        received = serve(&server, type, message, &err);
        if (received < 0)
            break;
    }
    bp_shelf_clear(&server.made);
    bp_shelf_clear(&server.filled);
    free(server.fresh);
    if (received == 0)
        return EXIT_SUCCESS;
    bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
    return EXIT_FAILURE;
}
