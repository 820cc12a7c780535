/* status_block.h: what a run tells of itself when it is asked (SIGUSR1). */
#ifndef BP_HARNESS_REPORT_STATUS_BLOCK_H
#define BP_HARNESS_REPORT_STATUS_BLOCK_H

#include "base/buffer.h"
#include "harness/report/progress.h"
#include "harness/store/evaluation.h"

struct bp_status_block {
    const char *dir, *device;
    const char *activity; /* what is going on now, with the candidates' numbers */
    struct bp_progress_state progress;
    double elapsed_s, eta_s; /* eta_s negative: there is no limit */
    const struct bp_safety *safety;
    uint32_t children; /* processes not yet reaped */
    bool writing;      /* the record's writer has something to do */
    uint64_t resident_bytes;
    uint32_t descriptors;
    uint64_t disk_free_bytes;
};

/* Appends lines, each "  name  value\n". */
int bp_status_block_text(const struct bp_status_block *block, struct bp_buffer *out,
                         struct bp_error *err) BP_MUST_CHECK;

#endif
