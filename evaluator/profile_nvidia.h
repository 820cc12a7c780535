/* profile_nvidia.h: the profile that ptxas gives in the compiler's log (--ptxas-options=-v). Pure. */
#ifndef BP_EVALUATOR_PROFILE_NVIDIA_H
#define BP_EVALUATOR_PROFILE_NVIDIA_H

#include "evaluator/profile.h"

/* log: NUL-terminated. Kernels whose report is not there are not in *profile; there is no mix, and
 * blocks are of unknown size. */
void bp_profile_nvidia(const char *log, struct bp_profile *profile);

#endif
