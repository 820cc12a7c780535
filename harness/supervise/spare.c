#include "harness/supervise/spare.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "evaluator/gpu_arch.h"
#include "harness/supervise/evidence.h"

static void spare_answer(void *context, struct bp_child *child, enum bp_message_type type,
                         const void *message)
{
    struct bp_spare *spare = context;
    (void)message;
    if (type == BP_MESSAGE_ready)
        spare->ready = true;
    else /* a failure to confine itself: whoever needs a child starts another and is told */
        bp_child_stop(child);
}

static void spare_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_spare *spare = context;
    bp_log(BP_LOG_WARNING, "spare", "a spare child ended unused (%.100s): %.200s",
           end->text[0] ? end->text : "by itself", bp_child_log(child));
    bp_spare_release(spare);
}

static const struct bp_child_handlers handlers = {spare_answer, spare_ended};

void bp_spare_describe(const struct bp_child_settings *settings, const char *arch,
                       struct bp_child_options *options)
{
    static const char *const gpu_stages[BP_GPU_KIND_COUNT] = {
        [BP_GPU_AMD] = "compile_amd", [BP_GPU_NVIDIA] = "compile_nvidia"};
    const struct bp_gpu_arch *gpu = bp_gpu_arch_find(arch);
    *options = (struct bp_child_options){
        .loop = settings->loop,
        .worker_path = settings->worker_path,
        .stage = gpu ? gpu_stages[gpu->kind] : "compile",
        .policy = gpu ? BP_POLICY_COMPILE_GPU : BP_POLICY_COMPILE_CPU,
        .limits = {.memory_bytes = settings->memory_bytes},
        .log_max_bytes = settings->log_max_bytes,
        .frames_max_bytes = BP_EVIDENCE_FRAMES_MAX,
    };
}

void bp_spare_fill(struct bp_spare *spare, const struct bp_child_settings *settings,
                   const char *arch)
{
    struct bp_error err;
    struct bp_child_options options;
    if (spare->child)
        return;
    bp_spare_describe(settings, arch, &options);
    options.handlers = &handlers;
    options.context = spare;
    if (bp_child_start(&options, &spare->child, &err) < 0)
        bp_log(BP_LOG_WARNING, "spare", "no spare child: %s", err.msg);
}

bool bp_spare_is_starting(const struct bp_spare *spare)
{
    return spare->child && !spare->ready && !bp_child_is_ending(spare->child);
}

struct bp_child *bp_spare_take(struct bp_spare *spare, const struct bp_child_handlers *owner,
                               void *context, bool *ready)
{
    *ready = spare->ready;
    if (!spare->child || bp_child_is_ending(spare->child)) {
        bp_spare_release(spare);
        return NULL;
    }
    bp_child_hand_over(spare->child, owner, context);
    spare->ready = false;
    return bp_steal_pointer(&spare->child);
}

void bp_spare_release(struct bp_spare *spare)
{
    bp_child_release(&spare->child);
    spare->ready = false;
}
