/* Any bytes as a run config, over a fixed kernel. */
#include <stdlib.h>
#include <string.h>

#include "harness/config/config.h"

static const char kernel[] = "/*! bulletproof\n"
                             "name: k\n"
                             "targets: [cpu, amd, nvidia]\n"
                             "dtypes: [f16, bf16, f32]\n"
                             "knobs: {BM: [32, 64, 128], BN: [16, 32]}\n"
                             "constraints: [\"BM % BN == 0\"]\n"
                             "default: {BM: 64, BN: 16}\n"
                             "*/\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bp_config config;
    struct bp_error err;
    if (bp_config_parse("c.yaml", (const char *)data, size, kernel, sizeof kernel - 1, &config,
                        &err) < 0) {
        if (strchr(err.msg, '\n') || !err.msg[0])
            abort(); /* a message is one line */
        return 0;
    }
    if (!bp_space_allows(&config.head.space, &config.baseline))
        abort();
    bp_config_free(&config);
    return 0;
}
