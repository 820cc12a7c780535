/* Any bytes as a kernel source. */
#include <stdlib.h>
#include <string.h>

#include "harness/config/kernel_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bp_shape shape = {
        .batch = 1, .q_heads = 16, .kv_heads = 8, .q_len = 64, .kv_len = 64, .head_dim = 128};
    static struct bp_kernel_head head;
    struct bp_error err;
    if (bp_kernel_head_parse("k.hip", (const char *)data, size, &head, &err) < 0) {
        if (strchr(err.msg, '\n') || !err.msg[0])
            abort(); /* a message is one line */
        return 0;
    }
    if (!bp_space_allows(&head.space, &head.default_point))
        abort();
    bp_kernel_head_supports(&head, &shape);
    bp_kernel_head_free(&head);
    return 0;
}
