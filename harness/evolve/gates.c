#include "harness/evolve/gates.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "harness/supervise/gate.h"

static void describe(const struct bp_session *session, const struct bp_candidate *candidate,
                     const struct bp_session_gates *request, struct bp_gate_options *options)
{
    bp_flight_describe_compile(session, candidate, &options->compile);
    /* The gates are the CPU device's, wherever the candidate is to run. */
    snprintf(options->compile.device, sizeof options->compile.device, "cpu");
    snprintf(options->compile.arch, sizeof options->compile.arch, "native");
    options->compile.gates = request->gates;
    options->run_ms = session->config->limits.gate_s * 1e3;
    struct bp_shape shapes[BP_GATE_MAX_SHAPES];
    uint32_t count = request->shape_count;
    if (count == 0)
        count = bp_gate_shapes(session->suite.cases[0].shape.head_dim, shapes);
    else
        memcpy(shapes, request->shapes, count * sizeof *shapes);
    for (uint32_t i = 0; i < count; i++)
        if (!session->config->source || bp_kernel_head_supports(&session->config->head, &shapes[i]))
            options->shapes[options->shape_count++] = shapes[i];
}

int bp_session_gate(struct bp_session *session, const struct bp_candidate *candidate,
                    const struct bp_session_gates *request, struct bp_outcome *outcome,
                    struct bp_gate_note *note, struct bp_error *err)
{
    struct bp_gate_job *job = NULL;
    struct bp_error why;
    if (request->shape_count > BP_GATE_MAX_SHAPES)
        return bp_fail(err, BP_ERR_USAGE, "%u shapes for the gates, limit %d", request->shape_count,
                       BP_GATE_MAX_SHAPES);
    BP_AUTO_FREE struct bp_gate_options *options = calloc(1, sizeof *options);
    if (!options)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the gates");
    describe(session, candidate, request, options);
    if (bp_gate_job_start(options, &job, &why) < 0) {
        bp_outcome_of_error(&why, outcome);
        return 0;
    }
    int result = 0;
    while (result == 0 && !bp_gate_job_advance(job))
        result = bp_waiting_step(session, err);
    if (result == 0)
        bp_gate_job_finish(job, outcome, note);
    bp_gate_job_free(&job);
    return result;
}

int bp_gates_pass(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    struct bp_session_gates request = {.gates = session->config->gates};
    struct bp_outcome outcome;
    uint64_t began_ns = bp_clock_ns();
    if (request.gates == 0)
        return 0;
    if (bp_session_gate(session, flight->candidate, &request, &outcome, &evaluation->gate, err) < 0)
        return -1;
    double spent_ms = bp_ns_to_ms(bp_clock_ns() - began_ns);
    evaluation->duration.total_ms += spent_ms;
    evaluation->duration.overhead_ms +=
        spent_ms - evaluation->gate.compile_ms - evaluation->gate.run_ms;
    if (outcome.verdict != BP_VERDICT_PASS) {
        flight->outcome = outcome;
        flight->stage = BP_STAGE_gate;
    }
    return 0;
}
