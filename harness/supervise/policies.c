#include "harness/supervise/policies.h"

static const struct bp_policies rows[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_CPU] = {BP_POLICY_COMPILE_CPU, BP_POLICY_RUN_CPU, BP_POLICY_PROBE_CPU},
    [BP_DEVICE_KIND_HIP] = {BP_POLICY_COMPILE_GPU, BP_POLICY_RUN_AMD, BP_POLICY_RUN_AMD},
    [BP_DEVICE_KIND_CUDA] = {BP_POLICY_COMPILE_GPU, BP_POLICY_RUN_NVIDIA, BP_POLICY_RUN_NVIDIA},
    [BP_DEVICE_KIND_EMULATED] = {BP_POLICY_COMPILE_GPU, BP_POLICY_RUN_EMULATED,
                                 BP_POLICY_RUN_EMULATED},
};

const struct bp_policies *bp_policies_of(enum bp_device_kind kind)
{
    return &rows[kind];
}

static uint32_t set_of(enum bp_device_kind kind)
{
    const struct bp_policies *row = &rows[kind];
    return 1u << row->compile | 1u << row->run | 1u << row->probe;
}

uint32_t bp_policies_used(enum bp_device_kind kind)
{
    /* The gates are the CPU device's, wherever the candidate is to run. */
    return 1u << BP_POLICY_PREPARE | 1u << BP_POLICY_JUDGE | set_of(BP_DEVICE_KIND_CPU) |
           set_of(kind);
}
