/* canary.h: the start-up check of the sandbox: disposable children confined like each stage look at their
 * layers and commit forbidden acts (sandbox/canary.h); a run starts only when every layer that it must
 * have holds. */
#ifndef BP_HARNESS_SUPERVISE_CANARY_H
#define BP_HARNESS_SUPERVISE_CANARY_H

#include "harness/supervise/settings.h"
#include "evaluator/messages.h"
#include "sandbox/canary.h"

enum bp_layer_state {
    BP_LAYER_PRESENT,     /* seen to hold in every stage that has it */
    BP_LAYER_MISSING,     /* seen not to hold */
    BP_LAYER_NOT_GRANTED, /* this machine does not grant it, or it is not needed here */
};

struct bp_canary_report {
    enum bp_layer_state states[BP_LAYER_COUNT];
    char why[BP_LAYER_COUNT][BP_TEXT_LINE]; /* of what is not present; else empty */
    uint32_t children;                      /* that were started */
    double spent_ms;
};

/* Runs the loop of settings until every child has ended. One that could not be started, or ended without
 * an answer, is replaced a few times. -1 only when children cannot be started or a signal asks to stop
 * (BP_ERR_INTERRUPTED); a sandbox with holes is a report. */
int bp_canary_run(const struct bp_child_settings *settings, struct bp_canary_report *report,
                  struct bp_error *err) BP_MUST_CHECK;

/* BP_ERR_UNAVAILABLE naming the first missing layer, when there is one, or the first that this machine
 * does not grant of required (1 << enum bp_layer). */
int bp_canary_require(const struct bp_canary_report *report, uint32_t required,
                      struct bp_error *err) BP_MUST_CHECK;

/* The same before anything is evaluated; degraded: what would be an error is only logged. */
int bp_canary_insist(const struct bp_canary_report *report, uint32_t required, bool degraded,
                     struct bp_error *err) BP_MUST_CHECK;

#endif
