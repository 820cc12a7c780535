#include "harness/evolve/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "harness/evolve/contest.h"
#include "harness/evolve/notify.h"
#include "harness/evolve/resume.h"
#include "harness/evolve/run_dir.h"
#include "harness/evolve/run_facts.h"
#include "harness/evolve/search_loop.h"
#include "harness/evolve/setting.h"
#include "harness/evolve/standings.h"
#include "harness/exit_codes.h"
#include "harness/store/json_parts.h"
#include "kernels/embedded.h"

struct engine {
    const struct bp_engine_options *options;
    struct bp_config config;
    struct bp_run run;
    struct bp_resumed resumed;                    /* zeros in a new run */
    char told[sizeof((struct bp_error *)0)->msg]; /* the last error that the user was told of */
};

/* ---- opening ---- */

static void prepared(void *context, uint32_t done, uint32_t total)
{
    struct bp_run *run = context;
    bp_progress_preparing(&run->progress, done, total);
}

static int opened(void *context, struct bp_error *err)
{
    struct bp_run *run = context;
    return bp_attendant_start(&run->attendant, run, err);
}

/* Events of the machine's own history. One that cannot be queued is no reason to stop here: the next
 * evaluation meets the same store. */
static void put_event(struct bp_run *run, const char *kind, json_t *json)
{
    struct bp_error err;
    if (bp_run_event(run, kind, json, &err) < 0)
        bp_log(BP_LOG_WARNING, "engine", "event %s: %s", kind, err.msg);
}

static void device_changed(void *run, const struct bp_device_change *change)
{
    put_event(run, "device",
              json_pack("{s:s,s:s,s:s,s:o}", "device", change->device, "from", change->from, "to",
                        change->to, "why", bp_json_text(change->why)));
}

static void probed(void *run, const struct bp_probe_record *probe)
{
    put_event(run, "probe",
              json_pack("{s:s,s:b,s:o,s:o}", "device", probe->device, "passed", probe->passed, "ms",
                        bp_json_real(probe->ms), "message", bp_json_text(probe->message)));
}

static void waiting(void *context, const char *text)
{
    struct bp_run *run = context;
    bp_progress_say(&run->progress, "%s", text);
}

/* What each start of a run may choose anew. */
static void override_config(struct engine *engine)
{
    const struct bp_engine_options *options = engine->options;
    engine->config.allow_degraded = options->allow_degraded;
    if (options->evaluations)
        engine->config.budget.evaluations = (uint32_t)*options->evaluations;
    if (options->seconds)
        engine->config.budget.seconds = *options->seconds;
}

/* What a run needs beside its directory, once its config is final. */
static int init_run(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    struct bp_session_callbacks callbacks = {
        .opened = opened,
        .prepared = prepared,
        .known_object = bp_search_known_object,
        .evaluated = bp_search_evaluated,
        .device_changed = device_changed,
        .probed = probed,
        .waiting = waiting,
        .context = run,
    };
    run->config = &engine->config;
    run->strategy = bp_strategy_find(engine->config.strategy);
    if (!run->strategy)
        return bp_fail(err, BP_ERR_USAGE, "unknown strategy '%s'", engine->config.strategy);
    bp_key_from_seed(engine->config.seed, &run->search_key);
    bp_ledger_init(&run->ledger, &engine->config.head.space);
    if (bp_session_init(&run->session, &engine->config, &callbacks, err) < 0)
        return -1;
    run->session.more_to_come = true;
    bp_standings_mask(&run->session.suite, run->mask, sizeof run->mask);
    return 0;
}

static int load_new_config(struct engine *engine, struct bp_error *err)
{
    const struct bp_engine_options *options = engine->options;
    struct bp_config *config = &engine->config;
    if (bp_config_load(options->config, config, err) < 0)
        return -1;
    if (options->seed)
        config->seed = *options->seed;
    if (options->device)
        snprintf(config->device, sizeof config->device, "%s", options->device);
    if (engine->run.replayed)
        config->parallel = bp_replayed_parallel(engine->run.replayed);
    override_config(engine);
    return 0;
}

