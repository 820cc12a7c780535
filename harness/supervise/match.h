/* match.h: two compiled kernels against each other: interleaved rounds in random order, each kernel
 * in its own process, the idle one frozen.
 *
 * A round times one batch of each side on every timed shape. Orders alternate over the shapes and
 * one secret coin flips them all, so that drift and order effects cannot favour a side. The round's
 * value is the (clipped, rounds.h) mean over shapes of ln(time of B / time of A). */
#ifndef BP_HARNESS_SUPERVISE_MATCH_H
#define BP_HARNESS_SUPERVISE_MATCH_H

#include "evaluator/statistics.h"
#include "harness/supervise/bench.h"
#include "harness/supervise/evidence.h"
#include "harness/supervise/rounds.h"
#include "harness/supervise/stopwatch.h"

struct bp_contender {
    int object_fd; /* borrowed until the match is done; sealed */
    uint64_t object_bytes;
    double per_call_ms[BP_SUITE_MAX_TIMED]; /* earlier medians, to size the batches */
};

struct bp_match_options {
    struct bp_bench *bench;
    uint32_t lane;                /* any; its case arenas are not read */
    struct bp_contender sides[2]; /* BP_RING_A: the challenger, BP_RING_B: the incumbent */
    double batch_ms;
    double limit_ms; /* for all batches of one side together */
    uint32_t rounds;
    bool stop_early; /* give up once the challenger is surely slower */
    uint64_t number; /* of the match, keys its coins */
    uint64_t *draws; /* the run's sample counter */
};

struct bp_match_result {
    struct bp_outcome outcome; /* PASS, or why a side failed */
    enum bp_ring_side failed_side;
    char device[BP_TEXT_SHORT]; /* that both played on; empty: it did not begin */
    uint32_t rounds;
    struct bp_interval log_ratio; /* mean of ln(time B / time A), 95 %: > 0 means A is faster */
    double median_ms[2][BP_SUITE_MAX_TIMED]; /* over the rounds, per call */
};

struct bp_match;

int bp_match_start(const struct bp_match_options *options, struct bp_match **match,
                   struct bp_error *err) BP_MUST_CHECK;
bool bp_match_done(const struct bp_match *match);
/* After done. */
void bp_match_result(const struct bp_match *match, struct bp_match_result *result);
/* What is known of the run child that failed the match, the caller's from now on; null when none did. */
struct bp_evidence *bp_match_take_evidence(struct bp_match *match);
/* After done: whether one of its children is not gone a second after SIGKILL. */
bool bp_match_left_unreaped(const struct bp_match *match);
void bp_match_free(struct bp_match **match);

#endif
