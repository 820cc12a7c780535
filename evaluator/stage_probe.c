/* The probe stage: is the device well? It runs the project's own eager kernel, never a candidate's,
 * on a small problem whose reference it computes here, twice: the answer must be right, and both
 * times the same. */
#include "evaluator/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "evaluator/device.h"
#include "evaluator/inputs.h"
#include "evaluator/judge.h"

/* Lengths that divide no block, both kinds of head, a mask; a fraction of a millisecond on one core. */
static const struct bp_case probe_case = {
    {"probe", 1, 4, 2, 33, 65, 128, .causal = 1}, BP_FAMILY_gauss, UINT64_MAX};

#define PROBE_SEED 1 /* nothing here is secret */
#define WORKSPACE_MAX_BYTES (64u << 20)

struct probe {
    const struct bp_device *device;
    struct bp_device_module *module; /* owned */
    enum bp_dtype dtype;
    struct bp_input_layout in;
    struct bp_output_layout out;
    struct gqa_launch_plan plan;
    uint8_t *inputs, *outputs[2]; /* owned */
    void *inputs_there, *outputs_there[2];
    unsigned char *workspace_end;
    void *reference; /* owned */
    struct bp_key key;
};

static uint8_t *room(size_t bytes)
{
    size_t whole = (bytes + 4095) / 4096 * 4096 + 4096;
    uint8_t *at = aligned_alloc(4096, whole);
    if (at)
        memset(at, 0, whole);
    return at;
}

static int make_problem(struct probe *probe, struct bp_error *err)
{
    bp_key_from_seed(PROBE_SEED, &probe->key);
    bp_layout_inputs(&probe_case.shape, probe->dtype, &probe->in);
    bp_layout_outputs(&probe_case.shape, probe->dtype, &probe->out);
    probe->inputs = room(probe->in.bytes);
    probe->reference = room(bp_reference_bytes(&probe_case));
    for (int i = 0; i < 2; i++)
        probe->outputs[i] = room(probe->out.bytes);
    if (!probe->inputs || !probe->reference || !probe->outputs[0] || !probe->outputs[1])
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the problem of a probe");
    bp_inputs_make(&probe_case.shape, probe_case.family, probe->dtype, &probe->key, probe->inputs);
    bp_reference_make(&probe_case, probe->dtype, BP_STRICT, &probe->key, probe->inputs,
                      probe->reference);
    return 0;
}

