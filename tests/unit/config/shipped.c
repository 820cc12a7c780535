/* Every file named parses: kernels (.hip) and run configs (.yaml) as they are shipped. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "harness/config/config.h"

static int check_config(const char *path, struct bp_error *err)
{
    static struct bp_config config;
    if (bp_config_load(path, &config, err) < 0)
        return -1;
    bp_config_free(&config);
    return 0;
}

static int check_kernel(const char *path, struct bp_error *err)
{
    static struct bp_kernel_head head;
    struct bp_buffer buffer;
    bp_buffer_init(&buffer, BP_SOURCE_MAX_BYTES);
    int result = bp_io_read_file(path, &buffer, err);
    if (result == 0)
        result = bp_kernel_head_parse(path, bp_buffer_text(&buffer), buffer.size, &head, err);
    if (result == 0)
        bp_kernel_head_free(&head);
    bp_buffer_free(&buffer);
    return result;
}

int main(int argc, char **argv)
{
    int failures = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct bp_error err;
        const char *suffix = strrchr(argv[i], '.');
        bool yaml = suffix && strcmp(suffix, ".yaml") == 0;
        if ((yaml ? check_config : check_kernel)(argv[i], &err) == 0)
            continue;
        fprintf(stderr, "%s\n", err.msg);
        failures++;
    }
    return failures > 0;
}
