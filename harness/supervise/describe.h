/* describe.h: asks a device what it is, in a child of its own. */
#ifndef BP_HARNESS_SUPERVISE_DESCRIBE_H
#define BP_HARNESS_SUPERVISE_DESCRIBE_H

#include "evaluator/device_name.h"
#include "evaluator/messages.h"
#include "harness/supervise/settings.h"

/* Runs the loop of settings until the child has ended. BP_ERR_UNAVAILABLE: the device does not answer,
 * and why; BP_ERR_INTERRUPTED. */
int bp_device_describe(const struct bp_child_settings *settings, const char *device,
                       enum bp_device_kind kind, struct bp_msg_device_result *result,
                       struct bp_error *err) BP_MUST_CHECK;

#endif
