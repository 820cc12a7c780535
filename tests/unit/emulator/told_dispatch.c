#include "tests/unit/emulator/told_dispatch.h"

#include <unistd.h>

struct emu_outcome told_outcome;
volatile bool told_to_wait;
volatile unsigned told_dispatches;
struct emu_dispatch told_dispatch;

int emu_dispatch_run(const struct emu_dispatch *dispatch, struct emu_outcome *outcome)
{
    told_dispatch = *dispatch;
    told_dispatches++;
    *outcome = told_outcome;
    while (told_to_wait && !*dispatch->stop)
        usleep(1000);
    if (*dispatch->stop)
        outcome->end = EMU_STOPPED;
    return 0;
}

const char *emu_end_name(enum emu_end end)
{
    (void)end;
    return "told";
}
