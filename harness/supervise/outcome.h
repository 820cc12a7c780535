/* outcome.h: from how a child ended to what that says of the candidate. Pure. */
#ifndef BP_HARNESS_SUPERVISE_OUTCOME_H
#define BP_HARNESS_SUPERVISE_OUTCOME_H

#include "harness/supervise/child.h"

struct bp_outcome {
    enum bp_verdict verdict;
    char message[BP_TEXT_LINE];
};

/* The outcome of a child that ended although an answer was owed. A fault in prepare or judge, or in
 * a child that never saw the candidate (a compile child without a request), is INFRA. */
void bp_outcome_of_end(enum bp_stage stage, const struct bp_child_end *end, double timeout_ms,
                       struct bp_outcome *outcome);

/* The outcome of a `failure` message: its verdict if the stage may claim it, else PROTOCOL. A child
 * in which candidate code has run cannot claim INFRA, PASS or any judgement; on an emulated device the
 * caller says that none has, as what the emulator cannot do is claimed afterwards. */
void bp_outcome_of_failure(enum bp_stage stage, const struct bp_msg_failure *failure,
                           bool candidate_ran, struct bp_outcome *outcome);

/* The outcome of a verdict carried by a result message (compile_result, judge_result), with the
 * same rule. */
void bp_outcome_of_claim(enum bp_stage stage, uint32_t verdict, const char *message,
                         struct bp_outcome *outcome);

/* INFRA: something of ours failed before, beside or after the candidate. */
void bp_outcome_of_error(const struct bp_error *err, struct bp_outcome *outcome);

#endif
