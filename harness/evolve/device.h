/* device.h: which devices a session uses. */
#ifndef BP_HARNESS_EVOLVE_DEVICE_H
#define BP_HARNESS_EVOLVE_DEVICE_H

#include "evaluator/messages.h"
#include "harness/config/config.h"
#include "harness/evolve/host.h"
#include "harness/evolve/slots.h"

/* How "auto" finds out whether a device is there and well: 0, or -1 and why not; an err of
 * BP_ERR_INTERRUPTED ends the choice. */
struct bp_device_asker {
    int (*ask)(void *context, const char *device, const struct bp_device_name *name,
               struct bp_error *err);
    void *context;
};

/* Its device nodes may be used, and a child of its own opens it and describes it in due time. context: the
 * worker's path. */
int bp_device_ask(void *worker_path, const char *device, const struct bp_device_name *name,
                  struct bp_error *err) BP_MUST_CHECK;

/* The devices of config->device, a slot each; for "auto" the first of hip:0, cuda:0 and cpu that the kernel
 * declares as a target and that answers, and why others were passed over is said. BP_ERR_USAGE: no such
 * device, none that the kernel is for, or something that it needs is not installed. */
int bp_session_devices_choose(const struct bp_config *config, const struct bp_host *host,
                              const struct bp_device_asker *asker, struct bp_slots *slots,
                              struct bp_error *err) BP_MUST_CHECK;

#endif
