/* usage.h: what this process uses of the machine. */
#ifndef BP_HARNESS_EVOLVE_USAGE_H
#define BP_HARNESS_EVOLVE_USAGE_H

#include <stdint.h>

/* 0 where /proc does not tell. */
uint64_t bp_usage_resident_bytes(void);
uint32_t bp_usage_descriptors(void);

#endif
