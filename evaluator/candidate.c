#include "evaluator/candidate.h"

#include <unistd.h>

#include "sandbox/confine.h"

int bp_candidate_admit(struct bp_channel *channel, struct bp_candidate_object object,
                       struct bp_device_module **module, enum bp_verdict *verdict,
                       char message[BP_TEXT_LINE], struct bp_error *err)
{
    *verdict = object.device->load(object.fd, object.bytes, module, message);
    close(object.fd);
    if (*verdict != BP_VERDICT_PASS)
        return 0;
    if (bp_confine_candidate(channel->policy, channel->control, err) < 0)
        return -1;
    bp_channel_close_control(channel);
    return 0;
}