static int create(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    const struct bp_config *config = &engine->config;
    if (load_new_config(engine, err) < 0 || init_run(engine, err) < 0 ||
        bp_run_dir_create(engine->options->out, config->output, config->head.name, run->dir,
                          sizeof run->dir, err) < 0)
        return -1;
    bp_progress_say(&run->progress, "run directory %s", run->dir);
    if (bp_recorder_create(&run->recorder, run->dir, config, err) < 0)
        return -1;
    /* A resumed run goes on where it began, also when "auto" would choose another by then. */
    bp_slots_names(&run->session.slots, engine->config.device, sizeof engine->config.device);
    return bp_run_facts_write(run->recorder.store, config, run->session.parallel, err);
}

/* A config that is named beside the directory must be the run's; its kernel may have been edited. */
static int check_config(const struct engine *engine, struct bp_error *err)
{
    char path[4096];
    const struct bp_run *run = &engine->run;
    if (engine->options->config) {
        struct bp_buffer text;
        bp_buffer_init(&text, BP_SOURCE_MAX_BYTES);
        int got = bp_io_read_file(engine->options->config, &text, err);
        bool same = got == 0 && strcmp(bp_buffer_text(&text), engine->config.text) == 0;
        bp_buffer_free(&text);
        if (got < 0)
            return -1;
        if (!same)
            return bp_fail(err, BP_ERR_USAGE, "%s is not the config that the run in %s began with",
                           engine->options->config, run->dir);
    }
    if (!bp_run_facts_same_kernel(run->recorder.store, &engine->config, path, sizeof path))
        fprintf(stderr,
                "bulletproof: %s has changed; the run goes on with the source it began with\n",
                path);
    return 0;
}

static int reopen(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    const struct bp_engine_options *options = engine->options;
    if (options->out || options->seed || options->device)
        return bp_fail(err, BP_ERR_USAGE,
                       "a resumed run keeps its directory, seed and device: leave out --%s",
                       options->out    ? "out"
                       : options->seed ? "seed"
                                       : "device");
    if (strlen(options->resume) >= sizeof run->dir)
        return bp_fail(err, BP_ERR_USAGE, "the run directory's path is too long");
    snprintf(run->dir, sizeof run->dir, "%s", options->resume);
    if (bp_recorder_open(&run->recorder, run->dir, err) < 0 ||
        bp_run_facts_config(run->recorder.store, run->dir, &engine->config, err) < 0 ||
        check_config(engine, err) < 0 || init_run(engine, err) < 0 ||
        bp_resume(run, &engine->resumed, err) < 0)
        return -1;
    engine->config.budget.evaluations = engine->resumed.evaluations;
    engine->config.budget.seconds = engine->resumed.seconds;
    override_config(engine);
    bp_progress_resume(&run->progress, engine->resumed.elapsed_s);
    return 0;
}

static int open_run(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    const struct bp_engine_options *options = engine->options;
    run->status = "running";
    run->eager.object_fd = run->baseline.object_fd = run->champion.object_fd = -1;
    bp_config_defaults(&engine->config);
    bp_progress_start(&run->progress);
    run->summary_ns = bp_clock_ns();
    if (options->replay && bp_replayed_open(options->replay, &run->replayed, err) < 0)
        return -1;
    return options->resume ? reopen(engine, err) : create(engine, err);
}

/* ---- one start of the run ---- */

static int record_start(struct engine *engine, uint32_t number, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    char config_hash[BP_HASH_TEXT];
    bp_hash_text(engine->config.text, strlen(engine->config.text), config_hash);
    json_t *json = json_pack("{s:I, s:s, s:s, s:I, s:I, s:f, s:b}", "session", (json_int_t)number,
                             "version", BP_VERSION, "config_hash", config_hash, "parallel",
                             (json_int_t)run->session.parallel, "evaluations",
                             (json_int_t)engine->config.budget.evaluations, "seconds",
                             engine->config.budget.seconds, "replayed", run->replayed != NULL);
    return bp_run_event(run, "run", json, err);
}

