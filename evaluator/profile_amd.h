/* profile_amd.h: the profile of an AMD code object, read by amd_comgr, the library that hipRTC compiles
 * with. In the compile child: the object is the candidate's. */
#ifndef BP_EVALUATOR_PROFILE_AMD_H
#define BP_EVALUATOR_PROFILE_AMD_H

#include "base/error.h"
#include "evaluator/profile.h"

/* comgr: of dlopen (struct bp_gpu_api). *profile has every kernel of the contract that the object
 * describes; one whose code could not be read has no mix. BP_ERR_UNAVAILABLE when comgr lacks a function
 * or makes nothing of the object. */
int bp_profile_amd(void *comgr, const void *object, size_t bytes, struct bp_profile *profile,
                   struct bp_error *err) BP_MUST_CHECK;

#endif
