/* setting.h: under what a session evaluates, as its bundles keep it, and what became different. */
#ifndef BP_HARNESS_EVOLVE_SETTING_H
#define BP_HARNESS_EVOLVE_SETTING_H

#include "harness/evolve/session.h"
#include "harness/report/replay_file.h"

/* Of an initialised session. Free with bp_replay_setting_free. */
int bp_setting_of(const struct bp_session *session, struct bp_replay_setting *setting,
                  struct bp_error *err) BP_MUST_CHECK;

/* "compiler: then …, now …", a line a fact that differs, into text, cut at size. */
void bp_setting_compare(const struct bp_replay_setting *then, const struct bp_replay_setting *now,
                        char *text, size_t size);

#endif
