#include "harness/doctor_gpus.h"

#include <stdio.h>

#include "harness/store/json_parts.h"

/* One of the vendor's that is compiled for without such a device. */
static const char *const examples[BP_GPU_KIND_COUNT] = {
    [BP_GPU_AMD] = "gfx1030", [BP_GPU_NVIDIA] = "sm_90"};

static void line(const char *what, const char *text)
{
    printf("  %-16s   %-10s %s\n", "", what, text);
}

static void print_status(const char *call, const struct bp_gpus *gpus, int status, const char *name)
{
    char text[2 * BP_GPUS_TEXT];
    const char *meaning = bp_gpus_meaning(gpus->kind, status);
    if (status == 0)
        return;
    snprintf(text, sizeof text, "%d, %s%s%s", status, name, meaning ? ": " : "",
             meaning ? meaning : "");
    line(call, text);
}

static void print_nodes(const struct bp_gpus *gpus)
{
    for (uint32_t i = 0; i < gpus->node_count; i++) {
        char text[BP_GPUS_TEXT];
        const struct bp_gpu_node *node = &gpus->nodes[i];
        snprintf(text, sizeof text, "%s, group %s: %s", node->path, node->group,
                 node->open ? "may be opened" : "may not be opened");
        line("file", text);
    }
}

void bp_doctor_print_gpus(const struct bp_gpus *gpus)
{
    char text[2 * BP_GPUS_TEXT];
    printf("  %-16s %s\n", gpus->device, gpus->usable ? "usable" : gpus->why);
    if (gpus->fix[0])
        line("fix", gpus->fix);
    for (uint32_t i = 0; i < gpus->count; i++) {
        snprintf(text, sizeof text, "%s:%u %s, %s, %llu MiB", gpus->device, i, gpus->found[i].name,
                 gpus->found[i].arch, (unsigned long long)gpus->found[i].memory_mib);
        line("gpu", text);
    }
    line("driver", gpus->driver[0] ? gpus->driver : "none in the kernel");
    print_nodes(gpus);
    line("library", gpus->library[0] ? gpus->library : gpus->no_library);
    if (gpus->asked) {
        print_status("init", gpus, gpus->init_status, gpus->init_name);
        print_status("counting", gpus, gpus->count_status, gpus->count_name);
    }
    line("compiler", gpus->compiler[0] ? gpus->compiler : gpus->no_compiler);
    if (!gpus->usable && gpus->compiler[0]) {
        snprintf(text, sizeof text, "eval KERNEL --compile-only --target %s", examples[gpus->kind]);
        line("works here", text);
    }
}

/* ---- JSON ---- */

static json_t *status_json(const struct bp_gpus *gpus, int status, const char *name)
{
    if (!gpus->asked)
        return json_null();
    return json_pack("{s:i, s:o, s:o}", "status", status, "name", bp_json_text(name), "meaning",
                     bp_json_text_or_null(bp_gpus_meaning(gpus->kind, status)));
}

static json_t *nodes_json(const struct bp_gpus *gpus)
{
    json_t *nodes = json_array();
    for (uint32_t i = 0; i < gpus->node_count; i++)
        json_array_append_new(
            nodes, json_pack("{s:o, s:o, s:b}", "path", bp_json_text(gpus->nodes[i].path), "group",
                             bp_json_text(gpus->nodes[i].group), "open", gpus->nodes[i].open));
    return nodes;
}

static json_t *found_json(const struct bp_gpus *gpus)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < gpus->count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "arch",
                                              bp_json_text(gpus->found[i].arch), "name",
                                              bp_json_text(gpus->found[i].name), "memory_mib",
                                              (json_int_t)gpus->found[i].memory_mib));
    return list;
}

json_t *bp_doctor_gpus_json(const struct bp_gpus *gpus)
{
    return json_pack(
        "{s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "device", gpus->device,
        "usable", gpus->usable, "why", bp_json_text_or_null(gpus->why), "fix",
        bp_json_text_or_null(gpus->fix), "driver", bp_json_text_or_null(gpus->driver), "library",
        bp_json_text_or_null(gpus->library), "library_version", (json_int_t)gpus->library_version,
        "compiler", bp_json_text_or_null(gpus->compiler), "init",
        status_json(gpus, gpus->init_status, gpus->init_name), "count",
        status_json(gpus, gpus->count_status, gpus->count_name), "files", nodes_json(gpus), "gpus",
        found_json(gpus));
}
