#include "harness/eval_source.h"

#include <stdio.h>

#include "base/clock.h"
#include "harness/evolve/session.h"

int bp_eval_refuse_source(const char *why, const struct bp_config *config,
                          struct bp_evaluation *evaluation, struct bp_error *err)
{
    snprintf(evaluation->message, sizeof evaluation->message, "%s", why);
    if (bp_session_dtype(config, &evaluation->dtype, err) < 0)
        return -1;
    snprintf(evaluation->kernel_name, sizeof evaluation->kernel_name, "-");
    snprintf(evaluation->suite, sizeof evaluation->suite, "%s", config->suite);
    evaluation->verdict = BP_VERDICT_INVALID_SOURCE;
    evaluation->stage = BP_STAGE_validate;
    evaluation->finished_wall_ms = bp_clock_wall_ms();
    bp_evaluation_safety(evaluation);
    return 0;
}
