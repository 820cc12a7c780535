/* flight.h: one attempt at a candidate after the other: compile, then trial. Part of a session. What
 * goes wrong on the way is an outcome (INFRA when it is ours); -1 only as in waiting.h. */
#ifndef BP_HARNESS_EVOLVE_FLIGHT_H
#define BP_HARNESS_EVOLVE_FLIGHT_H

#include "harness/evolve/waiting.h"
#include "harness/supervise/compile_job.h"

struct bp_flight {
    struct bp_candidate *candidate;
    struct bp_compile_job job;
    bool compiling;         /* job was started */
    struct bp_trial *trial; /* opened with the compiler, so that its children are ready after it */
    struct bp_orders fills; /* of its case arenas */
    uint64_t secret;        /* number that keys its permutation and canaries */
    struct bp_secret_position position; /* where the secrets stood as it began */

    /* of the attempt under way or just over */
    struct bp_outcome outcome;
    enum bp_stage stage;
    bool unreaped; /* it left a process behind that will not go */
};

/* Zeroed but for the candidate. */
void bp_flight_open(struct bp_flight *flight, struct bp_candidate *candidate);
void bp_flight_close(struct bp_session *session, struct bp_flight *flight);

/* What a candidate's compile needs of the session; borrows the candidate's source and knobs. */
void bp_flight_describe_compile(const struct bp_session *session,
                                const struct bp_candidate *candidate,
                                struct bp_compile_options *options);

/* Compiles every flight, and meanwhile prepares all that its trial needs beside the object; after it
 * each has an outcome, PASS when there is an object and everything to try it. */
int bp_flight_compile(struct bp_session *session, struct bp_flight *flights, uint32_t count,
                      struct bp_error *err) BP_MUST_CHECK;

/* Runs, judges and times the object. */
int bp_flight_try(struct bp_session *session, struct bp_flight *flight, struct bp_error *err)
    BP_MUST_CHECK;

/* Adds to the evidence of the attempt what only the session knows: the object, how it was compiled, and
 * where the secrets stood. Where no child got as far as leaving any, there is that alone. */
void bp_flight_add_evidence(struct bp_flight *flight);

/* Takes evidence of what came after the evaluation's attempts, a match or an unseen shape, in place of
 * theirs, but for the object, how it was compiled and where the secrets stood. */
void bp_flight_replace_evidence(struct bp_evaluation *evaluation, struct bp_evidence *evidence);

/* A side of the ring of outputs for a new candidate, with nothing left of earlier ones. *outcome is
 * PASS or INFRA. */
int bp_flight_take_ring(struct bp_session *session, enum bp_ring_side side,
                        struct bp_outcome *outcome, struct bp_error *err) BP_MUST_CHECK;

#endif
