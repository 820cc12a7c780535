#include "harness/supervise/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/weaken.h"
#include "evaluator/arena.h"
#include "evaluator/layout.h"
#include "evaluator/reference_block.h"
#include "evaluator/rows.h"
#include "harness/supervise/bench_parts.h"

/* ---- layout ---- */

/* The second outputs lie otherwise in their pages than the first: what depends on an address differs. */
#define AGAIN_SHIFT BP_TENSOR_ALIGN

static void lay_out_cases(struct bp_bench *bench)
{
    const struct bp_suite *suite = bench->options.suite;
    for (uint32_t i = 0; i < suite->case_count; i++) {
        const struct bp_case *item = &suite->cases[i];
        struct bp_bench_case *place = &bench->cases[i];
        struct bp_input_layout in;
        struct bp_output_layout out;
        bp_layout_inputs(&item->shape, bench->options.dtype, &in);
        bp_layout_outputs(&item->shape, bench->options.dtype, &out);
        place->master_offset = place->input_offset = bench->masters_bytes;
        place->output_offset = bench->outputs_bytes;
        place->reference_offset = bench->references_bytes;
        place->rows = bp_rows_count(&item->shape, item->max_rows);
        bp_key_derive(&bench->options.run_key, "rows", i, &place->rows_key);
        bench->masters_bytes += in.bytes;
        bench->outputs_bytes += out.bytes;
        bench->references_bytes += (bp_reference_bytes(item) + 4095) & ~(uint64_t)4095;
    }
    bench->inputs_bytes = bench->masters_bytes;
    for (uint32_t i = 0; i < suite->case_count; i++)
        bench->cases[i].again_offset =
            bench->outputs_bytes + bench->cases[i].output_offset + AGAIN_SHIFT;
    bench->outputs_bytes = 2 * bench->outputs_bytes + AGAIN_SHIFT;
}

static void lay_out_rings(struct bp_bench *bench)
{
    const struct bp_suite *suite = bench->options.suite;
    for (uint32_t i = 0; i < suite->timed_count; i++) {
        struct bp_bench_timed *place = &bench->timed[i];
        struct bp_input_layout in;
        struct bp_output_layout out;
        bp_layout_inputs(&suite->timed[i], bench->options.dtype, &in);
        bp_layout_outputs(&suite->timed[i], bench->options.dtype, &out);
        place->slots = (uint32_t)(bench->options.ring_bytes / in.bytes + 1);
        place->input_offset = bench->ring_inputs_bytes;
        place->output_offset = bench->ring_outputs_bytes;
        bench->ring_inputs_bytes += place->slots * in.bytes;
        bench->ring_outputs_bytes += place->slots * out.bytes;
    }
}

/* Room for whole huge pages, which the prepare child asks for: see BP_ARENA_GRAIN. */
static int open_arena(const char *name, uint64_t bytes, struct bp_error *err)
{
    return bp_io_memfd(name, (bytes + BP_ARENA_GRAIN - 1) / BP_ARENA_GRAIN * BP_ARENA_GRAIN, err);
}

static int open_arenas(struct bp_bench *bench, struct bp_error *err)
{
    if ((bench->masters_fd = open_arena("masters", bench->masters_bytes, err)) < 0 ||
        (bench->references_fd = open_arena("references", bench->references_bytes, err)) < 0 ||
        (bench->ring_inputs_fd = open_arena("ring-inputs", bench->ring_inputs_bytes, err)) < 0 ||
        (bench->masters_ro = bp_io_reopen_readonly(bench->masters_fd, err)) < 0 ||
        (bench->references_ro = bp_io_reopen_readonly(bench->references_fd, err)) < 0 ||
        (bench->ring_inputs_ro = bp_io_reopen_readonly(bench->ring_inputs_fd, err)) < 0)
        return -1;
    for (int side = 0; side < 2; side++)
        if ((bench->ring_outputs_fd[side] =
                 open_arena("ring-outputs", bench->ring_outputs_bytes, err)) < 0)
            return -1;
    for (uint32_t i = 0; i < bench->options.lanes; i++) {
        struct bp_bench_lane *lane = &bench->lanes[i];
        if ((lane->inputs_fd = open_arena("case-inputs", bench->inputs_bytes, err)) < 0 ||
            (lane->outputs_fd = open_arena("case-outputs", bench->outputs_bytes, err)) < 0)
            return -1;
    }
    return 0;
}

/* ---- orders for the prepare child ---- */

int bp_bench_make(struct bp_bench *bench, uint32_t index, bp_prepare_done done, void *context,
                  struct bp_error *err)
{
    const struct bp_case *item = &bench->options.suite->cases[index];
    const struct bp_bench_case *place = &bench->cases[index];
    struct bp_msg_make_request request = {
        .shape = item->shape,
        .family = item->family,
        .dtype = bench->options.dtype,
        .strictness = BP_STRICT,
        .max_rows = item->max_rows,
        .rows_key = place->rows_key,
        .master_offset = place->master_offset,
        .reference_offset = place->reference_offset,
        .canary = bp_bench_canary(bench, "master canary", index),
    };
    bp_key_derive(&bench->options.run_key, "inputs", index, &request.inputs_key);
    struct bp_prepare_order order = {
        .type = BP_MESSAGE_make_request, .message = &request, .done = done, .context = context};
    return bp_prepare_add(bench->prepare, &order, err);
}

