/* stopwatch.h: timed batches of one run child, by the supervisor's clock.
 *
 * A batch's time runs from the write of the request to the moment a secret row of its outputs has
 * been copied out by this process: what a candidate writes later does not count, what it did not
 * write in time is caught when the sample is judged. */
#ifndef BP_HARNESS_SUPERVISE_STOPWATCH_H
#define BP_HARNESS_SUPERVISE_STOPWATCH_H

#include "harness/supervise/bench.h"

/* Rows copied out of timed outputs, on their way to the judge. */
struct bp_samples {
    int fd; /* owned memfd of rows */
    uint64_t bytes;
    struct bp_msg_samples_request *request; /* owned; items filled by bp_samples_open */
};

int bp_samples_open(const struct bp_bench *bench, struct bp_samples *samples, struct bp_error *err)
    BP_MUST_CHECK;
void bp_samples_close(struct bp_samples *samples);

struct bp_stopwatch {
    const struct bp_bench *bench; /* borrowed */
    struct bp_child *child;       /* borrowed */
    enum bp_ring_side side;
    double batch_ms;              /* a batch should last at least this */
    struct bp_samples *samples;   /* borrowed; null: the first bytes of a row are read and dropped */
    uint64_t *draws;              /* counter of samples of the run, shared, incremented */
    uint32_t calls[BP_SUITE_MAX_TIMED];     /* of the next batch, per timed shape */
    uint32_t next_slot[BP_SUITE_MAX_TIMED];
};

/* Chooses calls so that a batch of calls of per_call_ms lasts batch_ms (1 to 1 000 000). */
void bp_stopwatch_set_calls(struct bp_stopwatch *watch, uint32_t timed, double per_call_ms);

/* Asks the child for a batch of a timed shape. */
int bp_stopwatch_start(struct bp_stopwatch *watch, uint32_t timed, struct bp_error *err)
    BP_MUST_CHECK;

/* To be called in the answer handler for that batch: copies the sample, stops the clock and returns
 * milliseconds per call. */
int bp_stopwatch_stop(struct bp_stopwatch *watch, uint32_t timed, double *per_call_ms,
                      struct bp_error *err) BP_MUST_CHECK;

#endif
