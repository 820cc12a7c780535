/* cli.h: one table of options a verb: parsing and --help come from it. */
#ifndef BP_HARNESS_CLI_H
#define BP_HARNESS_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define BP_CLI_MAX_LIST 64

enum bp_cli_kind {
    BP_CLI_FLAG,   /* bool */
    BP_CLI_TEXT,   /* const char * */
    BP_CLI_NUMBER, /* double, within [min, max] */
    BP_CLI_COUNT,  /* uint64_t, within [min, max] */
    BP_CLI_LIST,   /* struct bp_cli_list, may be repeated */
};

struct bp_cli_list {
    const char *items[BP_CLI_MAX_LIST]; /* borrowed from argv */
    uint32_t count;
};

struct bp_cli_option {
    const char *name; /* without the dashes */
    enum bp_cli_kind kind;
    const char *argument; /* as shown in help; null for a flag */
    const char *doc;
    void *target;
    double min, max;
    char letter; /* "-o VALUE" for short; 0: none */
};

struct bp_cli_verb {
    const char *name;
    const char *usage;   /* what follows the verb's name */
    const char *summary; /* one line */
    const char *details; /* after the options; may be null */
    const struct bp_cli_option *options;
    uint32_t option_count;
    uint32_t min_positionals, max_positionals;
};

/* Parses argv[1..]: positionals into positionals[] (borrowed), options into their targets. Returns
 * the number of positionals; -1 with BP_ERR_USAGE; -2 when --help was asked for and printed. */
int bp_cli_parse(const struct bp_cli_verb *verb, int argc, char **argv, const char **positionals,
                 struct bp_error *err) BP_MUST_CHECK;

#endif
