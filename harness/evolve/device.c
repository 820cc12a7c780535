#include "harness/evolve/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "evaluator/gpu_arch.h"
#include "harness/supervise/describe.h"
#include "harness/supervise/device_node.h"
#include "harness/supervise/policies.h"
#include "sandbox/launch.h"

#define ASK_MS 15000.0 /* of "auto": cold libraries take seconds */
#define ASK_LOG_BYTES 4096

static const char *const drivers[BP_DEVICE_KIND_COUNT] = {
    [BP_DEVICE_KIND_HIP] = "AMD's kernel driver amdgpu makes it, for the groups render and video",
    [BP_DEVICE_KIND_CUDA] = "NVIDIA's kernel driver makes it",
};

/* In the order of "auto". The emulated device is a test double: nobody gets it unasked. */
static const char *const candidates[] = {"hip:0", "cuda:0", "cpu"};

static bool is_for(const struct bp_config *config, const char *name, enum bp_device_kind kind,
                   struct bp_error *err)
{
    return !config->source || bp_kernel_head_check_target(&config->head, name, kind, err) == 0;
}

static int check_driver(const char *name, enum bp_device_kind kind, uint32_t node,
                        struct bp_error *err)
{
    struct bp_policy_narrowed room;
    if (!drivers[kind])
        return 0;
    const char *missing =
        bp_policy_missing(bp_policy_narrow(bp_policies_of(kind)->run, node, &room));
    if (!missing)
        return 0;
    return bp_fail(err, BP_ERR_USAGE,
                   "device %s cannot be used: %s: %s (%s). There are: auto, cpu, hip:N, cuda:N, "
                   "emu:ARCH; 'bulletproof doctor' says which work here",
                   name, missing, strerror(errno), drivers[kind]);
}

static int check_emulated(const struct bp_device_name *name, struct bp_error *err)
{
    char valid[200] = "";
    const struct bp_gpu_arch *arch;
    if (name->kind != BP_DEVICE_KIND_EMULATED || bp_gpu_arch_is_emulated(name->arch))
        return 0;
    for (size_t i = 0, used = 0; (arch = bp_gpu_arch_at(i)) && used < sizeof valid; i++)
        if (bp_gpu_arch_is_emulated(arch->name))
            used += (size_t)snprintf(valid + used, sizeof valid - used, "%semu:%s",
                                     used ? ", " : "", arch->name);
    return bp_fail(err, BP_ERR_USAGE, "no GPU '%s' is emulated (valid: %s)", name->arch, valid);
}

/* The nodes, which are this process's business. */
static int find_node(const char *device, const struct bp_device_name *name, uint32_t *node,
                     struct bp_error *err)
{
    if (bp_device_node(name, "", node, err) < 0)
        return -1;
    return check_driver(device, name->kind, *node, err);
}

/* ---- auto ---- */

static int describe(const char *worker_path, const char *device, const struct bp_device_name *name,
                    uint32_t node, struct bp_error *err)
{
    char layers[BP_TEXT_LINE];
    struct bp_loop loop;
    struct bp_msg_device_result facts;
    struct bp_child_settings children = {.loop = &loop,
                                         .worker_path = worker_path,
                                         .log_max_bytes = ASK_LOG_BYTES,
                                         .device_node = node};
    if (bp_launch_prepare_supervisor(layers, sizeof layers, err) < 0)
        return -1;
    int result = bp_loop_open(&loop, err);
    if (result == 0) {
        result = bp_device_describe(&children, device, name->kind, ASK_MS, &facts, err);
        bp_loop_close(&loop);
    }
    bp_launch_close_supervisor();
    return result;
}

int bp_device_ask(void *worker_path, const char *device, const struct bp_device_name *name,
                  struct bp_error *err)
{
    uint32_t node;
    if (find_node(device, name, &node, err) < 0)
        return -1;
    if (bp_device_kind_class(name->kind) == BP_DEVICE_CLASS_CPU)
        return 0;
    return describe(worker_path, device, name, node, err);
}

/* Of a device that is not there the log alone knows. */
static void say_passed_over(const char *device, const struct bp_error *why)
{
    bp_log(why->code == BP_ERR_USAGE ? BP_LOG_INFO : BP_LOG_WARNING, "device",
           "auto passes over %s: %s", device, why->msg);
}

static int choose_first(const struct bp_config *config, const struct bp_device_asker *asker,
                        struct bp_device_list *list, struct bp_error *err)
{
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (bp_device_list_parse(candidates[i], list, err) < 0)
            return -1;
        const struct bp_device_name *name = &list->devices[0].parsed;
        if (!is_for(config, candidates[i], name->kind, err))
            continue;
        if (asker->ask(asker->context, candidates[i], name, err) == 0)
            return 0;
        if (err->code == BP_ERR_INTERRUPTED)
            return -1;
        say_passed_over(candidates[i], err);
    }
    return -1;
}

/* ---- the slots ---- */

static int fill_slot(const struct bp_config *config, const struct bp_host *host,
                     struct bp_session_device *device, struct bp_error *err)
{
    enum bp_device_kind kind = device->parsed.kind;
    if (check_emulated(&device->parsed, err) < 0 || !is_for(config, device->name, kind, err) ||
        find_node(device->name, &device->parsed, &device->node, err) < 0)
        return -1;
    if (kind == BP_DEVICE_KIND_CPU) {
        strcpy(device->arch, "native");
        memcpy(device->title, host->cpu_name, sizeof device->title);
        return bp_host_check_compiler(err);
    }
    memcpy(device->arch, device->parsed.arch, sizeof device->parsed.arch);
    memcpy(device->title, device->name, sizeof device->name);
    return 0;
}

int bp_session_devices_choose(const struct bp_config *config, const struct bp_host *host,
                              const struct bp_device_asker *asker, struct bp_slots *slots,
                              struct bp_error *err)
{
    struct bp_device_list list;
    bool named = strcmp(config->device, "auto") != 0;
    if ((named ? bp_device_list_parse(config->device, &list, err)
               : choose_first(config, asker, &list, err)) < 0)
        return -1;
    *slots = (struct bp_slots){.count = list.count};
    for (uint32_t i = 0; i < list.count; i++) {
        struct bp_session_device *device = &slots->list[i].device;
        device->parsed = list.devices[i].parsed;
        snprintf(device->name, sizeof device->name, "%s", list.devices[i].name);
        if (fill_slot(config, host, device, err) < 0)
            return -1;
    }
    bp_slots_entitle(slots);
    return 0;
}
