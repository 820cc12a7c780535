#include "base/persist.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define FIRST_PAUSE_MS 10u
#define LONGEST_PAUSE_MS 500u

bool bp_persist_is_worth(const struct bp_error *err)
{
    static const int passing[] = {EAGAIN, EBUSY,  EDQUOT, EINTR,   EIO,
                                  EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC};
    if (err->code == BP_ERR_MEMORY)
        return true;
    for (size_t i = 0; err->code == BP_ERR_SYSTEM && i < sizeof passing / sizeof *passing; i++)
        if (err->sys_errno == passing[i])
            return true;
    return false;
}

int bp_persist(const char *area, int (*step)(void *context, struct bp_error *err), void *context,
               struct bp_error *err)
{
    uint64_t give_up_ns = bp_clock_ns() + (uint64_t)BP_PERSIST_MS * 1000000;
    uint32_t pause_ms = FIRST_PAUSE_MS;
    while (step(context, err) < 0) {
        if (!bp_persist_is_worth(err) || bp_clock_ns() + pause_ms * 1000000ull > give_up_ns)
            return -1;
        bp_log(BP_LOG_WARNING, area, "%s; trying again in %u ms", err->msg, pause_ms);
        nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000l}, NULL);
        pause_ms = 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms : LONGEST_PAUSE_MS;
    }
    return 0;
}
