/* dump.h: a configuration with every value filled in, as JSON that bp_config_parse reads again. */
#ifndef BP_HARNESS_CONFIG_DUMP_H
#define BP_HARNESS_CONFIG_DUMP_H

#include "base/buffer.h"
#include "harness/config/config.h"

enum bp_config_dump { BP_CONFIG_DUMP_SETTINGS, BP_CONFIG_DUMP_WITH_SPACE };

/* Appends one JSON object without `output`, and with "kernel.hip" for `kernel`: what a machine's
 * directories are called is no setting. Without the space, any kernel goes with it. */
int bp_config_dump(const struct bp_config *config, enum bp_config_dump what, struct bp_buffer *json,
                   struct bp_error *err) BP_MUST_CHECK;

#endif
