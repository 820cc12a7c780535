/* stage.h: what the worker can be asked to be: one entry a stage, called after confinement. */
#ifndef BP_EVALUATOR_STAGE_H
#define BP_EVALUATOR_STAGE_H

#include "evaluator/channel.h"
#include "sandbox/policy.h"

/* Each serves requests until the supervisor closes the pipe; returns the exit status. */
int bp_stage_prepare(struct bp_channel *channel);
int bp_stage_compile(struct bp_channel *channel);
int bp_stage_run(struct bp_channel *channel);
int bp_stage_judge(struct bp_channel *channel);
int bp_stage_probe(struct bp_channel *channel);
int bp_stage_gate(struct bp_channel *channel);
int bp_stage_lines(struct bp_channel *channel);

/* What a stage opens while it still may: called before it is confined. */
int bp_stage_compile_amd_open(struct bp_error *err) BP_MUST_CHECK;
int bp_stage_compile_nvidia_open(struct bp_error *err) BP_MUST_CHECK;

/* The canary alone is called before its filter is on: it installs that itself. */
int bp_stage_canary(struct bp_channel *channel, enum bp_policy_id policy);

#endif
