/* notify.h: what the service manager is told (systemd's notification socket). Without one, in a
 * shell, nothing. */
#ifndef BP_HARNESS_EVOLVE_NOTIFY_H
#define BP_HARNESS_EVOLVE_NOTIFY_H

#include <stdint.h>

/* Time between two signs of life: a third of what the manager waits for; 0 when it wants none. */
uint64_t bp_notify_watchdog_ns(void);

void bp_notify_alive(void);
/* Evaluations begin. */
void bp_notify_ready(void);
void bp_notify_stopping(void);
/* One line for `systemctl status`. */
void bp_notify_status(const char *line);

#endif
