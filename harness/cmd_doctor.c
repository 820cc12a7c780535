#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/doctor_gpus.h"
#include "harness/evolve/ceilings_cache.h"
#include "harness/evolve/host.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/artifacts.h"
#include "harness/supervise/policies.h"
#include "harness/supervise/canary.h"
#include "sandbox/landlock.h"
#include "sandbox/launch.h"

/* All that is found out; each part may fail by itself. */
struct findings {
    struct bp_host host;
    char namespaces[64];
    bool started; /* the canary could be run */
    struct bp_canary_report report;
    bool compiler;
    struct bp_ceilings ceilings; /* without streams when not asked for */
    char kept[4096];             /* where they were written */
    bool looked[BP_GPU_KIND_COUNT];
    struct bp_gpus gpus[BP_GPU_KIND_COUNT];
    struct bp_error canary_error, compiler_error, gpus_error;
};

struct wishes {
    bool json, measure;
    const char *out; /* null: the cache */
};

static const char *const state_names[] = {"present", "missing", "not granted"};

static int run_canary(struct bp_canary_report *report, struct bp_error *err)
{
    struct bp_loop loop;
    char worker[4096];
    if (bp_launch_find_worker(worker, sizeof worker, err) < 0 || bp_loop_open(&loop, err) < 0)
        return -1;
    struct bp_child_settings settings = {
        .loop = &loop, .worker_path = worker, .log_max_bytes = 65536};
    int result = bp_canary_run(&settings, bp_policies_used(BP_DEVICE_KIND_CPU), report, err);
    bp_loop_close(&loop);
    return result;
}

static void look_at_gpus(struct findings *findings)
{
    char worker[4096];
    if (bp_launch_find_worker(worker, sizeof worker, &findings->gpus_error) < 0)
        return;
    for (int kind = 0; kind < BP_GPU_KIND_COUNT; kind++)
        findings->looked[kind] = bp_gpus_look((enum bp_gpu_kind)kind, worker, &findings->gpus[kind],
                                              &findings->gpus_error) == 0;
}

static void find(struct findings *findings)
{
    look_at_gpus(findings);
    findings->compiler = bp_host_check_compiler(&findings->compiler_error) == 0;
    findings->started =
        bp_launch_prepare_supervisor(findings->namespaces, sizeof findings->namespaces,
                                     &findings->canary_error) == 0 &&
        run_canary(&findings->report, &findings->canary_error) == 0;
}

/* Whether kernels can be evaluated here. */
static bool is_fit(const struct findings *findings, struct bp_error *err)
{
    if (!findings->started)
        *err = findings->canary_error;
    else if (bp_canary_require(&findings->report, 0, err) < 0)
        return false;
    else if (!findings->compiler)
        *err = findings->compiler_error;
    return findings->started && findings->compiler;
}

/* ---- output ---- */

static void print_layers(const struct findings *findings)
{
    const struct bp_canary_report *report = &findings->report;
    printf("sandbox (Landlock ABI %d; %u canaries in %.0f ms)\n", bp_landlock_abi(),
           report->children, report->spent_ms);
    for (int i = 0; i < BP_LAYER_COUNT; i++) {
        enum bp_layer layer = (enum bp_layer)i;
        printf("  %-16s %-11s  %s\n", bp_layer_name(layer), state_names[report->states[i]],
               bp_layer_meaning(layer));
        if (report->why[i][0])
            printf("  %-16s %-11s  %s\n", "", "", report->why[i]);
    }
}

static void print_ceilings(const struct findings *findings)
{
    const struct bp_ceilings *ceilings = &findings->ceilings;
    if (ceilings->stream_count == 0)
        return;
    printf("ceilings (%u threads, kept in %s)\n  fp32 FMA (%s) %.1f GFLOP/s; 16-bit products %gx\n",
           ceilings->threads, findings->kept, ceilings->isa, ceilings->gflops,
           ceilings->half_factor);
    for (uint32_t i = 0; i < ceilings->stream_count; i++)
        printf("  reading %8llu KiB  %7.1f GB/s\n",
               (unsigned long long)ceilings->streams[i].bytes >> 10, ceilings->streams[i].gbps);
}

static void print_text(const struct findings *findings)
{
    printf("machine\n  %s, %u processors, last-level cache %llu MiB, memory %llu MiB\n",
           findings->host.cpu_name, findings->host.processors,
           (unsigned long long)findings->host.cache_bytes >> 20,
           (unsigned long long)findings->host.memory_bytes >> 20);
    print_ceilings(findings);
    if (findings->started)
        print_layers(findings);
    else
        printf("sandbox\n  cannot be looked at: %s\n", findings->canary_error.msg);
    printf("devices\n  cpu              %s\n",
           findings->compiler ? "usable" : findings->compiler_error.msg);
    for (int kind = 0; kind < BP_GPU_KIND_COUNT; kind++) {
        if (findings->looked[kind])
            bp_doctor_print_gpus(&findings->gpus[kind]);
        else
            printf("  GPUs cannot be looked at: %s\n", findings->gpus_error.msg);
    }
}

