#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/bundle_pack.h"

/* The bundle's directory: as given, or of a number in a run's directory. */
static int find_bundle(const char *const *positionals, int count, char path[4096],
                       struct bp_error *err)
{
    int length;
    if (count == 1) {
        length = snprintf(path, 4096, "%s", positionals[0]);
    } else {
        const char *number = positionals[1];
        size_t digits = strspn(number, "0123456789");
        if (digits == 0 || digits > 9 || number[digits])
            return bp_fail(err, BP_ERR_USAGE, "export: '%.40s' is no number of an evaluation",
                           number);
        length = snprintf(path, 4096, "%s/failures/%05ld", positionals[0], atol(number));
    }
    if (length < 0 || length >= 4096)
        return bp_fail(err, BP_ERR_USAGE, "export: the path is too long");
    return 0;
}

static int run(const char *const *positionals, int count, const char *file, struct bp_error *err)
{
    char path[4096];
    if (!file)
        return bp_fail(err, BP_ERR_USAGE, "export: --out FILE is missing");
    if (find_bundle(positionals, count, path, err) < 0 || bp_bundle_pack(path, file, err) < 0)
        return -1;
    printf(
        "%s\nNOTE: it holds the session key, and so every hidden input of the session that wrote "
        "it.\n",
        file);
    return 0;
}

int bp_cmd_export(int argc, char **argv)
{
    const char *file = NULL;
    const struct bp_cli_option options[] = {
        {"out", BP_CLI_TEXT, "FILE", "the packed file, a gzipped tar (replaced if it is there)",
         &file, 0, 0, 'o'},
    };
    const struct bp_cli_verb verb = {
        .name = "export",
        .usage = "BUNDLE | RUN_DIRECTORY NUMBER --out FILE",
        .summary = "Packs one saved failure into a single file that 'replay' takes elsewhere.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .min_positionals = 1,
        .max_positionals = 2,
    };
    const char *positionals[2];
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, positionals, &err);
    if (got == -2)
        return BP_EXIT_OK;
    if (got < 0 || run(positionals, got, file, &err) < 0)
        return bp_print_failure(&err);
    return BP_EXIT_OK;
}
