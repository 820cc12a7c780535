#include "harness/supervise/device_node.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NODES_MAX 256 /* minors of a major that has eight bits for them */

static bool is_there(const char *root, const char *prefix, unsigned number)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s%u", root, prefix, number);
    return access(path, F_OK) == 0;
}

/* The render node of a node of AMD's topology: 0 where it is a processor. */
static unsigned render_node(const char *root, unsigned index)
{
    char path[PATH_MAX], line[128];
    unsigned minor = 0;
    snprintf(path, sizeof path, "%s/sys/class/kfd/kfd/topology/nodes/%u/properties", root, index);
    BP_AUTO_FILE FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "drm_render_minor %u", &minor) == 1)
            break;
    return minor;
}

static uint32_t amd_nodes(const char *root, unsigned numbers[NODES_MAX])
{
    uint32_t count = 0;
    for (unsigned i = 0; i < NODES_MAX; i++) {
        unsigned minor = render_node(root, i);
        if (minor > 0 && is_there(root, "/dev/dri/renderD", minor))
            numbers[count++] = minor;
    }
    return count;
}

static uint32_t nvidia_nodes(const char *root, unsigned numbers[NODES_MAX])
{
    uint32_t count = 0;
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (is_there(root, "/dev/nvidia", i))
            numbers[count++] = i;
    return count;
}

int bp_device_node(const struct bp_device_name *name, const char *root, uint32_t *node,
                   struct bp_error *err)
{
    unsigned numbers[NODES_MAX];
    uint32_t count = 0;
    *node = 0;
    if (name->kind == BP_DEVICE_KIND_HIP)
        count = amd_nodes(root, numbers);
    else if (name->kind == BP_DEVICE_KIND_CUDA)
        count = nvidia_nodes(root, numbers);
    if (count == 0)
        return 0;
    if (name->index >= count)
        return bp_fail(err, BP_ERR_USAGE, "there is no device %s:%u: this machine has %u of them",
                       bp_device_kind_name(name->kind), name->index, count);
    *node = numbers[name->index] + 1;
    return 0;
}
