#include "harness/evolve/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "harness/evolve/flight.h"
#include "harness/evolve/gates.h"
#include "harness/evolve/retry.h"

static int fly(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    if (flight->outcome.verdict == BP_VERDICT_PASS && bp_gates_pass(session, flight, err) < 0)
        return -1;
    if (flight->outcome.verdict != BP_VERDICT_PASS)
        return 0;
    if (bp_flight_try(session, flight, err) < 0)
        return -1;
    return bp_retry_check_device(session, flight->stage, flight->unreaped, &flight->outcome, err);
}

static void add_attempt(struct bp_flight *flight, double before_ms)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    struct bp_attempt *attempt = &evaluation->attempts[evaluation->attempt_count++];
    attempt->outcome = evaluation->verdict = flight->outcome.verdict;
    attempt->stage = evaluation->stage = flight->stage;
    attempt->duration_ms = evaluation->duration.total_ms - before_ms;
    memcpy(attempt->message, flight->outcome.message, sizeof attempt->message);
    memcpy(evaluation->message, flight->outcome.message, sizeof evaluation->message);
    bp_flight_add_evidence(flight);
}

static enum bp_attempts_next next_of(const struct bp_session *session,
                                     const struct bp_evaluation *evaluation)
{
    enum bp_verdict outcomes[BP_MAX_ATTEMPTS];
    struct bp_attempts_policy policy = bp_retry_policy(session);
    for (uint32_t i = 0; i < evaluation->attempt_count; i++)
        outcomes[i] = evaluation->attempts[i].outcome;
    return bp_attempts_next(&policy, outcomes, evaluation->attempt_count);
}

/* Again the whole way, alone. */
static int retry(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    struct bp_evaluation *evaluation = flight->candidate->evaluation;
    enum bp_attempts_next next;
    while ((next = next_of(session, evaluation)) != BP_ATTEMPTS_STAND) {
        bp_log(BP_LOG_WARNING, "session", "evaluation %u, attempt %u: %s: %s; trying again",
               evaluation->number, evaluation->attempt_count, bp_verdict_name(evaluation->verdict),
               evaluation->message);
        if (next == BP_ATTEMPTS_BACK_OFF &&
            bp_retry_back_off(session, evaluation->attempt_count, err) < 0)
            return -1;
        double before_ms = evaluation->duration.total_ms;
        bp_flight_close(session, flight);
        bp_flight_open(flight, flight->candidate);
        if (bp_flight_compile(session, flight, 1, err) < 0 || fly(session, flight, err) < 0)
            return -1;
        add_attempt(flight, before_ms);
    }
    return 0;
}

static int try_candidate(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
{
    struct bp_candidate *candidate = flight->candidate;
    const struct bp_session_callbacks *callbacks = &session->callbacks;
    bool known = candidate->object_fd >= 0 && callbacks->known_object &&
                 callbacks->known_object(callbacks->context, candidate);
    if (!known) {
        if (fly(session, flight, err) < 0)
            return -1;
        add_attempt(flight, 0);
        if (retry(session, flight, err) < 0)
            return -1;
    }
    bp_trial_free(&flight->trial);
    bp_evaluation_safety(candidate->evaluation);
    candidate->evaluation->finished_wall_ms = bp_clock_wall_ms();
    return callbacks->evaluated ? callbacks->evaluated(callbacks->context, candidate, err) : 0;
}

int bp_session_evaluate(struct bp_session *session, struct bp_candidate *candidates, uint32_t count,
                        struct bp_error *err)
{
    if (count > session->parallel)
        return bp_fail(err, BP_ERR_STATE, "%u candidates for %u lanes", count, session->parallel);
    bp_fault_next_phase();
    struct bp_flight *flights = bp_fault_calloc(count, sizeof *flights);
    if (!flights)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %u candidates", count);
    for (uint32_t i = 0; i < count; i++)
        bp_flight_open(&flights[i], &candidates[i]);
    int result = bp_flight_compile(session, flights, count, err);
    for (uint32_t i = 0; i < count && result == 0; i++)
        result = try_candidate(session, &flights[i], err);
    for (uint32_t i = 0; i < count; i++)
        bp_flight_close(session, &flights[i]);
    free(flights);
    return result;
}

/* ---- objects again ---- */

static void take_object(struct bp_candidate *candidate, struct bp_candidate *again)
{
    if (strcmp(again->evaluation->object_hash, candidate->evaluation->object_hash) != 0)
        bp_log(BP_LOG_WARNING, "session", "evaluation %u compiles to another object now, by %s",
               candidate->evaluation->number, again->evaluation->device_driver);
    candidate->object_fd = bp_steal_fd(&again->object_fd);
    candidate->object_bytes = again->object_bytes;
    if (!candidate->evaluation->evidence)
        candidate->evaluation->evidence = bp_steal_pointer(&again->evaluation->evidence);
}

/* Until it has an object, or another attempt makes no sense. */
static int compile_again(struct bp_session *session, struct bp_candidate *candidate,
                         struct bp_outcome *outcome, struct bp_error *err)
{
    struct bp_attempts_policy policy = bp_retry_policy(session);
    enum bp_verdict outcomes[BP_MAX_ATTEMPTS];
    for (uint32_t count = 1; count <= BP_MAX_ATTEMPTS; count++) {
        struct bp_flight flight;
        bp_flight_open(&flight, candidate);
        int result = bp_flight_compile(session, &flight, 1, err);
        *outcome = flight.outcome;
        bp_flight_add_evidence(&flight);
        bp_flight_close(session, &flight);
        outcomes[count - 1] = outcome->verdict;
        if (result < 0)
            return -1;
        if (candidate->object_fd >= 0 ||
            bp_attempts_next(&policy, outcomes, count) != BP_ATTEMPTS_BACK_OFF)
            break;
        if (bp_retry_back_off(session, count, err) < 0)
            return -1;
    }
    return 0;
}

int bp_session_compile(struct bp_session *session, struct bp_candidate *candidate,
                       struct bp_error *err)
{
    struct bp_candidate again = {.evaluation = bp_evaluation_copy(candidate->evaluation),
                                 .object_fd = -1};
    struct bp_outcome outcome;
    if (!again.evaluation)
        return bp_fail(err, BP_ERR_MEMORY, "no memory to compile again");
    int result = compile_again(session, &again, &outcome, err);
    if (again.object_fd >= 0)
        take_object(candidate, &again);
    else if (result == 0)
        result = bp_fail(err, BP_ERR_UNAVAILABLE, "evaluation %u cannot be compiled again: %s: %s",
                         candidate->evaluation->number, bp_verdict_name(outcome.verdict),
                         outcome.message);
    bp_evaluation_free(again.evaluation);
    return result;
}
