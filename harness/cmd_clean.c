#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "harness/cli.h"
#include "harness/commands.h"
#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/report/artifacts.h"
#include "harness/store/cleaning.h"

#define MAX_DIRECTORIES 64
#define DEFAULT_DIRECTORY "runs"
#define NOT_GIVEN UINT64_MAX
#define MIB 1048576.0

struct clean {
    const char *directories[MAX_DIRECTORIES];
    double older_than;
    uint64_t keep;
    bool temporary, dry_run, yes, json;

    struct bp_cleaning cleaning;
    struct bp_found_runs found;
    bool *gone; /* [found.count] */
    uint32_t run_count, temporary_count;
    uint64_t run_bytes, temporary_bytes;
    struct bp_error failure; /* the first one of a removal */
    bool failed;
};

static int find(struct clean *clean, int count, struct bp_error *err)
{
    if (count == 0)
        clean->directories[count++] = DEFAULT_DIRECTORY;
    for (int i = 0; i < count; i++)
        if (bp_runs_find(&clean->found, clean->directories[i], err) < 0)
            return -1;
    clean->cleaning = (struct bp_cleaning){.by_age = clean->older_than >= 0,
                                           .by_count = clean->keep != NOT_GIVEN,
                                           .older_than_days = clean->older_than,
                                           .keep = (uint32_t)clean->keep};
    bool selects = clean->cleaning.by_age || clean->cleaning.by_count;
    for (uint32_t i = 0; i < clean->found.count && !selects && !clean->temporary; i++)
        if (!clean->found.runs[i].named)
            return bp_fail(err, BP_ERR_USAGE,
                           "clean: which of the runs? --older-than DAYS, --keep N, --temp, or the "
                           "run directory's own name");
    return 0;
}

static void fail_once(struct clean *clean, const struct bp_error *err)
{
    if (!clean->failed)
        clean->failure = *err;
    clean->failed = true;
}

static void sweep_temporary(struct clean *clean, enum bp_cleaning_mode mode)
{
    struct bp_error err;
    clean->temporary_count = 0;
    clean->temporary_bytes = 0;
    for (uint32_t i = 0; i < clean->found.count && clean->temporary; i++) {
        const struct bp_found_run *run = &clean->found.runs[i];
        if (run->pid == 0 && !clean->gone[i] &&
            bp_cleaning_temporary(run->path, mode, &clean->temporary_count, &clean->temporary_bytes,
                                  &err) < 0)
            fail_once(clean, &err);
    }
}

static int plan(struct clean *clean, struct bp_error *err)
{
    clean->gone = calloc(clean->found.count + 1, sizeof *clean->gone);
    if (!clean->gone)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a plan");
    bool runs_too = !clean->temporary || clean->cleaning.by_age || clean->cleaning.by_count;
    if (runs_too)
        clean->run_count =
            bp_cleaning_plan(&clean->found, &clean->cleaning, bp_clock_wall_ms(), clean->gone);
    for (uint32_t i = 0; i < clean->found.count; i++)
        clean->run_bytes += clean->gone[i] ? clean->found.runs[i].bytes : 0;
    sweep_temporary(clean, BP_CLEANING_LOOK);
    return 0;
}

static const char *action_name(const struct clean *clean, uint32_t i)
{
    if (clean->found.runs[i].pid != 0)
        return "in use";
    return clean->gone[i] ? "remove" : "keep";
}

static double age_days(const struct bp_found_run *run)
{
    return (double)(bp_clock_wall_ms() - run->changed_ms) / 86400e3;
}

static void print_plan(const struct clean *clean)
{
    for (uint32_t i = 0; i < clean->found.count; i++) {
        const struct bp_found_run *run = &clean->found.runs[i];
        printf("%-6s  %9.1f MiB  %6.1f days  %s", action_name(clean, i), (double)run->bytes / MIB,
               age_days(run), run->path);
        if (run->pid > 0)
            printf("  (pid %ld)", (long)run->pid);
        putchar('\n');
    }
    if (clean->temporary)
        printf("%u temporary files of dead runs, %.1f MiB\n", clean->temporary_count,
               (double)clean->temporary_bytes / MIB);
    printf("%u of %u runs to remove, %.1f MiB\n", clean->run_count, clean->found.count,
           (double)clean->run_bytes / MIB);
}

