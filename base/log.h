/* log.h: the harness's own log lines (never a candidate's): "HH:MM:SS.mmm LEVEL area: text" to
 * standard error and, once opened, to the run's log.txt. Any thread may log. */
#ifndef BP_BASE_LOG_H
#define BP_BASE_LOG_H

#include <stdint.h>

#include "base/error.h"

enum bp_log_level { BP_LOG_DEBUG, BP_LOG_INFO, BP_LOG_WARNING, BP_LOG_ERROR };

/* Lines below level are dropped from standard error; log.txt gets everything from INFO on. */
void bp_log_set_level(enum bp_log_level level);

/* How large the file may grow and how many older ones stay beside it. */
struct bp_log_caps {
    uint64_t max_bytes; /* a line that would go beyond it starts a new file */
    uint32_t kept;      /* path.1, the newest, to path.N; 0: older lines are dropped */
};

/* Appends to path from now on (created with mode 0644), without a cap. */
int bp_log_open(const char *path, struct bp_error *err) BP_MUST_CHECK;
void bp_log_set_caps(const struct bp_log_caps *caps);
/* Starts a new file now: path becomes path.1, and so on. A path that someone moved away is only
 * opened anew. On failure the lines go on to the file they went to. Without a log: nothing. */
int bp_log_rotate(struct bp_error *err) BP_MUST_CHECK;
void bp_log_close(void);

void bp_log(enum bp_log_level level, const char *area, const char *fmt, ...) BP_PRINTF(3, 4);

#endif
