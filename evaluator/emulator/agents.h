/* agents.h: the two agents of an emulated system, a host and a GPU, and the memory pools of
 * each. */
#ifndef BP_EMULATOR_AGENTS_H
#define BP_EMULATOR_AGENTS_H

#include <hsa/hsa.h>

#include "evaluator/emulator/target.h"

extern const hsa_agent_t emu_agent_cpu, emu_agent_gpu;

/* Fills the tables that describe the GPU and its pools; before any of their attributes is asked
 * for. */
void emu_agents_describe(const struct emu_target *target);
void emu_pools_describe(const struct emu_target *target);

/* NULL before emu_agents_describe(). */
const struct emu_target *emu_agents_target(void);

#endif
