/* device_node.h: which of the machine's device nodes a GPU is, so that its children see no other. */
#ifndef BP_HARNESS_SUPERVISE_DEVICE_NODE_H
#define BP_HARNESS_SUPERVISE_DEVICE_NODE_H

#include "evaluator/device_name.h"

/* hip:N is the N-th GPU of the kernel's topology (/sys/class/kfd) whose render node is there, cuda:N the
 * N-th /dev/nvidia* that is: as their libraries count. *node as in struct bp_policy_limits; 0, every node,
 * for other kinds and where the machine tells nothing. root stands before every path: "" but in tests.
 * BP_ERR_USAGE: there are fewer. */
int bp_device_node(const struct bp_device_name *name, const char *root, uint32_t *node,
                   struct bp_error *err) BP_MUST_CHECK;

#endif
