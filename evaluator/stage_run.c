/* The run child: the one process that executes candidate code. Everything it needs afterwards is
 * opened, mapped and allocated before the object is loaded; from the candidate filter on, requests
 * are read, kernels called and answers written, and nothing this process says is believed beyond
 * what harness/supervise can check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/weaken.h"
#include "evaluator/candidate.h"
#include "evaluator/hold.h"
#include "evaluator/run_targets.h"
#include "evaluator/stage.h"

#define EXIT_INFRA 20

/* Bytes that are a huge number or NaN in every dtype and a huge integer: a sum into workspace that
 * the kernel did not clear cannot pass. In the second call they are huge and negative: what is
 * neutral to a maximum or a minimum in one call is not in the other. */
static const int workspace_poison[2] = {0x7f, 0xfe};

struct run {
    struct bp_channel *channel;
    const struct bp_device *device;
    struct bp_device_module *module;
    struct bp_msg_run_request *request; /* owned */
    struct bp_run_targets targets;
    struct gqa_launch_plan plans[BP_MAX_PLANS];
    unsigned char *workspace_end; /* a guard follows; null when no plan wants any */
    struct bp_msg_plan_result result;
    struct bp_counters counters; /* of the cases' first calls */
    char message[BP_TEXT_LINE];
};

/* ---- before the candidate ---- */

static int prepare(struct run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    int fds[BP_RUN_FDS];
    if (bp_channel_receive_fds(run->channel, fds, BP_RUN_FDS, err) < 0)
        return -1;
    BP_AUTO_FD int object_fd = fds[BP_RUN_FD_OBJECT];
    run->device = bp_device_find(run->request->device);
    if (!run->device)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "this worker has no device '%s'",
                       run->request->device);
    if (bp_device_inject(run->request->faults, err) < 0 ||
        run->device->open(run->request->device, run->request->threads, err) < 0 ||
        bp_run_targets_map(&run->targets, run->device, fds, err) < 0 ||
        bp_run_targets_set(&run->targets, run->request, err) < 0)
        return -1;
    struct bp_candidate_object object = {run->device, bp_steal_fd(&object_fd),
                                         run->request->object_bytes};
    return bp_candidate_admit(run->channel, object, &run->module, verdict, run->message, err);
}

/* ---- with the candidate ---- */

static enum bp_verdict copy_in(struct run *run, struct bp_run_place place, size_t bytes)
{
    return run->device->copy_in(place.there, place.host, bytes, run->message);
}

static enum bp_verdict copy_out(struct run *run, struct bp_run_place place, size_t bytes)
{
    return run->device->copy_out(place.host, place.there, bytes, run->message);
}

/* Inputs: of a slot of the target, there. */
static void shape_of_slot(const struct bp_run_target *target, const unsigned char *inputs,
                          struct gqa_shape *shape)
{
    const void *kv_lens = target->shape->ragged ? inputs + target->in.kv_lens.offset : NULL;
    bp_shape_to_abi(target->shape, kv_lens, shape);
}

static void record_plan(const struct bp_run_target *target, const struct gqa_launch_plan *plan,
                        struct bp_plan_record *record)
{
    memcpy(record->shape, target->shape->name, sizeof record->shape);
    record->launches = plan->launches;
    record->workspace_bytes = plan->workspace_bytes;
    for (uint32_t i = 0; i < plan->launches; i++) {
        memcpy(&record->grid[i * 3], plan->launch[i].grid, sizeof plan->launch[i].grid);
        memcpy(&record->block[i * 3], plan->launch[i].block, sizeof plan->launch[i].block);
        record->dynamic_lds[i] = plan->launch[i].dynamic_lds;
    }
}

static enum bp_verdict make_plans(struct run *run)
{
    for (uint32_t i = 0; i < run->targets.plan_count; i++) {
        const struct bp_run_target *target = run->targets.planned[i];
        struct gqa_shape shape;
        shape_of_slot(target, target->inputs.there, &shape);
        enum bp_verdict verdict = copy_in(run, target->inputs, target->in.bytes);
        if (verdict == BP_VERDICT_PASS)
            verdict = run->device->plan(run->module, &shape, &run->plans[i], run->message);
        if (verdict == BP_VERDICT_PASS)
            verdict = bp_plan_check(&run->plans[i], run->device->limits,
                                    run->request->workspace_max_bytes, run->message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
        record_plan(target, &run->plans[i], &run->result.plans[i]);
    }
    run->result.plan_count = run->targets.plan_count;
    return BP_VERDICT_PASS;
}

static uint64_t workspace_size(const struct gqa_launch_plan *plan)
{
    return (plan->workspace_bytes + BP_TENSOR_ALIGN - 1) / BP_TENSOR_ALIGN * BP_TENSOR_ALIGN;
}

/* One workspace, the largest of all plans; each plan's ends where the guard begins. */
static enum bp_verdict make_workspace(struct run *run)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < run->targets.plan_count; i++) {
        uint64_t wanted = workspace_size(&run->plans[i]);
        bytes = wanted > bytes ? wanted : bytes;
    }
    return bytes ? run->device->workspace(bytes, &run->workspace_end, run->message)
                 : BP_VERDICT_PASS;
}