/* No secret is used by two starts of a run: each has a key of its own. A replay needs no children, and
 * of the session the loop alone, which sees the signals. */
static int open_session(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    struct bp_key run_key, key;
    uint32_t number;
    if (bp_recorder_watch_size(&run->recorder, run->config, err) < 0 ||
        bp_store_begin_session(run->recorder.store, &number, err) < 0 ||
        record_start(engine, number, err) < 0)
        return -1;
    if (run->replayed)
        return bp_loop_open(&run->session.loop, err) < 0 ? -1 : opened(run, err);
    bp_store_run_key(run->recorder.store, &run_key);
    bp_key_derive(&run_key, "session", number, &key);
    if (bp_session_open(&run->session, &key, err) < 0)
        return -1;
    return bp_setting_of(&run->session, &run->recorder.setting, err);
}

static int repair(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    if (!engine->options->resume)
        return 0;
    bp_progress_say(&run->progress, "resumed at evaluation %u of %u", run->ledger.count,
                    engine->config.budget.evaluations);
    return bp_recorder_repair(&run->recorder, run->ledger.count, run->ledger.champion_number, err);
}

/* ---- eager and baseline ---- */

static int evaluate_eager(struct bp_run *run, struct bp_error *err)
{
    struct bp_kernel_head head;
    const struct bp_embedded_file *file = &bp_embedded_eager[0];
    if (bp_kernel_head_parse(file->name, file->text, file->size, &head, err) < 0)
        return -1;
    struct bp_blueprint blueprint = {
        .number = 1,
        .origin = BP_ORIGIN_EAGER,
        .kernel = head.name,
        .source = file->text,
        .source_bytes = file->size,
        .space = &head.space,
        .point = &head.default_point,
    };
    int result = bp_run_make(run, &blueprint, &run->eager, err);
    bp_kernel_head_free(&head);
    return result < 0 ? -1 : bp_search_evaluate(run, &run->eager, 1, err);
}

static int evaluate_baseline(struct bp_run *run, struct bp_error *err)
{
    const struct bp_config *config = run->config;
    struct bp_blueprint blueprint = {
        .number = 2,
        .origin = BP_ORIGIN_BASELINE,
        .kernel = config->head.name,
        .source = config->source,
        .source_bytes = config->source_bytes,
        .space = &config->head.space,
        .point = &config->baseline,
    };
    if (bp_run_make(run, &blueprint, &run->baseline, err) < 0 ||
        bp_search_evaluate(run, &run->baseline, 1, err) < 0)
        return -1;
    bool passed = run->baseline.evaluation->verdict == BP_VERDICT_PASS;
    return passed ? bp_run_crown_baseline(run, err) : 0;
}

static int check_baseline(struct bp_run *run, struct bp_error *err)
{
    const struct bp_evaluation *baseline = run->baseline.evaluation;
    if (baseline->verdict == BP_VERDICT_PASS)
        return 0;
    run->hopeless = true;
    return bp_fail(err, BP_ERR_UNAVAILABLE, "the baseline config is not usable: %s: %s",
                   bp_verdict_name(baseline->verdict), baseline->message);
}

/* ---- the whole ---- */

static bool is_finished(const struct engine *engine)
{
    const struct bp_run *run = &engine->run;
    return engine->resumed.finished && (run->exhausted || !bp_run_budget_left(run, 0));
}

static int work(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    struct bp_batch *pending = engine->resumed.has_pending ? &engine->resumed.pending : NULL;
    if (run->baseline.evaluation && check_baseline(run, err) < 0)
        return -1;
    if (open_session(engine, err) < 0 || repair(engine, err) < 0)
        return -1;
    bp_notify_ready();
    if (bp_attendant_await_disk(&run->attendant, err) < 0 ||
        (run->ledger.count < 1 && evaluate_eager(run, err) < 0) ||
        (run->ledger.count < 2 && evaluate_baseline(run, err) < 0) || check_baseline(run, err) < 0)
        return -1;
    if (bp_search_run(run, pending, err) < 0)
        return -1;
    return bp_contest_final(run, err);
}

