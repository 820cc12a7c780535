#include "harness/output.h"

#include <stdio.h>
#include <unistd.h>

#include "harness/exit_codes.h"
#include "harness/report/artifacts.h"

int bp_print_json(json_t *object, struct bp_error *err)
{
    if (!object)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the JSON");
    json_dumpf(object, stdout, BP_JSON_FLAGS);
    putchar('\n');
    json_decref(object);
    return 0;
}

int bp_print_failure(const struct bp_error *err)
{
    fprintf(stderr, "bulletproof: %s\n", err->msg);
    return bp_exit_of_error(err);
}

void bp_show_preparation(void *context, uint32_t done, uint32_t total)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rpreparing inputs and references %u/%u%s", done, total,
                done == total ? "\r\033[K" : "");
}
