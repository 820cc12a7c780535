#include "harness/evolve/notify.h"

#include <systemd/sd-daemon.h>

uint64_t bp_notify_watchdog_ns(void)
{
    uint64_t period_us;
    return sd_watchdog_enabled(0, &period_us) > 0 ? period_us * 1000 / 3 : 0;
}

/* That the manager cannot be reached is no reason to end a run: its watchdog will say so. */
void bp_notify_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void bp_notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void bp_notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

void bp_notify_status(const char *line)
{
    sd_notifyf(0, "STATUS=%s", line);
}
