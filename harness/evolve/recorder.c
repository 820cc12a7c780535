#include "harness/evolve/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/persist.h"

#define SUMMARY_SHARE 100 /* of the time goes on without summaries, to one part for them */

static int open_thinning(struct bp_recorder *recorder, const struct bp_config *config,
                         struct bp_error *err)
{
    struct bp_thinning_caps caps = {.max_bytes = (uint64_t)config->limits.failures_mb << 20,
                                    .max_count = config->limits.failures_kept};
    return bp_thinning_open(&recorder->thinning, recorder->dir, &caps, err);
}

int bp_recorder_watch_size(struct bp_recorder *recorder, const struct bp_config *config,
                           struct bp_error *err)
{
    struct bp_log_caps caps = {.max_bytes = (uint64_t)config->log.size_mb << 20,
                               .kept = config->log.kept};
    bp_log_set_caps(&caps);
    return open_thinning(recorder, config, err);
}

static int open_log(const struct bp_recorder *recorder, struct bp_error *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/log.txt", recorder->dir);
    return bp_log_open(path, err);
}

struct config_file {
    char path[4200];
    const char *text;
};

static int write_config(void *context, struct bp_error *err)
{
    const struct config_file *file = context;
    return bp_io_write_file_atomic(file->path, file->text, strlen(file->text), err);
}

int bp_recorder_create(struct bp_recorder *recorder, const char *dir,
                       const struct bp_config *config, struct bp_error *err)
{
    struct config_file file = {.text = config->text};
    snprintf(recorder->dir, sizeof recorder->dir, "%s", dir);
    if (bp_store_create(dir, config->seed, &recorder->store, err) < 0)
        return -1;
    snprintf(file.path, sizeof file.path, "%s/config.yaml", dir);
    if (bp_persist("recorder", write_config, &file, err) < 0)
        return -1;
    return open_log(recorder, err);
}

int bp_recorder_open(struct bp_recorder *recorder, const char *dir, struct bp_error *err)
{
    snprintf(recorder->dir, sizeof recorder->dir, "%s", dir);
    if (bp_store_open(dir, &recorder->store, err) < 0)
        return -1;
    return open_log(recorder, err);
}

struct rewrite {
    const char *dir;
    int (*write)(const char *dir, const struct bp_evaluation *evaluation, struct bp_error *err);
    struct bp_evaluation *evaluation;
};

static int write_again(void *context, struct bp_error *err)
{
    const struct rewrite *rewrite = context;
    return rewrite->write(rewrite->dir, rewrite->evaluation, err);
}

static int rewrite(struct bp_recorder *recorder, uint32_t number,
                   int (*write)(const char *dir, const struct bp_evaluation *evaluation,
                                struct bp_error *err),
                   struct bp_error *err)
{
    struct rewrite rewrite = {.dir = recorder->dir, .write = write};
    if (bp_store_load_evaluation(recorder->store, number, &rewrite.evaluation, err) < 0)
        return -1;
    int result = bp_persist("recorder", write_again, &rewrite, err);
    bp_evaluation_free(rewrite.evaluation);
    return result;
}

int bp_recorder_repair(struct bp_recorder *recorder, uint32_t last, uint32_t best,
                       struct bp_error *err)
{
    uint32_t written;
    if (bp_artifacts_history_end(recorder->dir, &written, err) < 0)
        return -1;
    for (uint32_t number = written + 1; number <= last; number++)
        if (rewrite(recorder, number, bp_artifacts_evaluation, err) < 0)
            return -1;
    return best > 0 ? rewrite(recorder, best, bp_artifacts_best, err) : 0;
}

int bp_recorder_close(struct bp_recorder *recorder, struct bp_error *err)
{
    int result = recorder->store ? bp_store_close(recorder->store, err) : 0;
    recorder->store = NULL;
    bp_thinning_close(&recorder->thinning);
    bp_replay_setting_free(&recorder->setting);
    bp_log_close(); /* the store's thread says something now and then */
    return result;
}

/* ---- jobs of the writer thread ---- */

enum parts { FILES = 1, BUNDLE = 2, BEST = 4 };

struct evaluation_job {
    char dir[4096];
    struct bp_thinning *thinning;     /* borrowed */
    struct bp_evaluation *evaluation; /* owned copy */
    const struct bp_replay_setting *setting;
    unsigned left; /* enum parts that are not written */
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
    bp_thinning_added(job->thinning, evaluation->number, evaluation->verdict);
}

static int write_evaluation(void *context, struct bp_error *err)
{
    struct evaluation_job *job = context;
    if ((job->left & FILES) && bp_artifacts_evaluation(job->dir, job->evaluation, err) < 0)
        return -1;
    if (job->left & BUNDLE)
        write_bundle(job);
    job->left &= BEST; /* the rest not again where this one fails */
    return job->left ? bp_artifacts_best(job->dir, job->evaluation, err) : 0;
}

