#include "harness/search/strategy.h"

#include <string.h>

static const struct bp_strategy *const strategies[] = {
    &bp_strategy_random,
    &bp_strategy_local,
    NULL,
};

const struct bp_strategy *const *bp_strategies(void)
{
    return strategies;
}

const struct bp_strategy *bp_strategy_find(const char *name)
{
    for (size_t i = 0; strategies[i]; i++)
        if (strcmp(strategies[i]->name, name) == 0)
            return strategies[i];
    return NULL;
}
