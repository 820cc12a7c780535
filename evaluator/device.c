#include "evaluator/device.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/weaken.h"
#include "evaluator/device_name.h"
#include "evaluator/emulator/report.h"

static const struct bp_device *const devices[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_CPU] = &bp_device_cpu,
    [BP_DEVICE_KIND_HIP] = &bp_device_gpu,
    [BP_DEVICE_KIND_CUDA] = &bp_device_gpu,
    [BP_DEVICE_KIND_EMULATED] = &bp_device_gpu,
};

static const char *const reasons[] = {
    [GQA_UNSUPPORTED_HEAD_DIM] = "head_dim", [GQA_UNSUPPORTED_Q_LEN] = "q_len",
    [GQA_UNSUPPORTED_KV_LEN] = "kv_len",     [GQA_UNSUPPORTED_GROUP] = "q_heads / kv_heads",
    [GQA_UNSUPPORTED_MASK] = "the mask",     [GQA_UNSUPPORTED_OTHER] = "this shape",
};

const struct bp_device *bp_device_find(const char *name)
{
    struct bp_device_name parsed;
    struct bp_error ignored;
    return bp_device_name_parse(name, &parsed, &ignored) == 0 ? devices[parsed.kind] : NULL;
}

/* The emulator reads its environment when its device is opened. */
int bp_device_inject(const char *faults, struct bp_error *err)
{
    if (!faults[0])
        return 0;
    if (!BP_FAULT_BUILT)
        return bp_fail(err, BP_ERR_PROTOCOL, "this build injects no faults");
    setenv(EMU_ENV_FAULTS, faults, 1);
    return 0;
}

BP_PRINTF(3, 4)
static enum bp_verdict answer(enum bp_verdict verdict, char message[BP_TEXT_LINE], const char *fmt,
                              ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, BP_TEXT_LINE, fmt, args);
    va_end(args);
    return verdict;
}

static enum bp_verdict refusal(uint32_t reason, char message[BP_TEXT_LINE])
{
    if (reason < sizeof reasons / sizeof *reasons && reasons[reason])
        return answer(BP_VERDICT_UNSUPPORTED, message, "the plan does not support %s",
                      reasons[reason]);
    return answer(BP_VERDICT_UNSUPPORTED, message, "the plan refuses the shape: reason %" PRIu32,
                  reason);
}

/* Product of three dimensions; saturates, so that no 96-bit product wraps below a limit. */
static uint64_t volume(const gqa_u32 dims[3])
{
    uint64_t result;
    if (__builtin_mul_overflow((uint64_t)dims[0] * dims[1], dims[2], &result))
        return UINT64_MAX;
    return result;
}

static enum bp_verdict check_launch(uint32_t number, const struct gqa_launch *launch,
                                    const struct bp_device_limits *limits,
                                    char message[BP_TEXT_LINE])
{
    uint64_t threads = volume(launch->block), blocks = volume(launch->grid);
    if (threads == 0 || blocks == 0)
        return answer(BP_VERDICT_LAUNCH_ERROR, message,
                      "launch %" PRIu32 " has a grid or block dimension of zero", number);
    if (threads > limits->block_threads)
        return answer(BP_VERDICT_RESOURCE_LIMIT, message,
                      "launch %" PRIu32 " has blocks of %" PRIu64 " threads, limit %" PRIu32,
                      number, threads, limits->block_threads);
    if (blocks > limits->grid_blocks)
        return answer(BP_VERDICT_RESOURCE_LIMIT, message,
                      "launch %" PRIu32 " has a grid of %" PRIu64 " blocks, limit %" PRIu64, number,
                      blocks, limits->grid_blocks);
    if (launch->dynamic_lds > limits->lds_bytes)
        return answer(BP_VERDICT_RESOURCE_LIMIT, message,
                      "launch %" PRIu32 " asks for %" PRIu32
                      " bytes of dynamic LDS, limit %" PRIu32,
                      number, launch->dynamic_lds, limits->lds_bytes);
    return BP_VERDICT_PASS;
}

enum bp_verdict bp_plan_check(const struct gqa_launch_plan *plan,
                              const struct bp_device_limits *limits, uint64_t workspace_max_bytes,
                              char message[BP_TEXT_LINE])
{
    if (plan->unsupported != GQA_SUPPORTED)
        return refusal(plan->unsupported, message);
    if (bp_weakened(BP_DEFENCE_plan_limits))
        return BP_VERDICT_PASS;
    if (plan->launches == 0 || plan->launches > GQA_MAX_LAUNCHES)
        return answer(BP_VERDICT_LAUNCH_ERROR, message,
                      "the plan has %" PRIu32 " launches, not 1 to %d", plan->launches,
                      GQA_MAX_LAUNCHES);
    for (uint32_t i = 0; i < plan->launches; i++) {
        enum bp_verdict verdict = check_launch(i, &plan->launch[i], limits, message);
        if (verdict != BP_VERDICT_PASS)
            return verdict;
    }
    if (plan->workspace_bytes > workspace_max_bytes)
        return answer(BP_VERDICT_RESOURCE_LIMIT, message,
                      "the plan asks for %" PRIu64 " bytes of workspace, limit %" PRIu64,
                      (uint64_t)plan->workspace_bytes, workspace_max_bytes);
    return BP_VERDICT_PASS;
}

enum bp_verdict bp_plan_check_kernels(const struct gqa_launch_plan *plan,
                                      const struct bp_device_limits *limits,
                                      const struct bp_plan_kernel kernels[GQA_MAX_LAUNCHES],
                                      char message[BP_TEXT_LINE])
{
    for (uint32_t i = 0; i < plan->launches && i < GQA_MAX_LAUNCHES; i++) {
        const struct bp_plan_kernel *kernel = &kernels[i];
        uint64_t dynamic = plan->launch[i].dynamic_lds;
        if (!kernel->present)
            return answer(BP_VERDICT_LAUNCH_ERROR, message,
                          "the plan has %" PRIu32 " launches but the object no gqa_kernel%" PRIu32,
                          plan->launches, i);
        uint64_t grain = limits->lds_grain, whole = (dynamic + grain - 1) / grain * grain;
        if (whole + kernel->static_lds > limits->lds_bytes)
            return answer(BP_VERDICT_RESOURCE_LIMIT, message,
                          "launch %" PRIu32 " needs %" PRIu64 " bytes of static and %" PRIu64
                          " of dynamic LDS, limit %" PRIu32,
                          i, kernel->static_lds, dynamic, limits->lds_bytes);
    }
    return BP_VERDICT_PASS;
}
