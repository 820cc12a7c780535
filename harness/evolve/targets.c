#include "harness/evolve/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "harness/evolve/host.h"
#include "harness/supervise/canary.h"

static const struct {
    const char *name;
    uint32_t bit;
} needs[BP_GPU_KIND_COUNT] = {
    [BP_GPU_AMD] = {"amd", BP_TARGET_AMD}, [BP_GPU_NVIDIA] = {"nvidia", BP_TARGET_NVIDIA}};

static int add(const char *name, const struct bp_kernel_head *head, struct bp_targets *targets,
               struct bp_error *err)
{
    char valid[300];
    const struct bp_gpu_arch *arch = bp_gpu_arch_find(name);
    if (!arch) {
        bp_gpu_arch_names(valid, sizeof valid);
        return bp_fail(err, BP_ERR_USAGE, "no target is named '%.40s' (valid: %s)", name, valid);
    }
    if (!(head->targets & needs[arch->kind].bit))
        return bp_fail(err, BP_ERR_USAGE,
                       "%s needs target '%s', which kernel '%s' does not declare", arch->name,
                       needs[arch->kind].name, head->name);
    for (uint32_t i = 0; i < targets->count; i++)
        if (targets->list[i].arch == arch)
            return bp_fail(err, BP_ERR_USAGE, "target %s is named twice", arch->name);
    targets->list[targets->count++] =
        (struct bp_target_compile){.arch = arch, .job = {.object_fd = -1}};
    return 0;
}

int bp_targets_parse(const char *text, const struct bp_kernel_head *head,
                     struct bp_targets *targets, struct bp_error *err)
{
    targets->count = 0;
    for (const char *at = text;; at++) {
        char name[64];
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        if (targets->count == BP_MAX_TARGETS)
            return bp_fail(err, BP_ERR_USAGE, "more than %d targets", BP_MAX_TARGETS);
        if (add(name, head, targets, err) < 0)
            return -1;
        at += length;
        if (*at == '\0')
            return 0;
    }
}

static void describe(const struct bp_config *config, const struct bp_child_settings *children,
                     const struct bp_evaluation *candidate, const struct bp_gpu_arch *arch,
                     struct bp_compile_options *options)
{
    *options = (struct bp_compile_options){
        .children = *children,
        .dtype = candidate->dtype,
        .spills_below = config->limits.spills + 1,
        .source = candidate->source,
        .source_bytes = candidate->source_bytes,
        .define_count = candidate->knob_count,
        .defines = candidate->knobs,
    };
    snprintf(options->device, sizeof options->device, "%s", arch->name);
    snprintf(options->arch, sizeof options->arch, "%s", arch->name);
}

static uint32_t count_running(const struct bp_targets *targets, uint32_t started)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < started; i++)
        running += !targets->list[i].job.done;
    return running;
}

static int compile_all(const struct bp_config *config, const struct bp_child_settings *children,
                       const struct bp_evaluation *candidate, struct bp_targets *targets,
                       struct bp_error *err)
{
    struct bp_host host;
    uint32_t started = 0;
    bp_host_describe(&host);
    uint32_t at_once = config->parallel ? config->parallel : host.processors;
    while (started < targets->count || count_running(targets, started) > 0) {
        while (started < targets->count && count_running(targets, started) < at_once) {
            struct bp_target_compile *target = &targets->list[started];
            struct bp_compile_options options;
            describe(config, children, candidate, target->arch, &options);
            if (bp_compile_start(&target->job, &options, err) < 0)
                return -1;
            started++;
        }
        if (bp_loop_step(children->loop, err) < 0)
            return -1;
        if (children->loop->stop_signal)
            return bp_fail(err, BP_ERR_INTERRUPTED, "stopped by SIG%s",
                           sigabbrev_np(children->loop->stop_signal));
    }
    return 0;
}

static int compile_in_loop(const struct bp_config *config, struct bp_loop *loop,
                           const struct bp_evaluation *candidate, struct bp_targets *targets,
                           struct bp_error *err)
{
    char worker[4096];
    struct bp_canary_report report;
    if (bp_launch_find_worker(worker, sizeof worker, err) < 0)
        return -1;
    struct bp_child_settings children = {
        .loop = loop,
        .worker_path = worker,
        .compile_ms = config->limits.compile_s * 1e3,
        .memory_bytes = (uint64_t)config->limits.memory_mb << 20,
        .log_max_bytes = (size_t)config->limits.log_kb << 10,
    };
    if (bp_canary_run(&children, &report, err) < 0 ||
        bp_canary_insist(&report, config->sandbox_require, config->allow_degraded, err) < 0)
        return -1;
    int result = compile_all(config, &children, candidate, targets, err);
    for (uint32_t i = 0; i < targets->count; i++)
        bp_child_release(&targets->list[i].job.child);
    return result;
}

int bp_targets_compile(const struct bp_config *config, const struct bp_evaluation *candidate,
                       struct bp_targets *targets, struct bp_error *err)
{
    char layers[BP_TEXT_LINE];
    struct bp_loop loop;
    if (bp_launch_prepare_supervisor(layers, sizeof layers, err) < 0)
        return -1;
    int result = bp_loop_open(&loop, err);
    if (result == 0) {
        result = compile_in_loop(config, &loop, candidate, targets, err);
        bp_loop_close(&loop);
    }
    bp_launch_close_supervisor();
    return result;
}

void bp_targets_free(struct bp_targets *targets)
{
    for (uint32_t i = 0; targets && i < targets->count; i++)
        bp_compile_free(&targets->list[i].job);
    free(targets);
}
