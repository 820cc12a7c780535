/* counters.h: how many wave-instructions kernels executed, by class; only an emulated GPU counts them.
 * The classes are those of evaluator/emulator/isa/dispatch.h. */
#ifndef BP_EVALUATOR_COUNTERS_H
#define BP_EVALUATOR_COUNTERS_H

#include <stdint.h>

#define BP_COUNTER_LIST(X)                                                                         \
    X(salu) X(valu) X(matrix) X(lds) X(vmem) X(smem) X(wait) X(branch) X(other)

struct bp_counters {
#define BP_COUNTER_FIELD(name) uint64_t name;
    BP_COUNTER_LIST(BP_COUNTER_FIELD)
#undef BP_COUNTER_FIELD
};

/* Adds to *sum what was counted between two readings. */
static inline void bp_counters_add(struct bp_counters *sum, const struct bp_counters *before,
                                   const struct bp_counters *after)
{
#define BP_COUNTER_ADD(name) sum->name += after->name - before->name;
    BP_COUNTER_LIST(BP_COUNTER_ADD)
#undef BP_COUNTER_ADD
}

#endif
