#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tree.h"
#include "base/log.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/inject/inject.h"
#include "harness/report/artifacts.h"

struct arguments {
    const char *campaign, *classes, *device, *keep;
    uint64_t seed, occurrences;
    bool all, json, list;
};

#define NOT_GIVEN UINT64_MAX

static void print_list(const struct bp_campaign *campaign)
{
    printf("candidates:\n");
    for (uint32_t i = 0; i < campaign->candidate_count; i++) {
        char expected[BP_SEEN_TEXT];
        bp_seen_format(campaign->candidates[i].expected, expected);
        printf("  %-17s %s\n", campaign->candidates[i].name, expected);
    }
    printf("points of the harness%s:\n", BP_FAULT_BUILT ? "" : " (not built in)");
    for (int i = 1; i < BP_FAULT_COUNT; i++)
        printf("  %-17s %s\n", bp_fault_name((enum bp_fault_point)i),
               bp_fault_meaning((enum bp_fault_point)i));
}

static json_t *list_json(const struct bp_campaign *campaign)
{
    json_t *candidates = json_array(), *points = json_array();
    for (uint32_t i = 0; i < campaign->candidate_count; i++) {
        char expected[BP_SEEN_TEXT];
        bp_seen_format(campaign->candidates[i].expected, expected);
        json_array_append_new(
            candidates,
            json_pack("{s:s, s:s}", "class", campaign->candidates[i].name, "expected", expected));
    }
    for (int i = 1; i < BP_FAULT_COUNT; i++)
        json_array_append_new(points, json_pack("{s:s, s:s}", "class",
                                                bp_fault_name((enum bp_fault_point)i), "meaning",
                                                bp_fault_meaning((enum bp_fault_point)i)));
    return json_pack("{s:o, s:o, s:b}", "candidates", candidates, "points", points, "built",
                     BP_FAULT_BUILT);
}

/* A directory for the files of the runs: --keep's, or a temporary one. */
static int make_directory(const char *keep, char *path, size_t size, struct bp_error *err)
{
    const char *parent = getenv("TMPDIR");
    if (keep) {
        snprintf(path, size, "%s", keep);
        if (mkdir(path, 0755) == 0)
            return 0;
        bp_fail_errno(err, "--keep: cannot create %s", keep);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    snprintf(path, size, "%s/bulletproof-inject-XXXXXX",
             parent && parent[0] == '/' ? parent : "/tmp");
    return mkdtemp(path) ? 0 : bp_fail_errno(err, "cannot make a directory %s", path);
}

static int carry_out(const struct arguments *arguments, const struct bp_campaign *campaign,
                     struct bp_matrix *matrix, struct bp_error *err)
{
    char dir[4096];
    if (make_directory(arguments->keep, dir, sizeof dir, err) < 0)
        return -1;
    struct bp_inject_options options = {.campaign = campaign,
                                        .classes = arguments->classes,
                                        .dir = dir,
                                        .every = arguments->all,
                                        .keep = arguments->keep != NULL,
                                        .show = !arguments->json};
    struct bp_error later; /* what went wrong first is told */
    int result = bp_inject(&options, matrix, err);
    if (result == 0 && arguments->json)
        result = bp_print_json(bp_matrix_json(matrix), err);
    else if (result == 0)
        bp_matrix_print_sum(matrix);
    if (!arguments->keep && (result < 0 || bp_matrix_as_expected(matrix)))
        return bp_tree_remove(AT_FDCWD, dir, result < 0 ? &later : err) < 0 ? -1 : result;
    return result;
}

static int run(const struct arguments *arguments, struct bp_campaign *campaign,
               struct bp_matrix *matrix, struct bp_error *err)
{
    char path[4096];
    if (arguments->campaign)
        snprintf(path, sizeof path, "%s", arguments->campaign);
    else if (bp_campaign_find(path, sizeof path, err) < 0)
        return -1;
    if (bp_campaign_load(path, campaign, err) < 0)
        return -1;
    if (arguments->list && arguments->json)
        return bp_print_json(list_json(campaign), err) < 0 ? -1 : BP_EXIT_OK;
    if (arguments->list) {
        print_list(campaign);
        return BP_EXIT_OK;
    }
    if (arguments->seed != NOT_GIVEN)
        campaign->seed = arguments->seed;
    if (arguments->occurrences != NOT_GIVEN)
        campaign->occurrences = arguments->occurrences;
    if (arguments->device)
        snprintf(campaign->device, sizeof campaign->device, "%s", arguments->device);
    if (carry_out(arguments, campaign, matrix, err) < 0)
        return -1;
    return bp_matrix_as_expected(matrix) ? BP_EXIT_OK : BP_EXIT_FAILED;
}

int bp_cmd_inject(int argc, char **argv)
{
    struct arguments arguments = {.seed = NOT_GIVEN, .occurrences = NOT_GIVEN};
    const struct bp_cli_option options[] = {
        {"campaign", BP_CLI_TEXT, "FILE", "the campaign (default: the shipped configs/faults.yaml)",
         &arguments.campaign, 0, 0},
        {"seed", BP_CLI_COUNT, "N", "chooses which occurrences fail (default: the campaign's)",
         &arguments.seed, 0, 1e15},
        {"occurrences", BP_CLI_COUNT, "N", "how many of each point and mode fail, one by one",
         &arguments.occurrences, 1, 1e6},
        {"all", BP_CLI_FLAG, NULL, "every occurrence fails once: hours", &arguments.all, 0, 0},
        {"classes", BP_CLI_TEXT, "A,B", "only these", &arguments.classes, 0, 0},
        {"device", BP_CLI_TEXT, "NAME",
         "emulated one for the classes gpu_* (default: the campaign's)", &arguments.device, 0, 0},
        {"keep", BP_CLI_TEXT, "DIR", "create DIR and keep the files of every run there",
         &arguments.keep, 0, 0},
        {"list", BP_CLI_FLAG, NULL, "name the classes and end", &arguments.list, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print one JSON object", &arguments.json, 0, 0},
    };
    const struct bp_cli_verb verb = {
        .name = "inject",
        .usage = "[options]",
        .summary = "Injects faults, one by one, into real runs, and says what came of each.",
        .details = "Candidates that fail are in every build; faults of the harness need one with\n"
                   "-Dfault_injection=true. docs/faults.md explains the matrix.\n\n"
                   "exit status: 0 every class is as expected, 1 one is not, 2 usage or input\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct bp_error err;
    struct bp_matrix matrix = {0};
    struct bp_campaign *campaign = calloc(1, sizeof *campaign);
    int status = bp_cli_parse(&verb, argc, argv, NULL, &err);
    if (status >= 0 && !campaign)
        status = bp_fail(&err, BP_ERR_MEMORY, "no memory");
    bp_log_set_level(BP_LOG_ERROR);
    if (status >= 0)
        status = run(&arguments, campaign, &matrix, &err);
    if (status == -1)
        status = bp_print_failure(&err);
    bp_matrix_free(&matrix);
    free(campaign);
    return status == -2 ? BP_EXIT_OK : status;
}
