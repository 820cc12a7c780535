#include "harness/inject/inject.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/tree.h"
#include "harness/config/choices.h"
#include "harness/exit_codes.h"
#include "harness/inject/injected.h"
#include "harness/inject/places.h"
#include "harness/store/check.h"

#define OWN_WORDS "bulletproof: " /* how a message of the program begins */

struct inject {
    const struct bp_inject_options *options;
    struct bp_matrix *matrix;
    struct bp_injected_config *config;
    const struct bp_config *searched; /* of the last run of the search */
    char no_device[BP_MATRIX_TEXT];   /* why there is none to inject faults on; empty: there is */
    struct bp_fault_census census[2]; /* of the runs without a fault: on the CPU, on the device */
    struct bp_process_end end;        /* of the last run; large */
    char dir[4200];                   /* and its directory */
};

/* A run's directory that is not kept; what cannot be removed is left with the rest. */
static void remove_dir(const char *dir)
{
    struct bp_error err;
    if (bp_tree_remove(AT_FDCWD, dir, &err) < 0)
        bp_log(BP_LOG_WARNING, "inject", "%s", err.msg);
}

static bool is_wanted(const struct inject *inject, const char *name)
{
    const char *at = inject->options->classes;
    size_t length = strlen(name);
    if (!at)
        return true;
    for (; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* ---- one run ---- */

static int run_process(struct inject *inject, const char *name, double patience_s,
                       int (*run)(void *, const char *, struct bp_process_report *), void *context,
                       struct bp_error *err)
{
    snprintf(inject->dir, sizeof inject->dir, "%s/%s", inject->options->dir, name);
    struct bp_process process = {.dir = inject->dir,
                                 .timeout_s = inject->options->campaign->timeout_s,
                                 .patience_s = patience_s,
                                 .run = run,
                                 .context = context};
    return bp_process_run(&process, &inject->end, err);
}

/* The last line that the program said of itself. */
static const char *last_words(const char *output, char text[BP_MATRIX_TEXT])
{
    const char *found = NULL;
    text[0] = '\0';
    for (const char *at = output; (at = strstr(at, OWN_WORDS)); at++)
        found = at;
    if (found)
        snprintf(text, BP_MATRIX_TEXT, "%.*s", (int)strcspn(found, "\n"), found);
    return found ? text : NULL;
}

/* A death that no exit status of ours explains; 0 when there was none. */
static uint64_t death(const struct bp_process_end *end)
{
    static const int known[] = {BP_EXIT_OK, BP_EXIT_FAILED, BP_EXIT_HARNESS, BP_EXIT_INTERRUPTED};
    if (end->killed)
        return BP_SEEN_BIT(BP_SEEN_HUNG);
    /* Before its loop is open a signal ends it the plain way. */
    if (end->told && WIFSIGNALED(end->wait_status) && WTERMSIG(end->wait_status) == SIGTERM)
        return BP_SEEN_BIT(BP_SEEN_WAITED);
    if (!WIFEXITED(end->wait_status) || strstr(end->output, "Sanitizer"))
        return BP_SEEN_BIT(BP_SEEN_DIED);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (WEXITSTATUS(end->wait_status) == known[i])
            return 0;
    return BP_SEEN_BIT(BP_SEEN_SILENT);
}

/* Adds what was seen of the last run to the row; its files stay when it was not as expected. */
static void settle(struct inject *inject, struct bp_matrix_row *row, uint64_t seen, const char *how)
{
    const struct bp_process_end *end = &inject->end;
    char text[BP_SEEN_TEXT], said[BP_MATRIX_TEXT];
    row->runs++;
    row->seen |= seen;
    row->survivors += end->survivors;
    row->leaks += end->leaks;
    bool good = !(seen & ~row->expected) && end->survivors == 0 && end->leaks == 0;
    if (!good) {
        row->as_expected = false;
        bp_seen_format(seen, text);
        if (row->complaint_count < BP_MATRIX_COMPLAINTS)
            snprintf(row->complaints[row->complaint_count], BP_MATRIX_TEXT, "%s: %s, %s %s; see %s",
                     how, text, end->leaks ? end->leaked : "no leaks",
                     last_words(end->output, said) ? said : end->report.message, inject->dir);
        row->complaint_count++;
    }
    if (good && !inject->options->keep)
        remove_dir(inject->dir);
}

static struct bp_matrix_row *new_row(struct inject *inject, const char *name, const char *mode,
                                     uint64_t expected, struct bp_error *err)
{
    struct bp_matrix_row *row = bp_matrix_add(inject->matrix);
    if (!row) {
        bp_fail(err, BP_ERR_MEMORY, "no memory for the matrix");
        return NULL;
    }
    snprintf(row->name, sizeof row->name, "%s", name);
    row->mode = mode;
    row->expected = expected;
    row->as_expected = true;
    return row;
}

static void end_row(const struct inject *inject, const struct bp_matrix_row *row)
{
    if (inject->options->show)
        bp_matrix_print_row(row);
}

/* ---- candidates that fail ---- */

static int inject_candidate(struct inject *inject, const struct bp_campaign_candidate *class,
                            struct bp_error *err)
{
    const struct bp_process_report *report = &inject->end.report;
    struct bp_matrix_row *row = new_row(inject, class->name, "-", class->expected, err);
    struct bp_injected_candidate run = {.config = &inject->config->session, .kind = class->kind};
    if (!row || run_process(inject, class->name, 0, bp_injected_candidate, &run, err) < 0)
        return -1;
    uint64_t seen = death(&inject->end);
    if (!seen && WEXITSTATUS(inject->end.wait_status) != BP_EXIT_OK)
        seen = BP_SEEN_BIT(BP_SEEN_STOPPED);
    if (!seen)
        seen = BP_SEEN_BIT(report->verdict);
    if (report->next_verdict != BP_VERDICT_PASS)
        seen |= BP_SEEN_BIT(BP_SEEN_NEXT);
    row->attempts = report->attempts;
    row->ms = report->verdict_ms;
    settle(inject, row, seen, "run");
    end_row(inject, row);
    return 0;
}

/* ---- harness faults ---- */

/* How many evaluations the run said were done: "5/6 PASS 5". */
static uint32_t shown(const char *output)
{
    uint32_t most = 0;
    for (const char *line = output; line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        unsigned done, total;
        if (sscanf(line, "%u/%u ", &done, &total) == 2 && done > most)
            most = done;
    }
    return most;
}

static uint64_t verdicts_seen(const struct bp_store_census *census)
{
    uint64_t seen = 0;
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (census->verdicts[i] > 0 && i != BP_VERDICT_PASS)
            seen |= BP_SEEN_BIT(i);
    return seen;
}

/* What came of a run of the search; its record is opened anew. */
static uint64_t judge_search(const struct inject *inject, struct bp_matrix_row *row)
{
    const struct bp_process_end *end = &inject->end;
    struct bp_store_census census;
    struct bp_error err;
    char path[4300], said[BP_MATRIX_TEXT];
    uint64_t seen = death(end);
    snprintf(path, sizeof path, "%s/run", inject->dir);
    if (bp_store_check(path, &census, &err) < 0 || census.evaluations < shown(end->output) ||
        !census.consecutive)
        seen |= BP_SEEN_BIT(BP_SEEN_LOST);
    if (census.max_attempts > row->attempts)
        row->attempts = census.max_attempts;
    if (seen)
        return seen;
    int status = WEXITSTATUS(end->wait_status);
    uint64_t blamed = verdicts_seen(&census) & ~BP_SEEN_BIT(BP_VERDICT_INFRA);
    uint64_t infra = verdicts_seen(&census) & BP_SEEN_BIT(BP_VERDICT_INFRA);
    if (blamed)
        return blamed | infra;
    if (status == BP_EXIT_OK && census.evaluations == inject->searched->budget.evaluations)
        return infra ? infra : BP_SEEN_BIT(BP_VERDICT_PASS);
    if (status == BP_EXIT_INTERRUPTED && end->told)
        return BP_SEEN_BIT(BP_SEEN_WAITED);
    if (!last_words(end->output, said) || status == BP_EXIT_OK)
        return BP_SEEN_BIT(BP_SEEN_SILENT);
    if (status == BP_EXIT_HARNESS)
        return BP_SEEN_BIT(BP_SEEN_STOPPED);
    return infra ? infra : BP_SEEN_BIT(BP_SEEN_SILENT);
}

static int run_search(struct inject *inject, const char *name, double patience_s,
                      struct bp_injected_search *run, struct bp_error *err)
{
    inject->searched = run->config;
    return run_process(inject, name, patience_s, bp_injected_search, run, err);
}

static const struct bp_config *config_for(const struct inject *inject, enum bp_fault_point point)
{
    return bp_fault_is_of_device(point) ? &inject->config->device : &inject->config->search;
}

static int inject_once(struct inject *inject, struct bp_matrix_row *row, enum bp_fault_point point,
                       enum bp_fault_mode mode, struct bp_fault_place place, struct bp_error *err)
{
    char name[120], how[120];
    struct bp_injected_search run = {
        .config = config_for(inject, point), .point = point, .mode = mode, .place = place};
    snprintf(how, sizeof how, "%s:%" PRIu64 ":%s:%u%s%s", row->name, place.nth, row->mode,
             place.phase, place.scope[0] ? ":" : "", place.scope);
    /* Two that were chosen may have come to the same one. */
    snprintf(name, sizeof name, "%s-%s-%u-%" PRIu64 "%s%s-%u", row->name, row->mode, place.phase,
             place.nth, place.scope[0] ? "-" : "", place.scope, row->runs + 1);
    double patience_s = mode == BP_FAULT_STICKY ? inject->options->campaign->patience_s : 0;
    if (run_search(inject, name, patience_s, &run, err) < 0)
        return -1;
    /* Some counts differ by a few from run to run: an earlier occurrence then. */
    if (inject->end.report.fired == 0 && !death(&inject->end) && place.nth > 1) {
        remove_dir(inject->dir);
        place.nth /= 2;
        return inject_once(inject, row, point, mode, place, err);
    }
    uint64_t seen = judge_search(inject, row);
    if (inject->end.report.fired == 0 && !death(&inject->end))
        seen |= BP_SEEN_BIT(BP_SEEN_UNMET);
    if (inject->end.ms > row->ms)
        row->ms = inject->end.ms;
    settle(inject, row, seen, how);
    return 0;
}

static int inject_places(struct inject *inject, struct bp_matrix_row *row,
                         enum bp_fault_point point, enum bp_fault_mode mode, struct bp_error *err)
{
    const struct bp_campaign *campaign = inject->options->campaign;
    struct bp_places_options options = {.census = &inject->census[bp_fault_is_of_device(point)],
                                        .point = point,
                                        .mode = mode,
                                        .from = campaign->points[point].from,
                                        .seed = campaign->seed,
                                        .wanted = campaign->occurrences,
                                        .every = inject->options->every};
    BP_AUTO_FREE struct bp_fault_place *places = NULL;
    uint32_t count;
    if (bp_places_choose(&options, &places, &count, err) < 0)
        return -1;
    if (count == 0)
        row->seen = BP_SEEN_BIT(BP_SEEN_UNMET), row->as_expected = false;
    for (uint32_t i = 0; i < count; i++)
        if (inject_once(inject, row, point, mode, places[i], err) < 0)
            return -1;
    return 0;
}

static int inject_point(struct inject *inject, enum bp_fault_point point, enum bp_fault_mode mode,
                        struct bp_error *err)
{
    const struct bp_campaign *campaign = inject->options->campaign;
    struct bp_matrix_row *row = new_row(inject, bp_fault_name(point), bp_fault_mode_name(mode),
                                        campaign->points[point].expected[mode], err);
    if (!row)
        return -1;
    row->built = BP_FAULT_BUILT;
    if (row->built && bp_fault_is_of_device(point) && inject->no_device[0]) {
        memcpy(row->skipped, inject->no_device, sizeof row->skipped);
        end_row(inject, row);
        return 0;
    }
    if (row->built && inject_places(inject, row, point, mode, err) < 0)
        return -1;
    end_row(inject, row);
    return 0;
}

/* A run without a fault must pass, and says how often each point of its kind is met. */
static int count_points(struct inject *inject, bool of_device, struct bp_error *err)
{
    struct bp_injected_search run = {.config = of_device ? &inject->config->device
                                                         : &inject->config->search};
    struct bp_matrix_row row = {.name = "none"};
    char said[BP_MATRIX_TEXT];
    if (run_search(inject, of_device ? "none-device" : "none", 0, &run, err) < 0)
        return -1;
    if (judge_search(inject, &row) != BP_SEEN_BIT(BP_VERDICT_PASS) || inject->end.leaks > 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "a run without faults does not pass: %s %s; see %s",
                       last_words(inject->end.output, said) ? said : "", inject->end.leaked,
                       inject->dir);
    inject->census[of_device] = inject->end.report.census;
    if (!inject->options->keep)
        remove_dir(inject->dir);
    return 0;
}

/* The device must be there; where it is, the run without a fault must pass. */
static int count_on_device(struct inject *inject, struct bp_error *err)
{
    if (!inject->config->has_device) {
        snprintf(inject->no_device, sizeof inject->no_device, "the campaign names no device");
        return 0;
    }
    if (run_process(inject, "device", 0, bp_injected_look, &inject->config->device, err) < 0)
        return -1;
    snprintf(inject->no_device, sizeof inject->no_device, "%s", inject->end.report.message);
    if (inject->no_device[0])
        return 0;
    if (!inject->options->keep)
        remove_dir(inject->dir);
    return count_points(inject, true, err);
}

static int count_for(struct inject *inject, enum bp_fault_point point, bool counted[2],
                     struct bp_error *err)
{
    bool of_device = bp_fault_is_of_device(point);
    if (!BP_FAULT_BUILT || counted[of_device])
        return 0;
    counted[of_device] = true;
    return of_device ? count_on_device(inject, err) : count_points(inject, false, err);
}

/* ---- the whole ---- */

static int check_classes(const struct bp_inject_options *options, struct bp_error *err)
{
    const char *valid[BP_CAMPAIGN_CANDIDATES + BP_FAULT_COUNT + 1] = {NULL};
    const struct bp_campaign *campaign = options->campaign;
    uint32_t count = 0;
    for (uint32_t i = 0; i < campaign->candidate_count; i++)
        valid[count++] = campaign->candidates[i].name;
    for (int point = 1; point < BP_FAULT_COUNT; point++)
        valid[count++] = bp_fault_name((enum bp_fault_point)point);
    BP_AUTO_FREE char *copy = strdup(options->classes ? options->classes : "");
    char *rest = copy;
    if (options->classes && strspn(options->classes, ",") == strlen(options->classes))
        return bp_fail(err, BP_ERR_USAGE, "--classes names no class ('inject --list' does)");
    for (char *word; rest && (word = strtok_r(rest, ",", &rest));)
        if (bp_choices_find(valid, word) < 0) {
            const char *nearest = bp_choices_nearest(valid, word);
            return bp_fail(
                err, BP_ERR_USAGE, "unknown class '%.40s'%s%s%s ('inject --list' has all)", word,
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
        }
    return 0;
}

static int inject_points(struct inject *inject, struct bp_error *err)
{
    const struct bp_campaign *campaign = inject->options->campaign;
    bool counted[2] = {false};
    for (int point = 1; point < BP_FAULT_COUNT; point++)
        for (int mode = 0; mode < BP_FAULT_MODE_COUNT; mode++) {
            if (!campaign->points[point].expected[mode] ||
                !is_wanted(inject, bp_fault_name((enum bp_fault_point)point)))
                continue;
            if (count_for(inject, (enum bp_fault_point)point, counted, err) < 0)
                return -1;
            if (inject_point(inject, (enum bp_fault_point)point, (enum bp_fault_mode)mode, err) < 0)
                return -1;
        }
    return 0;
}

static int inject_all(struct inject *inject, struct bp_error *err)
{
    const struct bp_campaign *campaign = inject->options->campaign;
    if (bp_process_prepare(err) < 0 || bp_injected_load(campaign, inject->config, err) < 0)
        return -1;
    if (inject->options->show)
        bp_matrix_print_head();
    for (uint32_t i = 0; i < campaign->candidate_count; i++)
        if (is_wanted(inject, campaign->candidates[i].name) &&
            inject_candidate(inject, &campaign->candidates[i], err) < 0)
            return -1;
    return inject_points(inject, err);
}

int bp_inject(const struct bp_inject_options *options, struct bp_matrix *matrix,
              struct bp_error *err)
{
    struct inject *inject = calloc(1, sizeof *inject);
    struct bp_injected_config *config = calloc(1, sizeof *config);
    int result = -1;
    matrix->seed = options->campaign->seed;
    if (!inject || !config) {
        bp_fail(err, BP_ERR_MEMORY, "no memory for a campaign");
    } else if (check_classes(options, err) == 0) {
        inject->options = options;
        inject->matrix = matrix;
        inject->config = config;
        result = inject_all(inject, err);
    }
    if (config)
        bp_injected_free(config);
    free(config);
    free(inject);
    return result;
}
