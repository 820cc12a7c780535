#include "base/weaken.h"

#include <stdlib.h>
#include <string.h>

#ifndef BP_WEAKENING

int bp_weaken_start(struct bp_error *err)
{
    if (getenv(BP_WEAKEN_VARIABLE))
        return bp_fail(err, BP_ERR_USAGE,
                       BP_WEAKEN_VARIABLE " is set, and this build cannot be weakened");
    return 0;
}

#else

#include "base/log.h"

static bool off[BP_DEFENCE_COUNT];

static const char *const names[BP_DEFENCE_COUNT] = {
#define ROW(name, meaning) #name,
    BP_DEFENCE_LIST(ROW)
#undef ROW
};

static const char *const meanings[BP_DEFENCE_COUNT] = {
#define ROW(name, meaning) meaning,
    BP_DEFENCE_LIST(ROW)
#undef ROW
};

bool bp_weakened(enum bp_defence defence)
{
    return off[defence];
}

static int turn_off(const char *name, size_t length, struct bp_error *err)
{
    for (int i = 0; i < BP_DEFENCE_COUNT; i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0) {
            off[i] = true;
            bp_log(BP_LOG_WARNING, "weaken", "%s is off: %s", names[i], meanings[i]);
            return 0;
        }
    return bp_fail(err, BP_ERR_USAGE, BP_WEAKEN_VARIABLE ": no defence is named '%.*s'",
                   (int)length, name);
}

int bp_weaken_start(struct bp_error *err)
{
    const char *text = getenv(BP_WEAKEN_VARIABLE);
    memset(off, 0, sizeof off);
    while (text && *text) {
        size_t length = strcspn(text, ",");
        if (turn_off(text, length, err) < 0)
            return -1;
        text += length + (text[length] == ',');
    }
    return 0;
}

#endif
