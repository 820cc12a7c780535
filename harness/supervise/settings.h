/* settings.h: how the children of a run are started and bounded. Plain data. */
#ifndef BP_HARNESS_SUPERVISE_SETTINGS_H
#define BP_HARNESS_SUPERVISE_SETTINGS_H

#include "harness/supervise/loop.h"

#include <stddef.h>

struct bp_child_settings {
    struct bp_loop *loop;
    const char *worker_path;                         /* borrowed */
    double compile_ms, run_ms, judge_ms, prepare_ms; /* deadlines of one request */
    uint64_t memory_bytes; /* of a compile or run child, beyond the arenas it maps */
    uint64_t workspace_max_bytes;
    size_t log_max_bytes;
    uint32_t device_node; /* of the device that children use, as in struct bp_policy_limits */
};

#endif
