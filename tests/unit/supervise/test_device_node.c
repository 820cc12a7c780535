/* Which device node belongs to which name, on machines made of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/supervise/device_node.h"

static char root[64];

static void put(const char *path, const char *text)
{
    char command[512];
    snprintf(command, sizeof command, "mkdir -p $(dirname %s%s) && printf '%s' > %s%s", root, path,
             text, root, path);
    assert_int_equal(system(command), 0);
}

static int node_of(const char *device, uint32_t *node)
{
    struct bp_device_name name;
    struct bp_error err;
    assert_int_equal(bp_device_name_parse(device, &name, &err), 0);
    return bp_device_node(&name, root, node, &err);
}

static void check(const char *device, uint32_t expected)
{
    uint32_t node = 77;
    assert_int_equal(node_of(device, &node), 0);
    assert_int_equal(node, expected);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/bulletproof-nodes-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void nothing_is_known(void **state)
{
    (void)state;
    check("hip:0", 0);
    check("cuda:3", 0);
}

/* A processor, a GPU of another's container, and two that are here, out of the order of their nodes. */
static void amd(void **state)
{
    uint32_t node;
    (void)state;
    put("/sys/class/kfd/kfd/topology/nodes/0/properties",
        "cpu_cores_count 8\\ndrm_render_minor 0\\n");
    put("/sys/class/kfd/kfd/topology/nodes/1/properties",
        "simd_count 64\\ndrm_render_minor 128\\n");
    put("/sys/class/kfd/kfd/topology/nodes/2/properties",
        "simd_count 64\\ndrm_render_minor 130\\n");
    put("/sys/class/kfd/kfd/topology/nodes/3/properties",
        "simd_count 64\\ndrm_render_minor 129\\n");
    put("/dev/dri/renderD129", "");
    put("/dev/dri/renderD130", "");
    check("hip:0", 131);
    check("hip:1", 130);
    assert_int_equal(node_of("hip:2", &node), -1);
    check("cpu", 0);
    check("emu:gfx1030:1", 0);
}

static void nvidia(void **state)
{
    uint32_t node;
    (void)state;
    put("/dev/nvidiactl", "");
    put("/dev/nvidia10", "");
    put("/dev/nvidia2", "");
    check("cuda:0", 3);
    check("cuda:1", 11);
    assert_int_equal(node_of("cuda:2", &node), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_known, make_root, remove_root),
        cmocka_unit_test_setup_teardown(amd, make_root, remove_root),
        cmocka_unit_test_setup_teardown(nvidia, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
