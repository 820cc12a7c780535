#include "harness/supervise/stopwatch.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#define ROW_MAX_BYTES 4096 /* head_dim <= 1024 of f32 */

int bp_samples_open(const struct bp_bench *bench, struct bp_samples *samples, struct bp_error *err)
{
    *samples = (struct bp_samples){.fd = -1};
    samples->request = calloc(1, sizeof *samples->request);
    if (!samples->request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for samples");
    bp_bench_samples_items(bench, samples->request);
    /* Of its final size from the start (and sparse): the judge maps it before the first sample. */
    samples->fd = bp_io_memfd("samples", (size_t)BP_MAX_SAMPLES * ROW_MAX_BYTES, err);
    return samples->fd < 0 ? -1 : 0;
}

void bp_samples_close(struct bp_samples *samples)
{
    bp_close_fd(&samples->fd);
    free(samples->request);
    samples->request = NULL;
}

void bp_stopwatch_set_calls(struct bp_stopwatch *watch, uint32_t timed, double per_call_ms)
{
    double calls = ceil(watch->batch_ms / fmax(per_call_ms, 1e-6));
    watch->calls[timed] = (uint32_t)fmin(fmax(calls, 1), 1e6);
}

int bp_stopwatch_start(struct bp_stopwatch *watch, uint32_t timed, struct bp_error *err)
{
    struct bp_msg_batch_request request = {.timed = timed,
                                           .calls = watch->calls[timed],
                                           .first_slot = watch->next_slot[timed]};
    return bp_child_request(watch->child, BP_MESSAGE_batch_request, &request, NULL, 0,
                            bp_bench_options(watch->bench)->children.run_ms, err);
}

static int keep_sample(struct bp_samples *samples, uint32_t timed, const void *row,
                       size_t row_bytes, uint64_t row_index, struct bp_error *err)
{
    if (samples->request->sample_count == BP_MAX_SAMPLES)
        return 0;
    if (pwrite(samples->fd, row, row_bytes, (off_t)samples->bytes) != (ssize_t)row_bytes)
        return bp_fail_errno(err, "cannot keep a sample");
    samples->request->samples[samples->request->sample_count++] =
        (struct bp_sample){timed, row_index, samples->bytes};
    samples->bytes += row_bytes;
    return 0;
}

int bp_stopwatch_stop(struct bp_stopwatch *watch, uint32_t timed, double *per_call_ms,
                      struct bp_error *err)
{
    char row[ROW_MAX_BYTES];
    uint64_t row_index;
    uint32_t calls = watch->calls[timed], first = watch->next_slot[timed];
    if (bp_bench_sample(watch->bench, timed, watch->side, first, calls, (*watch->draws)++, row,
                        &row_index, err) < 0)
        return -1;
    uint64_t stopped = bp_clock_ns();
    *per_call_ms = bp_ns_to_ms(stopped - bp_child_requested_ns(watch->child)) / calls;

    const struct bp_bench_options *options = bp_bench_options(watch->bench);
    uint32_t slots = bp_bench_timed(watch->bench, timed)->slots;
    watch->next_slot[timed] = (first + calls) % slots;
    size_t row_bytes =
        options->suite->timed[timed].head_dim * bp_dtype_size(options->dtype);
    return watch->samples ? keep_sample(watch->samples, timed, row, row_bytes, row_index, err) : 0;
}
