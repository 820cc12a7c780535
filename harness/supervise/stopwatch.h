/* stopwatch.h: timed batches of one run child, by the supervisor's clock.
 *
 * A batch goes through three hands:
 *   1. the child is frozen while the slots of the batch get fresh secret inputs and poison for
 *      outputs: nothing computed or kept before is of use, no older answer is left in them;
 *   2. the child is thawed and asked; the clock runs from the write of the request until a secret row
 *      of the outputs has been copied out by this process, and the child is frozen again: what a
 *      candidate writes later does not count, what it did not write in time is poison;
 *   3. the judge compares the row with a reference of the inputs that still stand in the slot. */
#ifndef BP_HARNESS_SUPERVISE_STOPWATCH_H
#define BP_HARNESS_SUPERVISE_STOPWATCH_H

#include "harness/supervise/bench.h"
#include "harness/supervise/outcome.h"

/* A memfd for one row, read by the judge; the caller owns it. */
int bp_sample_arena(struct bp_error *err) BP_MUST_CHECK;

struct bp_stopwatch {
    struct bp_bench *bench; /* borrowed */
    struct bp_child *child; /* borrowed */
    enum bp_ring_side side;
    double batch_ms; /* a batch should last at least this, but takes no slot twice */
    double limit_ms; /* that all batches together may take */
    int sample_fd;   /* borrowed: of bp_sample_arena */
    uint64_t *draws; /* counter of samples of the run, shared, incremented */
    void (*failed)(void *context, const struct bp_error *err); /* a batch could not be started */
    void *context;
    uint32_t calls[BP_SUITE_MAX_TIMED]; /* of the next batch, per timed shape; at least 1 */
    uint32_t next_slot[BP_SUITE_MAX_TIMED];
    double floor_ms[BP_SUITE_MAX_TIMED]; /* per call; 0: none */
    uint32_t undercuts;                  /* of the floor, one after the other, by the same shape */
    uint32_t timed;                      /* of the batch under way */
    double timeout_ms, spent_ms;         /* of that batch; of all before it */
    double prepared_ms;                  /* work on inputs that batches have waited for */
    double prepared_before_ms;           /* the bench's, when the last of them was ordered */
};

/* Zeroes what counts and sets the floors of the bench's machine. */
void bp_stopwatch_open(struct bp_stopwatch *watch);

/* What to do with a time that the judge has no objection to. */
enum bp_floor { BP_FLOOR_KEPT, BP_FLOOR_AGAIN, BP_FLOOR_IMPOSSIBLE };

/* A time below the floor is taken again; three of three are TAMPER, and *outcome says so: the clock or
 * the work is not what it seems. */
enum bp_floor bp_stopwatch_check_floor(struct bp_stopwatch *watch, double per_call_ms,
                                       struct bp_outcome *outcome);

/* Chooses calls so that a batch of calls of per_call_ms lasts batch_ms; not more than the ring has
 * slots. */
void bp_stopwatch_set_calls(struct bp_stopwatch *watch, uint32_t timed, double per_call_ms);

/* The batches so far, or with the one that just met its deadline, have used up the limit: then *outcome
 * says so. Never before the first batch. */
bool bp_stopwatch_is_used_up(const struct bp_stopwatch *watch, bool at_deadline,
                             struct bp_outcome *outcome);

/* Freezes the child, has the slots filled, then thaws it and asks for a batch of a timed shape. The
 * child must have its candidate loaded. */
int bp_stopwatch_start(struct bp_stopwatch *watch, uint32_t timed, struct bp_error *err)
    BP_MUST_CHECK;

/* To be called in the answer handler for that batch: copies the sample, stops the clock, freezes the
 * child, and returns milliseconds per call and what to ask the judge. */
int bp_stopwatch_stop(struct bp_stopwatch *watch, double *per_call_ms,
                      struct bp_msg_sample_request *sample, struct bp_error *err) BP_MUST_CHECK;

/* No callback follows; to be called before watch goes away. Safe on a zeroed struct. */
void bp_stopwatch_close(struct bp_stopwatch *watch);

#endif