static json_t *plan_json(const struct clean *clean, bool removed)
{
    json_t *runs = json_array();
    for (uint32_t i = 0; i < clean->found.count; i++) {
        const struct bp_found_run *run = &clean->found.runs[i];
        json_array_append_new(runs,
                              json_pack("{s:s, s:s, s:I, s:f, s:o}", "path", run->path, "action",
                                        action_name(clean, i), "bytes", (json_int_t)run->bytes,
                                        "age_days", age_days(run), "pid",
                                        run->pid > 0 ? json_integer(run->pid) : json_null()));
    }
    return json_pack("{s:b, s:o, s:{s:I, s:I}, s:o}", "removed", removed, "runs", runs, "temporary",
                     "count", (json_int_t)clean->temporary_count, "bytes",
                     (json_int_t)clean->temporary_bytes, "error",
                     clean->failed ? json_string(clean->failure.msg) : json_null());
}

static bool said_yes(void)
{
    char answer[16];
    fputs("Remove them? [y/N] ", stdout);
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* 1: go on; 0: nothing is to be done; -1: who should say so cannot be asked. */
static int confirm(const struct clean *clean, struct bp_error *err)
{
    if (clean->dry_run || (clean->run_count == 0 && clean->temporary_count == 0))
        return 0;
    if (clean->yes)
        return 1;
    if (clean->json || !isatty(STDIN_FILENO))
        return bp_fail(err, BP_ERR_USAGE, "clean: nothing was removed: that needs --yes");
    return said_yes();
}

static void remove_all(struct clean *clean)
{
    struct bp_error err;
    for (uint32_t i = 0; i < clean->found.count; i++)
        if (clean->gone[i] && bp_cleaning_remove_run(clean->found.runs[i].path, &err) < 0)
            fail_once(clean, &err);
    sweep_temporary(clean, BP_CLEANING_REMOVE);
}

static int run(struct clean *clean, int count, struct bp_error *err)
{
    if (find(clean, count, err) < 0 || plan(clean, err) < 0)
        return -1;
    if (!clean->json)
        print_plan(clean);
    int go_on = confirm(clean, err);
    if (go_on > 0)
        remove_all(clean);
    if (clean->json && bp_print_json(plan_json(clean, go_on > 0), err) < 0)
        return -1;
    if (go_on < 0)
        return -1;
    if (clean->failed)
        *err = clean->failure;
    return clean->failed ? -1 : BP_EXIT_OK;
}

int bp_cmd_clean(int argc, char **argv)
{
    struct clean clean = {.older_than = -1, .keep = NOT_GIVEN};
    const struct bp_cli_option options[] = {
        {"older-than", BP_CLI_NUMBER, "DAYS", "runs whose record was not written for so long",
         &clean.older_than, 0, 36500},
        {"keep", BP_CLI_COUNT, "N", "all but the N runs that were written last", &clean.keep, 0,
         1e6},
        {"temp", BP_CLI_FLAG, NULL, "files that a process which died left unfinished in a run",
         &clean.temporary, 0, 0},
        {"dry-run", BP_CLI_FLAG, NULL, "only list", &clean.dry_run, 0, 0},
        {"yes", BP_CLI_FLAG, NULL, "remove without asking", &clean.yes, 0, 0},
        {"json", BP_CLI_FLAG, NULL, "print what is there and what became of it as JSON",
         &clean.json, 0, 0},
    };
    const struct bp_cli_verb verb = {
        .name = "clean",
        .usage = "[DIR…] [options]",
        .summary =
            "Removes run directories: DIR itself, or those of the runs in DIR (default: runs)\n"
            "that --older-than and --keep select, when both are given by both.",
        .details =
            "Lists first, with sizes. A directory is a run when its run.db says so, never by its\n"
            "name. A run in use is left, symbolic links are not followed. --temp without the\n"
            "others removes no run.\n",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .max_positionals = MAX_DIRECTORIES,
    };
    struct bp_error err;
    int got = bp_cli_parse(&verb, argc, argv, clean.directories, &err);
    if (got == -2)
        return BP_EXIT_OK;
    int status = got < 0 ? -1 : run(&clean, got, &err);
    if (status < 0)
        status = bp_print_failure(&err);
    bp_runs_free(&clean.found);
    free(clean.gone);
    return status;
}
