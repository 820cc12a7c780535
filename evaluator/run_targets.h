/* run_targets.h: where the run child finds inputs and leaves outputs of every case and timed shape. */
#ifndef BP_EVALUATOR_RUN_TARGETS_H
#define BP_EVALUATOR_RUN_TARGETS_H

#include "evaluator/arena.h"
#include "evaluator/device.h"
#include "evaluator/layout.h"

/* What comes with a run_request, in this order. */
enum bp_run_fd {
    BP_RUN_FD_OBJECT,
    BP_RUN_FD_CASE_INPUTS,
    BP_RUN_FD_CASE_OUTPUTS,
    BP_RUN_FD_RING_INPUTS,
    BP_RUN_FD_RING_OUTPUTS,
    BP_RUN_FDS
};

/* The same bytes as this process and as kernels see them (device.h). */
struct bp_run_place {
    unsigned char *host, *there;
};

/* One shape's slots, case or timed, with the plan of its name. */
struct bp_run_target {
    const struct bp_shape *shape;
    struct bp_input_layout in;
    struct bp_output_layout out;
    struct bp_run_place inputs, outputs; /* of slot 0 */
    struct bp_run_place again;           /* the second call's output; cases only */
    uint32_t slots;
    uint32_t plan;
};

struct bp_run_room {
    struct bp_arena arena;
    unsigned char *there;
};

struct bp_run_targets {
    struct bp_run_room case_inputs, case_outputs, ring_inputs, ring_outputs;
    struct bp_run_target cases[BP_SUITE_MAX_CASES], timed[BP_SUITE_MAX_TIMED];
    uint32_t plan_count;
    const struct bp_run_target *planned[BP_MAX_PLANS]; /* the first target of each distinct shape */
};

/* Maps the four arenas, whose descriptors it takes, and mirrors them to the opened device. */
int bp_run_targets_map(struct bp_run_targets *targets, const struct bp_device *device,
                       int fds[BP_RUN_FDS], struct bp_error *err) BP_MUST_CHECK;

/* Finds what the request names in the mapped arenas: BP_ERR_PROTOCOL for what does not lie in them. The
 * request must outlive the targets. */
int bp_run_targets_set(struct bp_run_targets *targets, const struct bp_msg_run_request *request,
                       struct bp_error *err) BP_MUST_CHECK;

#endif
