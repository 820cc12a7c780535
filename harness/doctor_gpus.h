/* doctor_gpus.h: what doctor says of the GPUs. */
#ifndef BP_HARNESS_DOCTOR_GPUS_H
#define BP_HARNESS_DOCTOR_GPUS_H

#include <jansson.h>

#include "harness/evolve/gpus.h"

void bp_doctor_print_gpus(const struct bp_gpus *gpus);
/* A new reference; null when there is no memory. */
json_t *bp_doctor_gpus_json(const struct bp_gpus *gpus);

#endif
