/* log.h: the harness's own log lines (never a candidate's): "HH:MM:SS.mmm LEVEL area: text" to
 * standard error and, once opened, to the run's log.txt. */
#ifndef BP_BASE_LOG_H
#define BP_BASE_LOG_H

#include "base/error.h"

enum bp_log_level { BP_LOG_DEBUG, BP_LOG_INFO, BP_LOG_WARNING, BP_LOG_ERROR };

/* Lines below level are dropped from standard error; log.txt gets everything from INFO on. */
void bp_log_set_level(enum bp_log_level level);

/* Appends to path from now on (created with mode 0644). */
int bp_log_open(const char *path, struct bp_error *err) BP_MUST_CHECK;
void bp_log_close(void);

void bp_log(enum bp_log_level level, const char *area, const char *fmt, ...) BP_PRINTF(3, 4);

#endif
