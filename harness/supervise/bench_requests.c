/* What the run and judge children of a bench are started with and asked. */
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "evaluator/layout.h"
#include "harness/supervise/bench_parts.h"
#include "harness/supervise/evidence.h"
#include "harness/supervise/policies.h"
#include "harness/supervise/sabotage.h"

/* ---- secrets of an evaluation, for its fill and for its judge ---- */

uint64_t bp_bench_canary(const struct bp_bench *bench, const char *purpose, uint64_t number)
{
    struct bp_key key;
    uint64_t canary;
    bp_key_derive(&bench->options.run_key, purpose, number, &key);
    memcpy(&canary, key.bytes, sizeof canary);
    return canary;
}

void bp_bench_permutation_key(const struct bp_bench *bench, const char *purpose, uint64_t number,
                              uint32_t index, struct bp_key *key)
{
    struct bp_key evaluation_key;
    bp_key_derive(&bench->options.run_key, purpose, number, &evaluation_key);
    bp_key_derive(&evaluation_key, "permutation", index, key);
}

/* ---- children ---- */

/* Address space a run child may use: every arena it maps, its workspace, and the settings' memory. */
static uint64_t run_memory_bytes(const struct bp_bench *bench)
{
    return bench->inputs_bytes + bench->outputs_bytes + bench->ring_inputs_bytes +
           bench->ring_outputs_bytes + bench->options.children.workspace_max_bytes +
           bench->options.children.memory_bytes;
}

static int start_child(const struct bp_bench *bench, struct bp_child_options *options,
                       struct bp_child **child, struct bp_error *err)
{
    const struct bp_child_settings *settings = &bench->options.children;
    options->loop = settings->loop;
    options->worker_path = settings->worker_path;
    options->log_max_bytes = settings->log_max_bytes;
    options->frames_max_bytes = BP_EVIDENCE_FRAMES_MAX;
    return bp_child_start(options, child, err);
}

int bp_bench_start_run(const struct bp_bench *bench, const struct bp_child_handlers *handlers,
                       void *context, struct bp_child **child, struct bp_error *err)
{
    struct bp_child_options options = {.stage = "run",
                                       .policy = bp_policies_of(bench->options.kind)->run,
                                       .limits = {.memory_bytes = run_memory_bytes(bench),
                                                  .device = bench->options.children.device_node},
                                       .handlers = handlers,
                                       .context = context};
    return start_child(bench, &options, child, err);
}

int bp_bench_start_judge(const struct bp_bench *bench, const struct bp_child_handlers *handlers,
                         void *context, struct bp_child **child, struct bp_error *err)
{
    struct bp_child_options options = {
        .stage = "judge", .policy = BP_POLICY_JUDGE, .handlers = handlers, .context = context};
    return start_child(bench, &options, child, err);
}

static void fill_run_request(const struct bp_bench *bench, const struct bp_bench_object *object,
                             struct bp_msg_run_request *request)
{
    const struct bp_suite *suite = bench->options.suite;
    *request = (struct bp_msg_run_request){
        .dtype = bench->options.dtype,
        .threads = bench->options.threads,
        .object_bytes = object->bytes,
        .workspace_max_bytes = bench->options.children.workspace_max_bytes,
        .case_count = object->with_cases ? suite->case_count : 0,
        .timed_count = suite->timed_count,
        .hold = object->hold,
    };
    memcpy(request->device, bench->options.device, sizeof request->device);
    bp_sabotage_device(bench->options.kind, bench->options.device, request->faults);
    for (uint32_t i = 0; i < request->case_count; i++)
        request->cases[i] =
            (struct bp_run_case){suite->cases[i].shape, bench->cases[i].input_offset,
                                 bench->cases[i].output_offset, bench->cases[i].again_offset};
    for (uint32_t i = 0; i < suite->timed_count; i++)
        request->timed[i] =
            (struct bp_run_timed){suite->timed[i], bench->timed[i].slots,
                                  bench->timed[i].input_offset, bench->timed[i].output_offset};
}

