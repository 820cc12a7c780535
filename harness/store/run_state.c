#include "harness/store/run_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/tree.h"
#include "harness/store/demotion.h"
#include "harness/store/runs.h"
#include "harness/store/store.h"

/* ---- the record ---- */

static void push_last(struct bp_run_state *state, const struct bp_recorded *recorded)
{
    memmove(&state->last[1], &state->last[0], sizeof state->last - sizeof state->last[0]);
    state->last[0] = (struct bp_run_last){.number = recorded->number,
                                          .verdict = recorded->verdict,
                                          .has_score = recorded->has_score,
                                          .promoted = recorded->promoted,
                                          .duplicate = recorded->duplicate,
                                          .score = recorded->score,
                                          .finished_wall_ms = recorded->finished_wall_ms};
    if (state->last_count < BP_RUN_STATE_LAST)
        state->last_count++;
}

struct walk {
    struct bp_run_state *state;
    struct bp_demotions demotions;
};

static int add_evaluation(void *context, const struct bp_recorded *recorded, struct bp_error *err)
{
    const struct walk *walk = context;
    struct bp_run_state *state = walk->state;
    (void)err;
    bp_safety_add(&state->safety, &recorded->safety, state->evaluations);
    state->evaluations++;
    state->duplicates += recorded->duplicate;
    state->verdicts[recorded->verdict]++;
    if (recorded->promoted && !bp_demotions_has(&walk->demotions, recorded->number)) {
        state->best_number = recorded->number;
        state->best_score = recorded->score;
    }
    push_last(state, recorded);
    return 0;
}

static int add_start(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    struct bp_run_state *state = context;
    (void)event;
    (void)err;
    state->starts++;
    return 0;
}

struct last_event {
    int64_t number;
    char status[BP_TEXT_SHORT];
};

static int take_event(void *context, const struct bp_stored_event *event, struct bp_error *err)
{
    struct last_event *last = context;
    (void)err;
    json_t *object = json_loads(event->json, 0, NULL);
    const char *status = json_string_value(json_object_get(object, "status"));
    last->number = event->number;
    snprintf(last->status, sizeof last->status, "%s", status ? status : "");
    json_decref(object);
    return 0;
}

static int read_evaluations(struct bp_store *store, struct bp_run_state *state,
                            struct bp_error *err)
{
    struct walk walk = {.state = state};
    if (bp_demotions_load(store, &walk.demotions, err) < 0)
        return -1;
    int result = bp_store_load_evaluations(store, add_evaluation, &walk, err);
    bp_demotions_free(&walk.demotions);
    return result;
}

static int read_record(struct bp_store *store, struct bp_run_state *state, struct bp_error *err)
{
    struct last_event start = {0}, end = {0};
    char created[24] = "0";
    if (read_evaluations(store, state, err) < 0 ||
        bp_store_load_events(store, "run", 0, add_start, state, err) < 0 ||
        bp_store_load_events(store, "run", 0, take_event, &start, err) < 0 ||
        bp_store_load_events(store, "end", 0, take_event, &end, err) < 0 ||
        bp_store_text(store, "created_wall_ms", created, sizeof created, err) < 0)
        return -1;
    state->created_ms = strtoll(created, NULL, 10);
    snprintf(state->status, sizeof state->status, "%s",
             end.number > start.number ? end.status : "crashed");
    return 0;
}

/* ---- the directory ---- */

static void measure(int dir_fd, const char *dir, struct bp_run_state *state)
{
    static const char *const records[] = {"run.db", "run.db-wal", "run.db-shm"};
    struct bp_error ignored;
    state->bytes = bp_tree_bytes(AT_FDCWD, dir);
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        state->record_bytes += bp_tree_bytes(dir_fd, records[i]);
    state->failures_bytes = bp_tree_bytes(dir_fd, "failures");
    if (bp_io_disk_free(dir, &state->free_bytes, &ignored) < 0)
        state->free_bytes = 0;
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strncmp(entry->d_name, "log.txt", strlen("log.txt")) == 0)
            state->log_bytes += bp_tree_bytes(dir_fd, entry->d_name);
    if (entries)
        closedir(entries);
}

int bp_run_state_read(const char *dir, struct bp_run_state *state, struct bp_error *err)
{
    struct bp_store *store;
    struct bp_error ignored;
    *state = (struct bp_run_state){0};
    BP_AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        bp_fail_errno(err, "cannot read %s", dir);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    /* Before the record: a run that ends meanwhile is then seen with its end. */
    state->pid = bp_run_holder(fd);
    if (bp_store_read(dir, &store, err) < 0)
        return -1;
    int result = read_record(store, state, err);
    bp_store_close(store, &ignored);
    if (result < 0)
        return -1;
    if (state->pid != 0)
        snprintf(state->status, sizeof state->status, "running");
    state->changed_ms = state->last_count > 0 ? state->last[0].finished_wall_ms : state->created_ms;
    measure(fd, dir, state);
    return 0;
}