static int print_end(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    struct bp_run_summary summary;
    BP_AUTO_FREE char *text = NULL;
    bp_run_summary(run, &summary);
    if (bp_recorder_results(&run->recorder, &summary, err) < 0)
        return -1;
    bp_progress_end(&run->progress);
    if (engine->options->json) /* main looks whether it could be written */
        return bp_recorder_print(&run->recorder, &summary, stdout, err);
    if (bp_results_text(&summary, &text, err) < 0)
        return -1;
    printf("%s\nresults in %s\n", text, run->dir);
    return 0;
}

/* A record that cannot be written fails again at every later attempt: once is enough. */
static void tell(struct engine *engine, const struct bp_error *err)
{
    if (strcmp(engine->told, err->msg) != 0)
        bp_progress_say(&engine->run.progress, "bulletproof: %s", err->msg);
    memcpy(engine->told, err->msg, sizeof engine->told);
}

/* What ended the run, as status word and exit status; says an error. */
static int conclude(struct engine *engine, int result, const struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    run->status = "finished";
    if (result == 0)
        return BP_EXIT_OK;
    bool interrupted = err->code == BP_ERR_INTERRUPTED;
    run->status = interrupted ? "interrupted" : "failed";
    tell(engine, err);
    bp_log(BP_LOG_INFO, "engine", "ended: %s", err->msg);
    return run->hopeless ? BP_EXIT_FAILED : bp_exit_of_error(err);
}

static int record_end(struct bp_run *run, struct bp_error *err)
{
    json_t *json = json_pack("{s:s, s:b}", "status", run->status, "exhausted", run->exhausted);
    return bp_run_event(run, "end", json, err);
}

static int run_to_end(struct engine *engine, struct bp_error *err)
{
    struct bp_run *run = &engine->run;
    bool finished = is_finished(engine);
    if (finished)
        bp_progress_say(&run->progress,
                        "the run in %s is finished: %u of %u evaluations (--max-evaluations and "
                        "--max-seconds raise its budget)",
                        run->dir, run->ledger.count, engine->config.budget.evaluations);
    int status = conclude(engine, finished ? 0 : work(engine, err), err);
    bp_attendant_stop(&run->attendant);
    bp_session_close(&run->session); /* nothing of ours runs on while the summary is written */
    bool failed = run->ledger.count > 0 && print_end(engine, err) < 0;
    if (failed || (!finished && record_end(run, err) < 0)) {
        tell(engine, err);
        status = BP_EXIT_HARNESS;
    }
    if (status != BP_EXIT_OK && !run->hopeless)
        bp_progress_say(&run->progress, "to go on: bulletproof evolve --resume %s", run->dir);
    return status;
}

static void close_all(struct engine *engine)
{
    struct bp_run *run = &engine->run;
    struct bp_error err;
    bp_session_close(&run->session);
    bp_run_drop(&run->eager);
    bp_run_drop(&run->baseline);
    bp_run_drop(&run->champion);
    bp_ledger_free(&run->ledger);
    bp_replayed_close(&run->replayed);
    if (bp_recorder_close(&run->recorder, &err) < 0)
        tell(engine, &err);
    bp_config_free(&engine->config);
    free(engine);
}

int bp_engine_run(const struct bp_engine_options *options, struct bp_error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the engine");
    engine->options = options;
    bp_loop_expect_notices(); /* a long record takes seconds to load */
    engine->run.session.loop.epoll_fd = engine->run.session.loop.signal_fd = -1;
    int status = open_run(engine, err) < 0 ? -1 : run_to_end(engine, err);
    close_all(engine);
    return status;
}
