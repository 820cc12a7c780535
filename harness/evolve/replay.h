/* replay.h: evaluates a saved candidate again, with the inputs of then. */
#ifndef BP_HARNESS_EVOLVE_REPLAY_H
#define BP_HARNESS_EVOLVE_REPLAY_H

#include "harness/config/config.h"
#include "harness/report/bundle.h"
#include "harness/supervise/outcome.h"

struct bp_replay_options {
    const struct bp_saved *bundle;
    uint32_t times;      /* at least 1 */
    bool gdb;            /* with the debugger attached */
    bool sanitize;       /* afterwards through every CPU gate (docs/gates.md) */
    bool allow_degraded; /* as in struct bp_config; a bundle cannot ask for it */
    void (*prepared)(void *context, uint32_t done, uint32_t total); /* may be null */
};

struct bp_replay_report {
    uint32_t times;                      /* done */
    uint32_t verdicts[BP_VERDICT_COUNT]; /* count of each */
    struct bp_evaluation *evaluation;    /* owned: the first with another verdict, else the last */
    struct bp_outcome gate;              /* with sanitize: PASS, or what the gates found */
    struct bp_gate_note gate_note;
    char differences[4096]; /* what is not as it was then, a line each; may be empty */
};

/* Each time starts where the secrets stood then, without retries. A failure on an unseen shape is followed up
 * to that shape, one of a match to a match of the candidate against itself. */
int bp_replay_run(const struct bp_replay_options *options, struct bp_replay_report *report,
                  struct bp_error *err) BP_MUST_CHECK;

/* Whether every verdict was the bundle's. */
bool bp_replay_is_same(const struct bp_replay_report *report, const struct bp_replay *then);

#endif
