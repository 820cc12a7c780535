/* device.h: which device a session uses. */
#ifndef BP_HARNESS_EVOLVE_DEVICE_H
#define BP_HARNESS_EVOLVE_DEVICE_H

#include "evaluator/messages.h"
#include "harness/config/config.h"
#include "harness/evolve/host.h"

struct bp_session_device {
    struct bp_device_name parsed;
    char name[BP_TEXT_SHORT]; /* as the user would write it; never "auto" */
    char arch[BP_TEXT_SHORT]; /* what is compiled for; empty: the device will tell */
    char title[BP_TEXT_LINE]; /* a person's name for it */
};

/* config->device, or for "auto" the first of hip:0, cuda:0 and cpu that is there and that the kernel
 * declares as a target. BP_ERR_USAGE: no such device, none that the kernel is for, or something that it
 * needs is not installed. */
int bp_session_device_choose(const struct bp_config *config, const struct bp_host *host,
                             struct bp_session_device *device, struct bp_error *err) BP_MUST_CHECK;

#endif
