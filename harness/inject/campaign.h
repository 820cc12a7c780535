/* campaign.h: a fault campaign (YAML, strict): which classes there are and what may come of each. */
#ifndef BP_HARNESS_INJECT_CAMPAIGN_H
#define BP_HARNESS_INJECT_CAMPAIGN_H

#include "base/fault.h"
#include "harness/inject/seen.h"

#define BP_CAMPAIGN_CANDIDATES 64
#define BP_CAMPAIGN_NAME 32

struct bp_campaign_candidate {
    char name[BP_CAMPAIGN_NAME];
    int64_t kind;      /* of the kernel's knob KIND */
    uint64_t expected; /* set of enum bp_seen */
};

struct bp_campaign_point {
    uint64_t expected[BP_FAULT_MODE_COUNT]; /* by mode; 0: not in the campaign */
    uint64_t from;                          /* phases before this one are left alone */
};

/* Kernels: relative to the campaign's directory in the file; here as they can be opened. */
struct bp_campaign {
    char kernel[4096];
    char device[64], device_kernel[4096]; /* where the points gpu_* are met; empty: nowhere */
    uint64_t seed, occurrences;
    double timeout_s, patience_s;
    uint32_t candidate_count;
    struct bp_campaign_candidate candidates[BP_CAMPAIGN_CANDIDATES];
    struct bp_campaign_point points[BP_FAULT_COUNT];
};

/* BP_ERR_USAGE "file:line: …". */
int bp_campaign_load(const char *path, struct bp_campaign *campaign, struct bp_error *err)
    BP_MUST_CHECK;

/* The shipped campaign: configs/faults.yaml of the source tree this program was built in, or of where
 * it is installed. */
int bp_campaign_find(char *path, size_t size, struct bp_error *err) BP_MUST_CHECK;

#endif
