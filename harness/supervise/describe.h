/* describe.h: asks a device what it is, in a child of its own. */
#ifndef BP_HARNESS_SUPERVISE_DESCRIBE_H
#define BP_HARNESS_SUPERVISE_DESCRIBE_H

#include "evaluator/device_name.h"
#include "evaluator/messages.h"
#include "harness/supervise/settings.h"

/* A GPU's library compiles kernels of its own when it starts. */
#define BP_DESCRIBE_MS 30000.0

/* Runs the loop of settings until the child has ended, which takes timeout_ms at most once it is ready.
 * BP_ERR_UNAVAILABLE: the device does not answer, and why; BP_ERR_INTERRUPTED. */
int bp_device_describe(const struct bp_child_settings *settings, const char *device,
                       enum bp_device_kind kind, double timeout_ms,
                       struct bp_msg_device_result *result, struct bp_error *err) BP_MUST_CHECK;

#endif
