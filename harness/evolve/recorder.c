#include "harness/evolve/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

int bp_recorder_open(struct bp_recorder *recorder, const char *dir, const struct bp_config *config,
                     struct bp_error *err)
{
    char path[4200];
    snprintf(recorder->dir, sizeof recorder->dir, "%s", dir);
    if (bp_store_create(dir, config->seed, &recorder->store, err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    if (bp_io_write_file_atomic(path, config->text, strlen(config->text), err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/log.txt", dir);
    return bp_log_open(path, err);
}

int bp_recorder_close(struct bp_recorder *recorder, struct bp_error *err)
{
    bp_log_close();
    if (!recorder->store)
        return 0;
    int result = bp_store_close(recorder->store, err);
    recorder->store = NULL;
    bp_replay_setting_free(&recorder->setting);
    return result;
}

/* ---- jobs of the writer thread ---- */

struct evaluation_job {
    char dir[4096];
    struct bp_evaluation *evaluation; /* owned copy */
    const struct bp_replay_setting *setting;
    bool is_best;
};

/* A bundle is worth no run: the record has the verdict already. */
static void write_bundle(const struct evaluation_job *job)
{
    struct bp_error err;
    const struct bp_evaluation *evaluation = job->evaluation;
    bool seen = evaluation->evidence || evaluation->verdict == BP_VERDICT_INVALID_CONFIG;
    if (job->setting->config && seen &&
        bp_bundle_write_failure(job->dir, job->setting, evaluation, &err) < 0)
        bp_log(BP_LOG_WARNING, "recorder", "no bundle of evaluation %u: %s", evaluation->number,
               err.msg);
}

static int write_evaluation(void *context, struct bp_error *err)
{
    const struct evaluation_job *job = context;
    if (bp_artifacts_evaluation(job->dir, job->evaluation, err) < 0)
        return -1;
    write_bundle(job);
    return job->is_best ? bp_artifacts_best(job->dir, job->evaluation, err) : 0;
}

static void release_evaluation(void *context)
{
    struct evaluation_job *job = context;
    bp_evaluation_free(job->evaluation);
    free(job);
}

int bp_recorder_evaluation(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                           bool is_best, struct bp_error *err)
{
    if (bp_store_evaluation(recorder->store, evaluation, err) < 0)
        return -1;
    struct evaluation_job *job = calloc(1, sizeof *job);
    if (!job || !(job->evaluation = bp_evaluation_copy(evaluation))) {
        free(job);
        return bp_fail(err, BP_ERR_MEMORY, "no memory to record an evaluation");
    }
    memcpy(job->dir, recorder->dir, sizeof job->dir);
    job->setting = &recorder->setting;
    job->is_best = is_best;
    struct bp_store_job work = {.run = write_evaluation,
                                .release = release_evaluation,
                                .context = job,
                                .bytes = sizeof *evaluation + evaluation->source_bytes};
    return bp_store_run(recorder->store, work, err);
}

bool bp_recorder_idle(const struct bp_recorder *recorder)
{
    return bp_store_idle(recorder->store);
}

int bp_recorder_check(struct bp_recorder *recorder, struct bp_error *err)
{
    return bp_store_flush(recorder->store, err);
}

struct text_job {
    char path[4200];
    char *text; /* owned */
};

static int write_text(void *context, struct bp_error *err)
{
    const struct text_job *job = context;
    return bp_io_write_file_atomic(job->path, job->text, strlen(job->text), err);
}

static void release_text(void *context)
{
    struct text_job *job = context;
    free(job->text);
    free(job);
}

int bp_recorder_summary(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err)
{
    json_t *object = bp_summary_json(summary);
    struct text_job *job = calloc(1, sizeof *job);
    if (job)
        job->text = json_dumps(object, BP_JSON_FLAGS);
    json_decref(object);
    if (!job || !job->text) {
        free(job);
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the summary");
    }
    snprintf(job->path, sizeof job->path, "%s/tuning_summary.json", recorder->dir);
    struct bp_store_job work = {
        .run = write_text, .release = release_text, .context = job, .bytes = strlen(job->text)};
    return bp_store_run(recorder->store, work, err);
}

int bp_recorder_results(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err)
{
    if (bp_store_flush(recorder->store, err) < 0 ||
        bp_artifacts_summary(recorder->dir, summary, err) < 0)
        return -1;
    return bp_artifacts_results(recorder->dir, summary, err);
}
