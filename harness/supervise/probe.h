/* probe.h: is the device well? The known-good kernel, in a child of its own, on a problem with a known
 * answer (evaluator/stage_probe.c). */
#ifndef BP_HARNESS_SUPERVISE_PROBE_H
#define BP_HARNESS_SUPERVISE_PROBE_H

#include "evaluator/device_name.h"
#include "harness/supervise/outcome.h"
#include "harness/supervise/settings.h"

struct bp_probe_options {
    struct bp_child_settings children;
    char device[BP_TEXT_SHORT]; /* as of evaluator/device_name.h */
    enum bp_device_kind kind;   /* the same */
    enum bp_dtype dtype;
    uint32_t threads;
    int object_fd; /* borrowed until the probe is done; sealed */
    uint64_t object_bytes;
    double timeout_ms; /* of the child's work; its start has a limit of its own */
};

struct bp_probe {
    bool done; /* nothing more happens; the child is gone or given up */
    struct bp_outcome
        outcome;      /* PASS, or why the device is not well; INFRA: the probe itself failed */
    double total_ms;  /* with start and end of the child */
    double launch_ms; /* of the kernel's two calls, as the child says */

    /* the probe's own */
    struct bp_probe_options options;
    struct bp_child *child;
    uint64_t started_ns;
    bool answered;
};

/* Starts the child; probe->done becomes true in the loop. probe must not move until then. */
int bp_probe_start(struct bp_probe *probe, const struct bp_probe_options *options,
                   struct bp_error *err) BP_MUST_CHECK;
/* Safe at any time; kills what still runs. */
void bp_probe_free(struct bp_probe *probe);

#endif