/* What a fill writes to, and who is told. */
struct fill_target {
    int inputs_fd, outputs_fd;
    bp_prepare_done done;
    void *context;
};

static int order_fill(struct bp_bench *bench, const struct bp_msg_fill_request *request,
                      const struct fill_target *target, struct bp_error *err)
{
    struct bp_prepare_order order = {.type = BP_MESSAGE_fill_request,
                                     .message = request,
                                     .fds = {target->inputs_fd, target->outputs_fd},
                                     .fd_count = 2,
                                     .done = target->done,
                                     .context = target->context};
    return bp_prepare_add(bench->prepare, &order, err);
}

int bp_bench_fill_cases(struct bp_bench *bench, uint32_t lane, uint64_t evaluation,
                        bp_prepare_done done, void *context, struct bp_error *err)
{
    const struct bp_suite *suite = bench->options.suite;
    BP_AUTO_FREE struct bp_msg_fill_request *request = bp_fault_calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a fill request");
    request->scrub = BP_SCRUB_INPUTS | BP_SCRUB_OUTPUTS;
    request->fill_count = suite->case_count;
    for (uint32_t i = 0; i < suite->case_count; i++) {
        const struct bp_bench_case *place = &bench->cases[i];
        struct bp_fill *fill = &request->fills[i];
        *fill = (struct bp_fill){.shape = suite->cases[i].shape,
                                 .dtype = bench->options.dtype,
                                 .slots = 1,
                                 .parts = BP_FILL_INPUTS | BP_FILL_OUTPUTS | BP_FILL_AGAIN,
                                 .master_offset = place->master_offset,
                                 .input_offset = place->input_offset,
                                 .output_offset = place->output_offset,
                                 .again_offset = place->again_offset,
                                 .canary = bp_bench_canary(bench, "canary", evaluation)};
        bp_bench_permutation_key(bench, "evaluation", evaluation, i, &fill->permutation_key);
    }
    struct fill_target target = {bench->lanes[lane].inputs_fd, bench->lanes[lane].outputs_fd, done,
                                 context};
    return order_fill(bench, request, &target, err);
}

/* One run of slots of a timed shape, with inputs that never were before. */
static void set_fresh_fill(struct bp_bench *bench, uint32_t timed, uint32_t slot, uint32_t count,
                           struct bp_fill *fill)
{
    const struct bp_bench_timed *place = &bench->timed[timed];
    const struct bp_shape *shape = &bench->options.suite->timed[timed];
    struct bp_input_layout in;
    struct bp_output_layout out;
    bp_layout_inputs(shape, bench->options.dtype, &in);
    bp_layout_outputs(shape, bench->options.dtype, &out);
    *fill = (struct bp_fill){.shape = *shape,
                             .dtype = bench->options.dtype,
                             .slots = count,
                             .parts = BP_FILL_FRESH,
                             .input_offset = place->input_offset + slot * in.bytes,
                             .output_offset = place->output_offset + slot * out.bytes};
    uint64_t number = bp_weakened(BP_DEFENCE_fresh_inputs) ? 0 : ++bench->fresh_fill;
    bp_key_derive(&bench->options.run_key, "fresh", number, &fill->permutation_key);
}

int bp_bench_fill_batch(struct bp_bench *bench, uint32_t timed, enum bp_ring_side side,
                        uint32_t first_slot, uint32_t calls, bp_prepare_done done, void *context,
                        struct bp_error *err)
{
    uint32_t slots = bench->timed[timed].slots;
    if (calls > slots)
        return bp_fail(err, BP_ERR_STATE, "a batch of %u calls on a ring of %u slots", calls,
                       slots);
    BP_AUTO_FREE struct bp_msg_fill_request *request = bp_fault_calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a fill request");
    /* The ring may end before the batch does: then the rest is a second fill from slot 0. */
    for (uint32_t slot = first_slot, left = calls; left > 0; slot = 0) {
        uint32_t count = left < slots - slot ? left : slots - slot;
        set_fresh_fill(bench, timed, slot, count, &request->fills[request->fill_count++]);
        left -= count;
    }
    struct fill_target target = {bench->ring_inputs_fd, bench->ring_outputs_fd[side], done,
                                 context};
    return order_fill(bench, request, &target, err);
}