static json_t *layers_json(const struct findings *findings)
{
    json_t *layers = json_array();
    for (int i = 0; findings->started && i < BP_LAYER_COUNT; i++) {
        enum bp_layer layer = (enum bp_layer)i;
        const char *why = findings->report.why[i];
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:b, s:s, s:s?}", "layer", bp_layer_name(layer),
                                        "state", state_names[findings->report.states[i]],
                                        "mandatory", bp_layer_is_mandatory(layer), "meaning",
                                        bp_layer_meaning(layer), "why", why[0] ? why : NULL));
    }
    return layers;
}

static json_t *devices_json(const struct findings *findings)
{
    json_t *devices = json_pack("[{s:s, s:b, s:s?}]", "device", "cpu", "usable", findings->compiler,
                                "why", findings->compiler ? NULL : findings->compiler_error.msg);
    for (int kind = 0; kind < BP_GPU_KIND_COUNT; kind++)
        if (findings->looked[kind])
            json_array_append_new(devices, bp_doctor_gpus_json(&findings->gpus[kind]));
    return devices;
}

static int print_json(const struct findings *findings, bool fit, const struct bp_error *problem,
                      struct bp_error *err)
{
    json_t *object = json_pack(
        "{s:b, s:s?, s:{s:s, s:i, s:I, s:I}, s:{s:b, s:s?, s:i, s:s, s:o}, s:o, s:o}", "fit", fit,
        "problem", fit ? NULL : problem->msg, "machine", "cpu", findings->host.cpu_name,
        "processors", (int)findings->host.processors, "cache_bytes",
        (json_int_t)findings->host.cache_bytes, "memory_bytes",
        (json_int_t)findings->host.memory_bytes, "sandbox", "checked", findings->started, "error",
        findings->started ? NULL : findings->canary_error.msg, "landlock_abi", bp_landlock_abi(),
        "namespaces", findings->namespaces, "layers", layers_json(findings), "devices",
        devices_json(findings), "ceilings",
        findings->ceilings.stream_count > 0 ? bp_ceilings_json(&findings->host, &findings->ceilings)
                                            : json_null());
    return bp_print_json(object, err);
}

/* Before all else: nothing of ours runs yet. */
static int measure(struct findings *findings, const struct wishes *wishes, struct bp_error *err)
{
    if (!wishes->measure)
        return 0;
    uint32_t threads = findings->host.processors;
    if (wishes->out)
        snprintf(findings->kept, sizeof findings->kept, "%s", wishes->out);
    else if (bp_ceilings_path(threads, findings->kept, sizeof findings->kept, err) < 0)
        return -1;
    if (bp_ceilings_measure(&findings->host, threads, BP_CEILINGS_THOROUGH, &findings->ceilings,
                            err) < 0)
        return -1;
    return bp_ceilings_save(findings->kept, &findings->host, &findings->ceilings, err);
}

static int diagnose(const struct wishes *wishes, struct bp_error *err)
{
    struct bp_error problem = {0};
    struct findings *findings = calloc(1, sizeof *findings);
    if (!findings)
        return bp_fail(err, BP_ERR_MEMORY, "no memory");
    bp_host_describe(&findings->host);
    if (measure(findings, wishes, err) < 0) {
        free(findings);
        return -1;
    }
    find(findings);
    bool fit = is_fit(findings, &problem);
    int result = 0;
    if (wishes->json)
        result = print_json(findings, fit, &problem, err);
    else
        print_text(findings);
    if (!wishes->json)
        printf("%s%s\n", fit ? "ready: kernels can be evaluated here" : "not ready: ",
               fit ? "" : problem.msg);
    free(findings);
    return result < 0 ? -1 : fit ? BP_EXIT_OK : BP_EXIT_HARNESS;
}

int bp_cmd_doctor(int argc, char **argv)
{
    struct wishes wishes = {0};
    const struct bp_cli_option options[] = {
        {"json", BP_CLI_FLAG, NULL, "print one JSON object", &wishes.json, 0, 0},
        {"measure", BP_CLI_FLAG, NULL,
         "measure what the machine can do at best, and keep it for eval and evolve",
         &wishes.measure, 0, 0},
        {"out", BP_CLI_TEXT, "FILE", "with --measure: where to keep it, in place of the cache",
         &wishes.out, 0, 0},
    };
    const struct bp_cli_verb verb = {
        .name = "doctor",
        .usage = "[options]",
        .summary =
            "Says what of this machine can be used: every layer of the sandbox, each device.",
        .details =
            "A layer is 'missing' when a confined child could do what it must prevent; eval "
            "and\nevolve then refuse to start. 'not granted' layers are used where the "
            "machine allows\n(docs/sandbox.md).\n\nexit status: 0 ready, 20 not ready, 2 usage\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, NULL, &err);
    if (got == -2)
        return BP_EXIT_OK;
    bp_log_set_level(BP_LOG_ERROR);
    if (got >= 0 && wishes.out && !wishes.measure)
        got = bp_fail(&err, BP_ERR_USAGE, "doctor: --out needs --measure");
    int status = got < 0 ? -1 : diagnose(&wishes, &err);
    if (status >= 0)
        return status;
    return bp_print_failure(&err);
}
