#include "tests/lib/confined.h"

#include <stdio.h>

#include "sandbox/confine.h"

bool confined_start(int argc, char **argv, const char *stage, struct bp_channel *channel)
{
    struct bp_error err;
    enum bp_policy_id policy;
    struct bp_policy_limits limits;
    struct bp_msg_ready ready = {0};
    snprintf(ready.stage, sizeof ready.stage, "%s", stage);
    if (bp_policy_limits_parse(argc, argv, &policy, &limits, &err) < 0 ||
        bp_confine_enter(BP_FD_STATUS, &err) < 0)
        return false;
    bp_channel_open(channel);
    channel->nonce = 0;
    return bp_confine_stage(policy, &limits, BP_FD_CONTROL, ready.sandbox, sizeof ready.sandbox,
                            &err) == 0 &&
           bp_channel_send(channel, BP_MESSAGE_ready, &ready, &err) == 0;
}