static int order_ring(struct bp_bench *bench, enum bp_ring_side side, uint32_t scrub,
                      bp_prepare_done done, void *context, struct bp_error *err)
{
    BP_AUTO_FREE struct bp_msg_fill_request *request = bp_fault_calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a fill request");
    request->scrub = scrub;
    struct fill_target target = {bench->ring_inputs_fd, bench->ring_outputs_fd[side], done,
                                 context};
    return order_fill(bench, request, &target, err);
}

int bp_bench_scrub_ring(struct bp_bench *bench, enum bp_ring_side side, bp_prepare_done done,
                        void *context, struct bp_error *err)
{
    /* The inputs of a ring are never writable for a candidate. */
    return order_ring(bench, side, BP_SCRUB_OUTPUTS, done, context, err);
}

void bp_bench_touch_ring(struct bp_bench *bench, enum bp_ring_side side)
{
    struct bp_error err;
    if (order_ring(bench, side, 0, NULL, NULL, &err) < 0)
        bp_log(BP_LOG_DEBUG, "bench", "the first batch will wait for memory: %s", err.msg);
}

void bp_bench_forget(struct bp_bench *bench, const void *context)
{
    bp_prepare_forget(bench->prepare, context);
}

/* ---- opening and closing ---- */

static int start_prepare(struct bp_bench *bench, struct bp_error *err)
{
    struct bp_prepare_options options = {
        .children = bench->options.children,
        .masters_fd = bench->masters_fd,
        .references_fd = bench->references_fd,
        .masters_bytes = bench->masters_bytes,
        .references_bytes = bench->references_bytes,
    };
    return bp_prepare_start(&options, &bench->prepare, err);
}

int bp_bench_open(const struct bp_bench_options *options, struct bp_bench **slot,
                  struct bp_error *err)
{
    struct bp_bench *bench = bp_fault_calloc(1, sizeof *bench);
    if (!bench)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a bench");
    bench->options = *options;
    bench->masters_fd = bench->references_fd = bench->ring_inputs_fd = -1;
    bench->masters_ro = bench->references_ro = bench->ring_inputs_ro = -1;
    bench->ring_outputs_fd[0] = bench->ring_outputs_fd[1] = -1;
    for (uint32_t i = 0; i < BP_MAX_LANES; i++)
        bench->lanes[i] = (struct bp_bench_lane){-1, -1};
    lay_out_cases(bench);
    lay_out_rings(bench);
    if (open_arenas(bench, err) < 0 || start_prepare(bench, err) < 0) {
        bp_bench_close(&bench);
        return -1;
    }
    *slot = bench;
    return 0;
}

void bp_bench_close(struct bp_bench **slot)
{
    struct bp_bench *bench = *slot;
    if (!bench)
        return;
    bp_prepare_stop(&bench->prepare);
    bp_close_fd(&bench->masters_fd);
    bp_close_fd(&bench->references_fd);
    bp_close_fd(&bench->ring_inputs_fd);
    bp_close_fd(&bench->masters_ro);
    bp_close_fd(&bench->references_ro);
    bp_close_fd(&bench->ring_inputs_ro);
    bp_close_fd(&bench->ring_outputs_fd[0]);
    bp_close_fd(&bench->ring_outputs_fd[1]);
    for (uint32_t i = 0; i < BP_MAX_LANES; i++) {
        bp_close_fd(&bench->lanes[i].inputs_fd);
        bp_close_fd(&bench->lanes[i].outputs_fd);
    }
    free(bench);
    *slot = NULL;
}

/* ---- accessors ---- */

void bp_bench_position(const struct bp_bench *bench, struct bp_secret_position *position)
{
    position->key = bench->options.run_key;
    position->fresh_fill = bench->fresh_fill;
}

void bp_bench_seek(struct bp_bench *bench, const struct bp_secret_position *position)
{
    bench->fresh_fill = position->fresh_fill;
}

void bp_bench_use_device(struct bp_bench *bench, const char *device, uint32_t node)
{
    snprintf(bench->options.device, sizeof bench->options.device, "%s", device);
    bench->options.children.device_node = node;
}

const struct bp_bench_options *bp_bench_options(const struct bp_bench *bench)
{
    return &bench->options;
}

const struct bp_bench_case *bp_bench_case(const struct bp_bench *bench, uint32_t index)
{
    return &bench->cases[index];
}

const struct bp_bench_timed *bp_bench_timed(const struct bp_bench *bench, uint32_t index)
{
    return &bench->timed[index];
}

double bp_bench_prepare_ms(const struct bp_bench *bench)
{
    return bp_prepare_busy_ms(bench->prepare);
}

uint64_t bp_bench_cache_bytes(void)
{
    uint64_t largest = 0;
    for (int index = 0; index < 8; index++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        BP_AUTO_FILE FILE *file = fopen(path, "re");
        unsigned long long size;
        char unit = 0;
        if (!file || fscanf(file, "%llu%c", &size, &unit) < 1)
            continue;
        size *= unit == 'K' ? 1024 : unit == 'M' ? 1048576 : 1;
        if (size > largest)
            largest = size;
    }
    return largest ? largest : 32u << 20;
}
