/* injected.h: what the harness does while faults are injected: a session over a wrong candidate and a
 * right one, or a whole short run of the search. */
#ifndef BP_HARNESS_INJECT_INJECTED_H
#define BP_HARNESS_INJECT_INJECTED_H

#include "harness/config/config.h"
#include "harness/inject/campaign.h"
#include "harness/inject/process.h"

struct bp_injected_config {
    struct bp_config session, search;
    bool has_device;
    struct bp_config device; /* a shorter search, on the campaign's device */
};

/* Reads the campaign's kernels, and makes the configs. Large: allocate it. */
int bp_injected_load(const struct bp_campaign *campaign, struct bp_injected_config *config,
                     struct bp_error *err) BP_MUST_CHECK;
void bp_injected_free(struct bp_injected_config *config);

/* For bp_process: opens a session with the config that context is, and no more; report->message says why
 * it could not be opened. */
int bp_injected_look(void *context, const char *dir, struct bp_process_report *report);

/* For bp_process: evaluates the kernel with KIND = kind, then with its defaults. */
struct bp_injected_candidate {
    const struct bp_config *config;
    int64_t kind;
};
int bp_injected_candidate(void *context, const char *dir, struct bp_process_report *report);

/* For bp_process: a run of the search into DIR/run, with one point armed, or none to count. */
struct bp_injected_search {
    const struct bp_config *config;
    enum bp_fault_point point; /* BP_FAULT_none: none */
    enum bp_fault_mode mode;
    struct bp_fault_place place;
};
int bp_injected_search(void *context, const char *dir, struct bp_process_report *report);

#endif