static int mirror(struct probe *probe, struct bp_error *err)
{
    if (probe->device->mirror(probe->inputs, probe->in.bytes, &probe->inputs_there, err) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (probe->device->mirror(probe->outputs[i], probe->out.bytes, &probe->outputs_there[i],
                                  err) < 0)
            return -1;
    return 0;
}

static size_t workspace_bytes(const struct probe *probe)
{
    return (probe->plan.workspace_bytes + BP_TENSOR_ALIGN - 1) / BP_TENSOR_ALIGN * BP_TENSOR_ALIGN;
}

static enum bp_verdict load(struct probe *probe, int object_fd, uint64_t object_bytes,
                            char message[BP_TEXT_LINE])
{
    struct gqa_shape shape;
    enum bp_verdict verdict = probe->device->load(object_fd, object_bytes, &probe->module, message);
    bp_shape_to_abi(&probe_case.shape, NULL, &shape);
    if (verdict == BP_VERDICT_PASS)
        verdict = probe->device->plan(probe->module, &shape, &probe->plan, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = bp_plan_check(&probe->plan, probe->device->limits, WORKSPACE_MAX_BYTES, message);
    if (verdict != BP_VERDICT_PASS || probe->plan.workspace_bytes == 0)
        return verdict;
    return probe->device->workspace(workspace_bytes(probe), &probe->workspace_end, message);
}

static enum bp_verdict launch(struct probe *probe, int output, char message[BP_TEXT_LINE])
{
    struct gqa_shape shape;
    const uint8_t *in = probe->inputs_there;
    uint8_t *out = probe->outputs_there[output];
    void *workspace = probe->workspace_end ? probe->workspace_end - workspace_bytes(probe) : NULL;
    bp_shape_to_abi(&probe_case.shape, NULL, &shape);
    return probe->device->launch(probe->module, &probe->plan, &shape, in + probe->in.q.offset,
                                 in + probe->in.k.offset, in + probe->in.v.offset,
                                 out + probe->out.o.offset, workspace, message);
}

static enum bp_verdict call(struct probe *probe, int output, char message[BP_TEXT_LINE])
{
    const struct bp_device *device = probe->device;
    uint8_t *host = probe->outputs[output];
    void *there = probe->outputs_there[output];
    bp_layout_poison_output(&probe->out, BP_POISON_NAN, host);
    enum bp_verdict verdict =
        device->copy_in(probe->inputs_there, probe->inputs, probe->in.bytes, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = device->copy_in(there, host, probe->out.bytes, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = launch(probe, output, message);
    if (verdict == BP_VERDICT_PASS)
        verdict = device->wait(message);
    return verdict == BP_VERDICT_PASS ? device->copy_out(host, there, probe->out.bytes, message)
                                      : verdict;
}

static enum bp_verdict run(struct probe *probe, struct bp_msg_probe_result *result)
{
    uint64_t started_ns = bp_clock_ns();
    for (int i = 0; i < 2; i++) {
        enum bp_verdict verdict = call(probe, i, result->message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
    }
    result->launch_ms = bp_ns_to_ms(bp_clock_ns() - started_ns);
    return BP_VERDICT_PASS;
}

/* Heads were not permuted: candidate's head h is the master's. */
static enum bp_verdict judge(const struct probe *probe, struct bp_msg_probe_result *result)
{
    struct bp_permutation identity;
    struct bp_judgement judgement;
    for (uint16_t head = 0; head < BP_MAX_HEADS; head++)
        identity.kv_head[head] = identity.q_head[head] = head;
    bp_judge_case(&probe_case, probe->dtype, &probe->key, &identity, probe->reference,
                  probe->outputs[0], &judgement);
    result->max_ratio = judgement.max_ratio;
    if (judgement.verdict != BP_VERDICT_PASS) {
        snprintf(result->message, sizeof result->message, "%s", judgement.message);
        return judgement.verdict;
    }
    const struct bp_extent *o = &probe->out.o;
    if (memcmp(probe->outputs[0] + o->offset, probe->outputs[1] + o->offset, o->bytes) == 0)
        return BP_VERDICT_PASS;
    snprintf(result->message, sizeof result->message, "two calls gave different bits");
    return BP_VERDICT_NONDETERMINISTIC;
}

static int answer(struct probe *probe, const struct bp_msg_probe_request *request, int object_fd,
                  struct bp_msg_probe_result *result, struct bp_error *err)
{
    probe->dtype = (enum bp_dtype)request->dtype;
    probe->device = bp_device_find(request->device);
    if (!probe->device)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "this worker has no device '%s'", request->device);
    if (make_problem(probe, err) < 0 || bp_device_inject(request->faults, err) < 0 ||
        probe->device->open(request->device, request->threads, err) < 0 || mirror(probe, err) < 0)
        return -1;
    result->verdict = load(probe, object_fd, request->object_bytes, result->message);
    if (result->verdict == BP_VERDICT_PASS)
        result->verdict = run(probe, result);
    if (result->verdict == BP_VERDICT_PASS)
        result->verdict = judge(probe, result);
    if (result->verdict == BP_VERDICT_PASS)
        result->message[0] = '\0';
    return 0;
}

static void free_probe(struct probe *probe)
{
    if (probe->device)
        probe->device->unload(probe->module);
    free(probe->inputs);
    free(probe->outputs[0]);
    free(probe->outputs[1]);
    free(probe->reference);
}

static int serve_probe(struct bp_channel *channel, const struct bp_msg_probe_request *request,
                       struct bp_error *err)
{
    int fd;
    if (bp_channel_receive_fds(channel, &fd, 1, err) < 0)
        return -1;
    BP_AUTO_FD int object_fd = fd;
    struct probe probe = {0};
    struct bp_msg_probe_result result = {0};
    int status = answer(&probe, request, object_fd, &result, err);
    free_probe(&probe);
    return status < 0 ? -1 : bp_channel_send(channel, BP_MESSAGE_probe_result, &result, err);
}

static int serve_device(struct bp_channel *channel, const struct bp_msg_device_request *request,
                        struct bp_error *err)
{
    struct bp_msg_device_result result;
    const struct bp_device *device = bp_device_find(request->device);
    if (!device)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "this worker has no device '%s'", request->device);
    if (bp_device_inject(request->faults, err) < 0 || device->open(request->device, 1, err) < 0 ||
        device->describe(&result, err) < 0)
        return -1;
    return bp_channel_send(channel, BP_MESSAGE_device_result, &result, err);
}

/* One request, one answer. */
static int serve(struct bp_channel *channel, struct bp_error *err)
{
    static const enum bp_message_type allowed[] = {BP_MESSAGE_probe_request,
                                                   BP_MESSAGE_device_request, BP_MESSAGE_COUNT};
    enum bp_message_type type;
    BP_AUTO_FREE void *request = NULL;
    int received = bp_channel_receive(channel, allowed, &type, &request, err);
    if (received <= 0)
        return received;
    return type == BP_MESSAGE_probe_request ? serve_probe(channel, request, err)
                                            : serve_device(channel, request, err);
}

int bp_stage_probe(struct bp_channel *channel)
{
    struct bp_error err;
    if (serve(channel, &err) == 0)
        return EXIT_SUCCESS;
    bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
    return EXIT_FAILURE;
}
