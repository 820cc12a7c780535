/* gates.h: a candidate through the CPU gates (supervise/gate.h), as part of a session. */
#ifndef BP_HARNESS_EVOLVE_GATES_H
#define BP_HARNESS_EVOLVE_GATES_H

#include "harness/evolve/flight.h"

/* What bp_session_gate is asked: a set of gates, and shapes, or none for the gates' own. */
struct bp_session_gates {
    uint32_t gates;
    uint32_t shape_count;
    const struct bp_shape *shapes; /* borrowed, at most BP_GATE_MAX_SHAPES */
};

/* Sends a candidate's source and knobs through gates. PASS: no finding, or skipped, which the note
 * tells. */
int bp_session_gate(struct bp_session *session, const struct bp_candidate *candidate,
                    const struct bp_session_gates *request, struct bp_outcome *outcome,
                    struct bp_gate_note *note, struct bp_error *err) BP_MUST_CHECK;

/* A compiled flight through the gates that the config asks for, if any; a finding becomes its outcome. */
int bp_gates_pass(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
    BP_MUST_CHECK;

#endif