int bp_bench_request_run(const struct bp_bench *bench, struct bp_child *child,
                         const struct bp_bench_object *object, struct bp_error *err)
{
    BP_AUTO_SCOPE uint32_t outer = bp_fault_enter(bp_child_fault_scope(child));
    BP_AUTO_FREE struct bp_msg_run_request *request = bp_fault_malloc(sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a run request");
    fill_run_request(bench, object, request);
    int fds[5];
    bp_bench_run_fds(bench, object->lane, object->side, object->fd, fds);
    return bp_child_request(child, BP_MESSAGE_run_request, request, fds, 5,
                            bench->options.children.run_ms, err);
}

static void judge_item(const struct bp_bench *bench, uint32_t index, struct bp_judge_item *item)
{
    const struct bp_case *source = &bench->options.suite->cases[index];
    const struct bp_bench_case *place = &bench->cases[index];
    *item = (struct bp_judge_item){
        .shape = source->shape,
        .family = source->family,
        .dtype = bench->options.dtype,
        .max_rows = source->max_rows,
        .rows_key = place->rows_key,
        .master_offset = place->master_offset,
        .reference_offset = place->reference_offset,
        .input_offset = place->input_offset,
        .output_offset = place->output_offset,
        .again_offset = place->again_offset,
    };
}

void bp_bench_judge_request(const struct bp_bench *bench, uint64_t evaluation,
                            struct bp_msg_judge_request *request)
{
    request->item_count = bench->options.suite->case_count;
    for (uint32_t i = 0; i < request->item_count; i++) {
        struct bp_judge_item *item = &request->items[i];
        judge_item(bench, i, item);
        item->canary = bp_bench_canary(bench, "canary", evaluation);
        bp_bench_permutation_key(bench, "evaluation", evaluation, i, &item->permutation_key);
    }
}

void bp_bench_run_fds(const struct bp_bench *bench, uint32_t lane, enum bp_ring_side side,
                      int object_fd, int fds[5])
{
    fds[0] = object_fd;
    fds[1] = bench->lanes[lane].inputs_fd;
    fds[2] = bench->lanes[lane].outputs_fd;
    fds[3] = bench->ring_inputs_ro;
    fds[4] = bench->ring_outputs_fd[side];
}

void bp_bench_judge_fds(const struct bp_bench *bench, uint32_t lane, int sample_fd,
                        int fds[BP_JUDGE_FDS])
{
    fds[0] = bench->masters_ro;
    fds[1] = bench->references_ro;
    fds[2] = bench->lanes[lane].inputs_fd;
    fds[3] = bench->lanes[lane].outputs_fd;
    fds[4] = bench->ring_inputs_ro;
    fds[5] = sample_fd;
}

/* ---- samples of timed outputs ---- */

void bp_bench_choose_sample(const struct bp_bench *bench, uint32_t timed, uint32_t first_slot,
                            uint32_t calls, uint64_t draw, struct bp_sample *sample)
{
    const struct bp_bench_timed *place = &bench->timed[timed];
    const struct bp_shape *shape = &bench->options.suite->timed[timed];
    struct bp_input_layout in;
    struct bp_output_layout out;
    struct bp_key key;
    struct bp_random random;
    bp_layout_inputs(shape, bench->options.dtype, &in);
    bp_layout_outputs(shape, bench->options.dtype, &out);
    bp_key_derive(&bench->options.run_key, "sample", draw, &key);
    bp_random_start(&random, &key);
    uint32_t slot = (first_slot + (uint32_t)bp_random_below(&random, calls)) % place->slots;
    struct bp_msg_sample_request *judged = &sample->judged;
    *judged = (struct bp_msg_sample_request){
        .shape = *shape,
        .dtype = bench->options.dtype,
        .batch = (uint32_t)bp_random_below(&random, shape->batch),
        .head = (uint32_t)bp_random_below(&random, shape->q_heads),
        .token = (uint32_t)bp_random_below(&random, shape->q_len),
        .input_offset = place->input_offset + slot * in.bytes,
    };
    size_t row_bytes = shape->head_dim * bp_dtype_size(bench->options.dtype);
    uint64_t row_number =
        ((uint64_t)judged->batch * shape->q_heads + judged->head) * shape->q_len + judged->token;
    sample->fetched = (struct bp_msg_fetch_request){.timed = timed,
                                                    .slot = slot,
                                                    .offset = out.o.offset + row_number * row_bytes,
                                                    .bytes = row_bytes};
}

int bp_bench_read_sample(const struct bp_bench *bench, enum bp_ring_side side,
                         const struct bp_sample *sample, void *row, struct bp_error *err)
{
    const struct bp_msg_fetch_request *part = &sample->fetched;
    struct bp_output_layout out;
    bp_layout_outputs(&sample->judged.shape, bench->options.dtype, &out);
    uint64_t offset =
        bench->timed[part->timed].output_offset + part->slot * out.bytes + part->offset;
    if (pread(bench->ring_outputs_fd[side], row, part->bytes, (off_t)offset) !=
        (ssize_t)part->bytes)
        return bp_fail_errno(err, "cannot read a timed output");
    return 0;
}