static void *workspace_of(const struct run *run, const struct gqa_launch_plan *plan)
{
    return run->workspace_end ? run->workspace_end - workspace_size(plan) : NULL;
}

static enum bp_verdict poison_workspace(struct run *run, const struct gqa_launch_plan *plan,
                                        uint32_t again)
{
    if (!run->workspace_end || bp_weakened(BP_DEFENCE_workspace_poison))
        return BP_VERDICT_PASS;
    return run->device->fill(workspace_of(run, plan), workspace_poison[again], workspace_size(plan),
                             run->message);
}

/* Inputs and outputs: slots of the target, there. */
static enum bp_verdict call(struct run *run, const struct bp_run_target *target,
                            const unsigned char *inputs, unsigned char *outputs)
{
    const struct gqa_launch_plan *plan = &run->plans[target->plan];
    struct gqa_shape shape;
    shape_of_slot(target, inputs, &shape);
    return run->device->launch(run->module, plan, &shape, inputs + target->in.q.offset,
                               inputs + target->in.k.offset, inputs + target->in.v.offset,
                               outputs + target->out.o.offset, workspace_of(run, plan),
                               run->message);
}

static void count(const struct run *run, struct bp_counters *now)
{
    *now = (struct bp_counters){0};
    if (run->device->count)
        run->device->count(now);
}

static enum bp_verdict call_and_wait(struct run *run, const struct bp_run_target *target,
                                     unsigned char *outputs, uint32_t again)
{
    struct bp_counters before, after;
    count(run, &before);
    enum bp_verdict verdict = call(run, target, target->inputs.there, outputs);
    if (verdict == BP_VERDICT_PASS)
        verdict = run->device->wait(run->message);
    count(run, &after);
    if (!again)
        bp_counters_add(&run->counters, &before, &after);
    return verdict;
}

/* Inputs and guards are copied back too: whether they are as they were, others will see. */
static enum bp_verdict call_case(struct run *run, const struct bp_run_target *target,
                                 uint32_t again)
{
    struct bp_run_place outputs = again ? target->again : target->outputs;
    enum bp_verdict verdict = poison_workspace(run, &run->plans[target->plan], again);
    if (verdict == BP_VERDICT_PASS)
        verdict = copy_in(run, target->inputs, target->in.bytes);
    if (verdict == BP_VERDICT_PASS)
        verdict = copy_in(run, outputs, target->out.bytes);
    if (verdict == BP_VERDICT_PASS)
        verdict = call_and_wait(run, target, outputs.there, again);
    if (verdict == BP_VERDICT_PASS)
        verdict = copy_out(run, target->inputs, target->in.bytes);
    return verdict == BP_VERDICT_PASS ? copy_out(run, outputs, target->out.bytes) : verdict;
}

/* The answers to requests: 0, or -1 with *verdict set when it is the candidate's. */
static int serve_cases(struct run *run, const void *message, enum bp_verdict *verdict,
                       struct bp_error *err)
{
    const struct bp_msg_cases_request *request = message;
    if (request->first > run->request->case_count ||
        request->count > run->request->case_count - request->first)
        return bp_fail(err, BP_ERR_PROTOCOL, "no such cases");
    for (uint32_t i = 0; i < request->count; i++) {
        *verdict = call_case(run, &run->targets.cases[request->first + i], request->again);
        if (*verdict != BP_VERDICT_PASS)
            return -1;
    }
    struct bp_msg_cases_result result = {.count = request->count};
    return bp_channel_send(run->channel, BP_MESSAGE_cases_result, &result, err);
}

static int serve_count(struct run *run, const void *message, enum bp_verdict *verdict,
                       struct bp_error *err)
{
    const struct bp_msg_count_request *request = message;
    (void)verdict;
    if (request->cases != run->request->case_count)
        return bp_fail(err, BP_ERR_PROTOCOL, "no such cases");
    struct bp_msg_count_result result = {.counters = run->counters};
    return bp_channel_send(run->channel, BP_MESSAGE_count_result, &result, err);
}

static const struct bp_run_target *timed_target(const struct run *run, uint32_t timed,
                                                struct bp_error *err)
{
    if (timed < run->request->timed_count)
        return &run->targets.timed[timed];
    bp_fail(err, BP_ERR_PROTOCOL, "no such timed shape");
    return NULL;
}

static struct bp_run_place at(struct bp_run_place place, uint64_t offset)
{
    return (struct bp_run_place){place.host + offset, place.there + offset};
}

