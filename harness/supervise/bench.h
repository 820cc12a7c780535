/* bench.h: what every candidate of a run is measured against: master inputs and references of the
 * suite's cases, the arenas candidates see, the ring of timed inputs, and the prepare child that
 * fills them. A prepare child never sees a candidate; a candidate never sees masters, references or
 * keys.
 *
 * Arenas are memfds, never mapped here, so that the supervisor's memory stays small. */
#ifndef BP_HARNESS_SUPERVISE_BENCH_H
#define BP_HARNESS_SUPERVISE_BENCH_H

#include "evaluator/ceilings.h"
#include "evaluator/device_name.h"
#include "harness/store/evidence.h"
#include "harness/supervise/prepare.h"

#define BP_MAX_LANES 64

struct bp_bench_options {
    struct bp_child_settings children;
    const struct bp_suite *suite; /* borrowed for the bench's life */
    char device[BP_TEXT_SHORT];   /* as of evaluator/device_name.h */
    enum bp_device_kind kind;     /* the same */
    char arch[BP_TEXT_SHORT];     /* "native" */
    enum bp_dtype dtype;
    uint32_t threads;    /* of the CPU device */
    uint32_t lanes;      /* candidates whose case arenas can be filled at once, <= BP_MAX_LANES */
    uint64_t ring_bytes; /* least size of each timed shape's ring of inputs */
    struct bp_ceilings ceilings; /* zero: not known, no time is too short */
    struct bp_key run_key;
};

/* Where one case lies, by index into suite->cases. */
struct bp_bench_case {
    uint64_t master_offset, reference_offset; /* in the masters and references arenas */
    uint64_t input_offset, output_offset;     /* in a lane's arenas */
    uint64_t again_offset;                    /* of the second call's output, beside the first */
    uint64_t rows;
    struct bp_key rows_key;
};

/* Where one timed shape lies, by index into suite->timed. */
struct bp_bench_timed {
    uint32_t slots;
    uint64_t input_offset, output_offset; /* of slot 0 in the ring arenas */
};

/* The sides of a match write to different output rings. */
enum bp_ring_side { BP_RING_A, BP_RING_B };

struct bp_bench;

int bp_bench_open(const struct bp_bench_options *options, struct bp_bench **bench,
                  struct bp_error *err) BP_MUST_CHECK;
void bp_bench_close(struct bp_bench **bench);

/* Run children that start from now on use this device (its name and node), of the same kind and
 * architecture: masters, arenas and objects are good for every such one. */
void bp_bench_use_device(struct bp_bench *bench, const char *device, uint32_t node);

const struct bp_bench_options *bp_bench_options(const struct bp_bench *bench);
const struct bp_bench_case *bp_bench_case(const struct bp_bench *bench, uint32_t index);
const struct bp_bench_timed *bp_bench_timed(const struct bp_bench *bench, uint32_t index);

/* Orders for the prepare child (prepare.h). */

/* Makes master inputs and reference of case `index`. */
int bp_bench_make(struct bp_bench *bench, uint32_t index, bp_prepare_done done, void *context,
                  struct bp_error *err) BP_MUST_CHECK;
/* Fills lane's case arenas for an evaluation: secret permutation, canaries, poison. */
int bp_bench_fill_cases(struct bp_bench *bench, uint32_t lane, uint64_t evaluation,
                        bp_prepare_done done, void *context, struct bp_error *err) BP_MUST_CHECK;
/* Zeroes one side's ring of outputs: whatever an earlier candidate wrote there, no later one reads. No
 * child may have it mapped. (fill_cases does the same with the lane's arenas.) */
int bp_bench_scrub_ring(struct bp_bench *bench, enum bp_ring_side side, bp_prepare_done done,
                        void *context, struct bp_error *err) BP_MUST_CHECK;
/* Gives the ring of inputs and one side's ring of outputs their memory, which else the first batch waits
 * for: a good while on a virtual machine whose host has to find it. Nobody is
 * told, also when it fails. */
void bp_bench_touch_ring(struct bp_bench *bench, enum bp_ring_side side);
/* Before a timed batch: `calls` slots from first_slot on (round the ring, calls <= its slots) get
 * fresh secret inputs, and poison for outputs on one side. No child may run meanwhile that could look
 * at them: the candidate is frozen. */
int bp_bench_fill_batch(struct bp_bench *bench, uint32_t timed, enum bp_ring_side side,
                        uint32_t first_slot, uint32_t calls, bp_prepare_done done, void *context,
                        struct bp_error *err) BP_MUST_CHECK;
/* Orders with this context are still worked off, but nobody is told. */
void bp_bench_forget(struct bp_bench *bench, const void *context);

/* Notes the bench's share of where the secrets stand (key, fresh_fill), and puts it back, so that the
 * next batches get the inputs they had then. */
void bp_bench_position(const struct bp_bench *bench, struct bp_secret_position *position);
void bp_bench_seek(struct bp_bench *bench, const struct bp_secret_position *position);

/* Milliseconds the prepare child has spent on orders so far, the one at work included. */
double bp_bench_prepare_ms(const struct bp_bench *bench);

/* Starts a run child (with room for every arena it maps) or a judge child of this bench. */
int bp_bench_start_run(const struct bp_bench *bench, const struct bp_child_handlers *handlers,
                       void *context, struct bp_child **child, struct bp_error *err) BP_MUST_CHECK;
int bp_bench_start_judge(const struct bp_bench *bench, const struct bp_child_handlers *handlers,
                         void *context, struct bp_child **child, struct bp_error *err)
    BP_MUST_CHECK;

/* An object and where its run child finds inputs and leaves outputs. */
struct bp_bench_object {
    int fd; /* borrowed, sealed */
    uint64_t bytes;
    uint32_t lane;
    enum bp_ring_side side;
    bool with_cases; /* false: it is timed only */
    bool hold;       /* it waits for a debugger before its first instruction (stage_run.c) */
};

/* Hands a run child its object and arenas: the run_request. */
int bp_bench_request_run(const struct bp_bench *bench, struct bp_child *child,
                         const struct bp_bench_object *object, struct bp_error *err) BP_MUST_CHECK;

/* The request, filled in for this bench. */
void bp_bench_judge_request(const struct bp_bench *bench, uint64_t evaluation,
                            struct bp_msg_judge_request *request);

#define BP_JUDGE_FDS 6
/* Borrowed descriptors in the order that run_request and judge_request name them. object and sample
 * are the caller's. */
void bp_bench_run_fds(const struct bp_bench *bench, uint32_t lane, enum bp_ring_side side,
                      int object_fd, int fds[5]);
void bp_bench_judge_fds(const struct bp_bench *bench, uint32_t lane, int sample_fd,
                        int fds[BP_JUDGE_FDS]);

/* A row of a timed output, and how others are asked for it. */
struct bp_sample {
    struct bp_msg_sample_request judged;
    struct bp_msg_fetch_request fetched;
};

/* Chooses one secret row of a timed output, in a slot of the batch just done. `draw` numbers the samples
 * of a run. */
void bp_bench_choose_sample(const struct bp_bench *bench, uint32_t timed, uint32_t first_slot,
                            uint32_t calls, uint64_t draw, struct bp_sample *sample);
/* Copies it into row (head_dim elements). */
int bp_bench_read_sample(const struct bp_bench *bench, enum bp_ring_side side,
                         const struct bp_sample *sample, void *row, struct bp_error *err)
    BP_MUST_CHECK;

/* Size of the last-level cache in bytes (sysfs), 32 MiB when it is not told. */
uint64_t bp_bench_cache_bytes(void);

#endif
