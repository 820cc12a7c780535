/* The gate child: an instrumented object, called once forwards and once backwards for each shape that
 * its plan supports, on inputs of the stage's own. It stops at the first finding. Like the run child it
 * executes candidate code behind the candidate's filter, and nothing it says is believed beyond what
 * harness/supervise/outcome.c allows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "evaluator/candidate.h"
#include "evaluator/gate.h"
#include "evaluator/simt.h"
#include "evaluator/stage.h"

#define PAGE 4096u
#define GAP (64u << 10) /* around each tensor: what is no finding there still faults */
#define EXIT_INFRA 20
#define POISON 0x7f

struct gate_run {
    struct bp_channel *channel;
    struct bp_msg_gate_request *request; /* owned */
    struct bp_device_module *module;
    struct bp_msg_gate_result result;
    char message[BP_TEXT_LINE];
};

/* Where the tensors of one shape are. */
struct tensors {
    unsigned char *base; /* owned mapping of size bytes */
    size_t size;
    struct bp_gate_call call;
};

static const struct bp_device *const device = &bp_device_cpu_gates;

__attribute__((noreturn)) static void stop(void *context, const struct bp_msg_gate_result *finding)
{
    struct gate_run *run = context;
    struct bp_msg_gate_result result = *finding;
    struct bp_error err;
    result.shapes = run->result.shapes;
    if (bp_channel_send(run->channel, BP_MESSAGE_gate_result, &result, &err) < 0)
        _exit(EXIT_INFRA);
    _exit(0);
}

/* ---- tensors ---- */

static size_t pages(uint64_t bytes)
{
    return (size_t)((bytes + PAGE - 1) / PAGE * PAGE);
}

