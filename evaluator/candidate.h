/* candidate.h: how a stage lets a candidate in: the last thing done before its first instruction. */
#ifndef BP_EVALUATOR_CANDIDATE_H
#define BP_EVALUATOR_CANDIDATE_H

#include "evaluator/channel.h"
#include "evaluator/device.h"

/* An object and what it is loaded for. */
struct bp_candidate_object {
    const struct bp_device *device; /* opened */
    int fd;                         /* taken */
    uint64_t bytes;
};

/* Loads the object and shuts the door: the candidate's filter is on, no descriptor comes or goes any more.
 * 0 with *verdict PASS and *module set, or with a verdict on the object and message; -1 when the door
 * does not shut. */
int bp_candidate_admit(struct bp_channel *channel, struct bp_candidate_object object,
                       struct bp_device_module **module, enum bp_verdict *verdict,
                       char message[BP_TEXT_LINE], struct bp_error *err) BP_MUST_CHECK;

#endif