static void release_evaluation(void *context)
{
    struct evaluation_job *job = context;
    bp_evaluation_free(job->evaluation);
    free(job);
}

static int queue_files(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                       unsigned parts, struct bp_error *err)
{
    struct evaluation_job *job = bp_fault_calloc(1, sizeof *job);
    if (!job || !(job->evaluation = bp_evaluation_copy(evaluation))) {
        free(job);
        return bp_fail(err, BP_ERR_MEMORY, "no memory to record an evaluation");
    }
    memcpy(job->dir, recorder->dir, sizeof job->dir);
    job->setting = &recorder->setting;
    job->thinning = &recorder->thinning;
    job->left = parts;
    struct bp_store_job work = {.run = write_evaluation,
                                .release = release_evaluation,
                                .context = job,
                                .bytes = sizeof *evaluation + evaluation->source_bytes};
    return bp_store_run(recorder->store, work, err);
}

int bp_recorder_evaluation(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                           bool is_best, struct bp_error *err)
{
    if (bp_store_evaluation(recorder->store, evaluation, err) < 0)
        return -1;
    return queue_files(recorder, evaluation, FILES | BUNDLE | (is_best ? BEST : 0), err);
}

int bp_recorder_failure(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                        struct bp_error *err)
{
    return queue_files(recorder, evaluation, BUNDLE, err);
}

int bp_recorder_best(struct bp_recorder *recorder, const struct bp_evaluation *evaluation,
                     struct bp_error *err)
{
    return queue_files(recorder, evaluation, BEST, err);
}

bool bp_recorder_idle(const struct bp_recorder *recorder)
{
    return bp_store_idle(recorder->store);
}

int bp_recorder_check(struct bp_recorder *recorder, struct bp_error *err)
{
    return bp_store_flush(recorder->store, err);
}

struct summary_job {
    struct bp_recorder *recorder; /* which closes its store, and so ends the jobs, before itself */
    char *head;                   /* owned */
};

/* Over a connection of its own: the recorder's belongs to the supervisor's thread. */
static int write_summary(void *context, struct bp_error *err)
{
    const struct summary_job *job = context;
    struct bp_recorder *recorder = job->recorder;
    struct bp_store *record;
    struct bp_error closing;
    uint64_t start_ns = bp_clock_ns();
    if (bp_store_read(recorder->dir, &record, err) < 0)
        return -1;
    int result = bp_artifacts_summary(recorder->dir, job->head, record, err);
    bp_store_close(record, &closing);
    recorder->summary_ns = bp_clock_ns();
    recorder->summary_cost_ns = recorder->summary_ns - start_ns;
    return result;
}

static void release_summary(void *context)
{
    struct summary_job *job = context;
    free(job->head);
    free(job);
}

int bp_recorder_summary(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err)
{
    if (bp_clock_ns() - recorder->summary_ns < SUMMARY_SHARE * recorder->summary_cost_ns)
        return 0;
    struct summary_job *job = bp_fault_calloc(1, sizeof *job);
    if (!job)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the summary");
    job->recorder = recorder;
    if (bp_summary_head(summary, &job->head, err) < 0) {
        free(job);
        return -1;
    }
    struct bp_store_job work = {.run = write_summary,
                                .release = release_summary,
                                .context = job,
                                .bytes = sizeof *job + strlen(job->head)};
    return bp_store_run(recorder->store, work, err);
}

struct results {
    struct bp_recorder *recorder;
    const struct bp_run_summary *summary;
    const char *head;
};

static int write_results(void *context, struct bp_error *err)
{
    const struct results *results = context;
    struct bp_recorder *recorder = results->recorder;
    if (bp_artifacts_summary(recorder->dir, results->head, recorder->store, err) < 0)
        return -1;
    return bp_artifacts_results(recorder->dir, results->summary, err);
}

int bp_recorder_results(struct bp_recorder *recorder, const struct bp_run_summary *summary,
                        struct bp_error *err)
{
    BP_AUTO_FREE char *head = NULL;
    if (bp_store_flush(recorder->store, err) < 0 || bp_summary_head(summary, &head, err) < 0)
        return -1;
    struct results results = {recorder, summary, head};
    return bp_persist("recorder", write_results, &results, err);
}

int bp_recorder_print(struct bp_recorder *recorder, const struct bp_run_summary *summary, FILE *out,
                      struct bp_error *err)
{
    BP_AUTO_FREE char *head = NULL;
    if (bp_summary_head(summary, &head, err) < 0)
        return -1;
    return bp_summary_print(out, head, recorder->store, err);
}
