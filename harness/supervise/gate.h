/* gate.h: one candidate through the gates: compiled a second time with instrumentation, run on small
 * shapes in a child of its own, findings told with their source lines.
 *
 *   compile child ─► gate child ─finding─► lines child ─► done
 *        └───────────────┴── anything else: skipped, or no objection ──► done
 *
 * Only a finding with a named cause vetoes (RACE, CRASH), and what no instrumentation does by itself: a
 * forbidden system call, a forged frame. Whatever else keeps the gates from running (no object, a
 * signal, no time) skips them and is noted. */
#ifndef BP_HARNESS_SUPERVISE_GATE_H
#define BP_HARNESS_SUPERVISE_GATE_H

#include "harness/store/evaluation.h"
#include "harness/supervise/compile_job.h"

struct bp_gate_options {
    struct bp_compile_options compile; /* its gates: which to run, not empty */
    double run_ms;                     /* deadline of the gate child */
    uint32_t shape_count;
    struct bp_shape shapes[BP_GATE_MAX_SHAPES];
};

struct bp_gate_job; /* opaque */

int bp_gate_job_start(const struct bp_gate_options *options, struct bp_gate_job **job,
                      struct bp_error *err) BP_MUST_CHECK;

/* To be called after each step of the loop: goes on to the next child when one is through. True once
 * there is an outcome. */
bool bp_gate_job_advance(struct bp_gate_job *job);

/* After that: PASS when nothing was found or the gates were skipped. */
void bp_gate_job_finish(const struct bp_gate_job *job, struct bp_outcome *outcome,
                        struct bp_gate_note *note);

/* Safe at any time; kills what still runs. */
void bp_gate_job_free(struct bp_gate_job **job);

/* The shapes that gates are run on unless others are asked for, with that head_dim. Returns how many. */
uint32_t bp_gate_shapes(uint32_t head_dim, struct bp_shape shapes[BP_GATE_MAX_SHAPES]);

#endif
