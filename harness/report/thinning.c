#include "harness/report/thinning.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/tree.h"

#define NAME_BYTES 32
#define PATH_BYTES 4300

uint32_t bp_thinning_plan(const struct bp_bundle *bundles, uint32_t count,
                          const struct bp_thinning_caps *caps, bool *gone)
{
    uint32_t spared[BP_VERDICT_COUNT + 1] = {0}, left = count, removed = 0;
    uint64_t bytes = 0;
    for (uint32_t i = count; i-- > 0;) {
        bytes += bundles[i].bytes;
        gone[i] = spared[bundles[i].verdict]++ >= BP_THINNING_SPARED; /* may go */
    }
    for (uint32_t i = 0; i < count; i++) {
        gone[i] = gone[i] && (left > caps->max_count || bytes > caps->max_bytes);
        if (!gone[i])
            continue;
        bytes -= bundles[i].bytes;
        left--;
        removed++;
    }
    return removed;
}

/* ---- what there is ---- */

static enum bp_verdict find_verdict(const char *name)
{
    int i = 0;
    while (i < BP_VERDICT_COUNT &&
           (!name || strcmp(bp_verdict_name((enum bp_verdict)i), name) != 0))
        i++;
    return (enum bp_verdict)i;
}

static enum bp_verdict verdict_in_file(const char *path)
{
    json_t *object = json_load_file(path, 0, NULL);
    enum bp_verdict verdict = find_verdict(json_string_value(json_object_get(object, "verdict")));
    json_decref(object);
    return verdict;
}

static enum bp_verdict recorded_verdict(const struct bp_thinning *thinning, const char *name)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s/evaluation.json", thinning->dir, name);
    enum bp_verdict verdict = verdict_in_file(path);
    if (verdict != BP_VERDICT_COUNT)
        return verdict;
    snprintf(path, sizeof path, "%s/../eval_%s.json", thinning->dir, name);
    return verdict_in_file(path);
}

static void name_of(uint32_t number, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%05u", number);
}

/* Keeps the order by number. One that was there already, of before the run was resumed, is replaced. */
static int insert(struct bp_thinning *thinning, const struct bp_bundle *bundle,
                  struct bp_error *err)
{
    for (uint32_t i = 0; i < thinning->count; i++) {
        if (thinning->bundles[i].number == bundle->number) {
            thinning->bundles[i] = *bundle;
            return 0;
        }
    }
    struct bp_bundle *bundles =
        bp_array_grow(thinning->bundles, thinning->count, &thinning->capacity, sizeof *bundles);
    if (!bundles)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the list of failure bundles");
    thinning->bundles = bundles;
    uint32_t at = thinning->count++;
    for (; at > 0 && thinning->bundles[at - 1].number > bundle->number; at--)
        thinning->bundles[at] = thinning->bundles[at - 1];
    thinning->bundles[at] = *bundle;
    return 0;
}

/* The number of "00042"; 0 for what is no bundle's name. */
static uint32_t parse_name(const char *name)
{
    char again[NAME_BYTES];
    uint32_t number = (uint32_t)strtoul(name, NULL, 10);
    name_of(number, again);
    return strcmp(name, again) == 0 ? number : 0;
}

static bool is_left_over(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

static int take_stock(struct bp_thinning *thinning, DIR *dir, struct bp_error *err)
{
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint32_t number = parse_name(entry->d_name);
        if (is_left_over(entry->d_name) && bp_tree_remove(dirfd(dir), entry->d_name, err) < 0)
            return -1;
        if (number == 0)
            continue;
        struct bp_bundle bundle = {.number = number,
                                   .verdict = recorded_verdict(thinning, entry->d_name),
                                   .bytes = bp_tree_bytes(dirfd(dir), entry->d_name)};
        if (insert(thinning, &bundle, err) < 0)
            return -1;
    }
    return 0;
}

int bp_thinning_open(struct bp_thinning *thinning, const char *run_dir,
                     const struct bp_thinning_caps *caps, struct bp_error *err)
{
    *thinning = (struct bp_thinning){.caps = *caps};
    if ((size_t)snprintf(thinning->dir, sizeof thinning->dir, "%s/failures", run_dir) >=
        sizeof thinning->dir)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", run_dir);
    DIR *dir = opendir(thinning->dir);
    if (!dir)
        return errno == ENOENT ? 0 : bp_fail_errno(err, "cannot read %s", thinning->dir);
    int result = take_stock(thinning, dir, err);
    closedir(dir);
    if (result < 0)
        bp_thinning_close(thinning);
    return result;
}

void bp_thinning_close(struct bp_thinning *thinning)
{
    free(thinning->bundles);
    thinning->bundles = NULL;
    thinning->count = thinning->capacity = 0;
}

/* ---- removal ---- */

/* Out of sight first: nobody finds half a bundle, and what a crash leaves has a name that says so. */
static int remove_bundle(int dir_fd, uint32_t number, struct bp_error *err)
{
    char name[NAME_BYTES], hidden[NAME_BYTES + 4];
    name_of(number, name);
    snprintf(hidden, sizeof hidden, "%s.tmp", name);
    if (bp_tree_remove(dir_fd, hidden, err) < 0)
        return -1;
    if (renameat(dir_fd, name, dir_fd, hidden) < 0)
        return errno == ENOENT ? 0 : bp_fail_errno(err, "cannot remove failure bundle %s", name);
    return bp_tree_remove(dir_fd, hidden, err);
}

static void execute(struct bp_thinning *thinning, int dir_fd, const bool *gone)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < thinning->count; i++) {
        struct bp_error err;
        if (gone[i] && remove_bundle(dir_fd, thinning->bundles[i].number, &err) == 0)
            continue;
        if (gone[i])
            bp_log(BP_LOG_WARNING, "thinning", "%s", err.msg);
        thinning->bundles[kept++] = thinning->bundles[i];
    }
    if (kept < thinning->count)
        bp_log(BP_LOG_INFO, "thinning", "%u old failure bundles removed, %u left",
               thinning->count - kept, kept);
    thinning->count = kept;
}

void bp_thinning_added(struct bp_thinning *thinning, uint32_t number, enum bp_verdict verdict)
{
    char name[NAME_BYTES];
    struct bp_error err;
    name_of(number, name);
    BP_AUTO_FD int fd = open(thinning->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct bp_bundle bundle = {number, verdict, fd < 0 ? 0 : bp_tree_bytes(fd, name)};
    if (bundle.bytes == 0)
        return;
    BP_AUTO_FREE bool *gone = calloc(thinning->count + 1, sizeof *gone);
    if (!gone || insert(thinning, &bundle, &err) < 0) {
        bp_log(BP_LOG_WARNING, "thinning", "no memory to look after the failure bundles");
        return;
    }
    if (bp_thinning_plan(thinning->bundles, thinning->count, &thinning->caps, gone) > 0)
        execute(thinning, fd, gone);
}
