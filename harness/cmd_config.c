#include <stdio.h>

#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/config/config.h"
#include "harness/exit_codes.h"
#include "harness/output.h"

int bp_cmd_config(int argc, char **argv)
{
    static const struct bp_cli_verb verb = {
        .name = "config",
        .usage = "",
        .summary = "Prints every key of a run's configuration file with type, range, default and "
                   "meaning, as markdown.",
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, NULL, &err);
    if (got == -2)
        return BP_EXIT_OK;
    if (got < 0)
        return bp_print_failure(&err);
    bp_config_print_reference(stdout);
    return BP_EXIT_OK;
}