static int serve_upload(struct run *run, const void *message, enum bp_verdict *verdict,
                        struct bp_error *err)
{
    const struct bp_msg_upload_request *request = message;
    const struct bp_run_target *target = timed_target(run, request->timed, err);
    if (!target)
        return -1;
    for (uint32_t i = 0; i < request->calls; i++) {
        uint64_t slot = ((uint64_t)request->first_slot + i) % target->slots;
        *verdict = copy_in(run, at(target->inputs, slot * target->in.bytes), target->in.bytes);
        if (*verdict == BP_VERDICT_PASS)
            *verdict =
                copy_in(run, at(target->outputs, slot * target->out.bytes), target->out.bytes);
        if (*verdict != BP_VERDICT_PASS)
            return -1;
    }
    struct bp_msg_upload_result result = {.calls = request->calls};
    return bp_channel_send(run->channel, BP_MESSAGE_upload_result, &result, err);
}

static int serve_batch(struct run *run, const void *message, enum bp_verdict *verdict,
                       struct bp_error *err)
{
    const struct bp_msg_batch_request *request = message;
    const struct bp_run_target *target = timed_target(run, request->timed, err);
    if (!target)
        return -1;
    uint32_t slot = request->first_slot % target->slots;
    for (uint32_t i = 0; i < request->calls; i++) {
        *verdict = call(run, target, target->inputs.there + (size_t)slot * target->in.bytes,
                        target->outputs.there + (size_t)slot * target->out.bytes);
        if (*verdict != BP_VERDICT_PASS)
            return -1;
        slot = slot + 1 < target->slots ? slot + 1 : 0;
    }
    *verdict = run->device->wait(run->message);
    if (*verdict != BP_VERDICT_PASS)
        return -1;
    struct bp_msg_batch_result result = {.calls = request->calls};
    return bp_channel_send(run->channel, BP_MESSAGE_batch_result, &result, err);
}

static int serve_fetch(struct run *run, const void *message, enum bp_verdict *verdict,
                       struct bp_error *err)
{
    const struct bp_msg_fetch_request *request = message;
    const struct bp_run_target *target = timed_target(run, request->timed, err);
    if (!target)
        return -1;
    if (request->slot >= target->slots || request->offset > target->out.bytes ||
        request->bytes > target->out.bytes - request->offset)
        return bp_fail(err, BP_ERR_PROTOCOL, "no such part of a timed output");
    *verdict =
        copy_out(run, at(target->outputs, request->slot * target->out.bytes + request->offset),
                 request->bytes);
    if (*verdict != BP_VERDICT_PASS)
        return -1;
    struct bp_msg_fetch_result result = {.bytes = request->bytes};
    return bp_channel_send(run->channel, BP_MESSAGE_fetch_result, &result, err);
}

static int (*const servers[BP_MESSAGE_COUNT])(struct run *, const void *, enum bp_verdict *,
                                              struct bp_error *) = {
    [BP_MESSAGE_cases_request] = serve_cases,   [BP_MESSAGE_count_request] = serve_count,
    [BP_MESSAGE_upload_request] = serve_upload, [BP_MESSAGE_batch_request] = serve_batch,
    [BP_MESSAGE_fetch_request] = serve_fetch,
};

/* 1 after an answered request, 0 at the end, -1. */
static int serve_one(struct run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    static const enum bp_message_type allowed[] = {
        BP_MESSAGE_cases_request, BP_MESSAGE_count_request, BP_MESSAGE_upload_request,
        BP_MESSAGE_batch_request, BP_MESSAGE_fetch_request, BP_MESSAGE_COUNT};
    enum bp_message_type type;
    BP_AUTO_FREE void *request = NULL;
    int received = bp_channel_receive(run->channel, allowed, &type, &request, err);
    if (received <= 0)
        return received;
    return servers[type](run, request, verdict, err) < 0 ? -1 : 1;
}

/* From the first instruction of the candidate to the end of the requests. */
static int run_candidate(struct run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    bp_hold(run->request->hold);
    *verdict = make_plans(run);
    if (*verdict == BP_VERDICT_PASS)
        *verdict = make_workspace(run);
    if (*verdict != BP_VERDICT_PASS)
        return -1;
    if (bp_channel_send(run->channel, BP_MESSAGE_plan_result, &run->result, err) < 0)
        return -1;
    int served;
    do
        served = serve_one(run, verdict, err);
    while (served > 0);
    return served;
}

static int serve(struct run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    void *request = NULL;
    int received = bp_channel_receive_only(run->channel, BP_MESSAGE_run_request, &request, err);
    if (received <= 0)
        return received;
    run->request = request;
    if (prepare(run, verdict, err) < 0)
        return -1;
    return *verdict == BP_VERDICT_PASS ? run_candidate(run, verdict, err) : -1;
}

/* Ends the process by _exit: after a candidate, no exit handler and no heap is to be trusted. */
int bp_stage_run(struct bp_channel *channel)
{
    struct bp_error err;
    enum bp_verdict verdict = BP_VERDICT_PASS;
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "no memory");
        return EXIT_INFRA;
    }
    run->channel = channel;
    if (serve(run, &verdict, &err) == 0)
        _exit(0);
    if (verdict == BP_VERDICT_PASS) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        _exit(EXIT_INFRA);
    }
    bp_channel_fail(channel, verdict, "%s", run->message);
    _exit(0);
}