/* The next tensor behind a gap; null when there is no memory. Nothing for no bytes. */
static void *place(struct tensors *tensors, size_t *used, uint64_t bytes)
{
    unsigned char *at = tensors->base + *used;
    *used += pages(bytes) + GAP;
    if (bytes == 0)
        return at;
    void *mapped = mmap(at, pages(bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static int open_tensors(const struct bp_shape *shape, enum bp_dtype dtype, uint64_t workspace_bytes,
                        struct tensors *tensors, struct bp_error *err)
{
    struct bp_gate_call *call = &tensors->call;
    size_t element = bp_dtype_size(dtype), used = GAP;
    call->q_bytes = bp_shape_q_elements(shape) * element;
    call->kv_bytes = bp_shape_kv_elements(shape) * element;
    call->kv_lens_bytes = shape->ragged ? shape->batch * sizeof(gqa_i32) : 0;
    call->workspace_bytes = workspace_bytes;
    tensors->size = 2 * pages(call->q_bytes) + 2 * pages(call->kv_bytes) +
                    pages(call->kv_lens_bytes) + pages(workspace_bytes) + (size_t)7 * GAP;
    tensors->base =
        mmap(NULL, tensors->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tensors->base == MAP_FAILED)
        return bp_fail_errno(err, "no memory for shape %s", shape->name);
    call->q = place(tensors, &used, call->q_bytes);
    call->k = place(tensors, &used, call->kv_bytes);
    call->v = place(tensors, &used, call->kv_bytes);
    call->kv_lens = place(tensors, &used, call->kv_lens_bytes);
    call->o = place(tensors, &used, call->q_bytes);
    call->workspace = place(tensors, &used, workspace_bytes);
    if (!call->q || !call->k || !call->v || !call->kv_lens || !call->o || !call->workspace)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for shape %s", shape->name);
    return 0;
}

static void *writable(const void *tensor)
{
    return (void *)(uintptr_t)tensor;
}

static void fill_kv_lens(const struct bp_shape *shape, gqa_i32 *kv_lens)
{
    for (uint32_t b = 0; shape->ragged && b < shape->batch; b++)
        kv_lens[b] = (gqa_i32)bp_shape_kv_len(shape, b);
}

/* Values that nobody has to keep secret, the same each time: a finding comes again. */
static void fill_inputs(const struct bp_shape *shape, enum bp_dtype dtype,
                        const struct tensors *tensors)
{
    const struct bp_gate_call *call = &tensors->call;
    const struct {
        const void *tensor;
        uint64_t bytes;
    } inputs[] = {{call->q, call->q_bytes}, {call->k, call->kv_bytes}, {call->v, call->kv_bytes}};
    struct bp_key key = {.bytes = {0}};
    struct bp_random random;
    bp_random_start(&random, &key);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        unsigned char *at = writable(inputs[i].tensor), *end = at + inputs[i].bytes;
        for (; at < end; at += bp_dtype_size(dtype))
            bp_dtype_store(dtype, at, 2 * bp_random_unit(&random) - 1);
    }
    fill_kv_lens(shape, writable(call->kv_lens));
    memset(writable(call->o), POISON, call->q_bytes);
    memset(writable(call->workspace), POISON, call->workspace_bytes);
}

/* ---- calls ---- */

static enum bp_verdict call_and_watch(struct gate_run *run, const struct bp_shape *shape,
                                      const struct gqa_launch_plan *plan,
                                      const struct tensors *tensors, struct bp_error *err)
{
    const struct bp_gate_call *call = &tensors->call;
    struct gqa_shape abi;
    bp_shape_to_abi(shape, shape->ragged ? call->kv_lens : NULL, &abi);
    if (bp_gate_begin_call(call, err) < 0)
        return BP_VERDICT_INFRA;
    enum bp_verdict verdict =
        device->launch(run->module, plan, &abi, call->q, call->k, call->v, writable(call->o),
                       call->workspace_bytes ? writable(call->workspace) : NULL, run->message);
    if (verdict != BP_VERDICT_RACE || !(run->request->gates & 1u << BP_GATE_barrier))
        return verdict;
    struct bp_msg_gate_result finding;
    bp_gate_of_fault(run->message, &finding);
    stop(run, &finding);
}

/* PASS also when the plan refuses the shape; what else says that the gates cannot be run, and why is
 * in run->message. */
static enum bp_verdict try_shape(struct gate_run *run, const struct bp_shape *shape,
                                 struct bp_error *err)
{
    static const enum bp_simt_order orders[] = {BP_SIMT_FORWARD, BP_SIMT_REVERSED};
    struct gqa_launch_plan plan;
    struct gqa_shape abi;
    struct tensors tensors = {0};
    gqa_i32 kv_lens[BP_MAX_BATCH];
    fill_kv_lens(shape, kv_lens);
    bp_shape_to_abi(shape, shape->ragged ? kv_lens : NULL, &abi);
    enum bp_verdict verdict = device->plan(run->module, &abi, &plan, run->message);
    if (verdict == BP_VERDICT_PASS)
        verdict =
            bp_plan_check(&plan, device->limits, run->request->workspace_max_bytes, run->message);
    if (verdict == BP_VERDICT_UNSUPPORTED) {
        memcpy(run->result.refusal, run->message, sizeof run->result.refusal);
        return BP_VERDICT_PASS;
    }
    if (verdict == BP_VERDICT_PASS &&
        open_tensors(shape, run->request->dtype, plan.workspace_bytes, &tensors, err) < 0)
        return BP_VERDICT_INFRA;
    for (size_t i = 0; verdict == BP_VERDICT_PASS && i < sizeof orders / sizeof *orders; i++) {
        fill_inputs(shape, run->request->dtype, &tensors);
        bp_simt_set_order(orders[i]);
        verdict = call_and_watch(run, shape, &plan, &tensors, err);
    }
    if (tensors.base)
        munmap(tensors.base, tensors.size);
    run->result.shapes += verdict == BP_VERDICT_PASS;
    return verdict;
}

/* Of the processor's time, so that a busy machine does not decide how much is looked at. */
static double spent_ms(void)
{
    struct timespec spent = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double)spent.tv_sec * 1e3 + (double)spent.tv_nsec * 1e-6;
}

static int try_shapes(struct gate_run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    for (uint32_t i = 0; i < run->request->shape_count; i++) {
        if (spent_ms() > run->request->budget_ms)
            break;
        *verdict = try_shape(run, &run->request->shapes[i], err);
        if (*verdict == BP_VERDICT_INFRA)
            return -1;
        if (*verdict != BP_VERDICT_PASS)
            return 0;
    }
    run->result.verdict = BP_VERDICT_PASS;
    return bp_channel_send(run->channel, BP_MESSAGE_gate_result, &run->result, err);
}

/* ---- before the candidate ---- */

static int prepare(struct gate_run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    int fds[1];
    if (bp_channel_receive_fds(run->channel, fds, 1, err) < 0)
        return -1;
    BP_AUTO_FD int object_fd = fds[0];
    for (uint32_t i = 0; i < run->request->shape_count; i++)
        if (bp_shape_check(&run->request->shapes[i], err) < 0)
            return -1;
    if (bp_gate_open(run->request->gates, stop, run, err) < 0 || device->open("cpu", 1, err) < 0)
        return -1;
    struct bp_candidate_object object = {device, bp_steal_fd(&object_fd),
                                         run->request->object_bytes};
    return bp_candidate_admit(run->channel, object, &run->module, verdict, run->message, err);
}

/* One request, one answer: the child is of no use afterwards. */
static int serve(struct gate_run *run, enum bp_verdict *verdict, struct bp_error *err)
{
    void *request = NULL;
    int received = bp_channel_receive_only(run->channel, BP_MESSAGE_gate_request, &request, err);
    if (received <= 0)
        return received;
    run->request = request;
    if (prepare(run, verdict, err) < 0)
        return -1;
    return *verdict == BP_VERDICT_PASS ? try_shapes(run, verdict, err) : 0;
}

int bp_stage_gate(struct bp_channel *channel)
{
    struct bp_error err;
    enum bp_verdict verdict = BP_VERDICT_PASS;
    struct gate_run *run = calloc(1, sizeof *run);
    if (!run) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "no memory");
        return EXIT_INFRA;
    }
    run->channel = channel;
    if (serve(run, &verdict, &err) < 0) {
        bp_channel_fail(channel, BP_VERDICT_INFRA, "%s", err.msg);
        _exit(EXIT_INFRA);
    }
    if (verdict != BP_VERDICT_PASS)
        bp_channel_fail(channel, verdict, "%s", run->message);
    _exit(0);
}
