/* evidence.h: a dead child's part of the evidence (harness/store/evidence.h). */
#ifndef BP_HARNESS_SUPERVISE_EVIDENCE_H
#define BP_HARNESS_SUPERVISE_EVIDENCE_H

#include "evaluator/device_name.h"
#include "harness/store/evidence.h"
#include "harness/supervise/child.h"
#include "harness/supervise/outcome.h"

#define BP_EVIDENCE_FRAMES_MAX (512u << 10) /* kept of the requests of a child, bytes */

/* To be called in `ended`. Null when there is no memory: evidence is never worth a verdict. */
struct bp_evidence *bp_evidence_of_child(enum bp_stage stage, const struct bp_child *child,
                                         const struct bp_child_end *end);

/* Puts address and place into the message of a CRASH, where the evidence has them. Where the child's
 * device is a GPU and its runtime aborted, the outcome becomes what the runtime said of the device. */
void bp_evidence_name_fault(const struct bp_evidence *evidence, enum bp_device_kind kind,
                            struct bp_outcome *outcome);

#endif
