#include "harness/evolve/attendant.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "harness/evolve/notify.h"
#include "harness/evolve/run.h"
#include "harness/evolve/usage.h"
#include "harness/evolve/waiting.h"
#include "harness/report/status_block.h"

#define DISK_POLL_MS 5000.0
#define STATUS_MAX ((size_t)16 << 10)

/* ---- signals ---- */

static void rotate_log(void)
{
    struct bp_error err;
    if (bp_log_rotate(&err) < 0)
        bp_log(BP_LOG_WARNING, "attendant", "the log goes on in its file: %s", err.msg);
    else
        bp_log(BP_LOG_INFO, "attendant", "a new log, as SIGHUP asked");
}

static uint64_t disk_free(const struct bp_attendant *attendant)
{
    struct bp_error err;
    uint64_t bytes;
    if (bp_io_disk_free(attendant->run->dir, &bytes, &err) == 0)
        return bytes;
    bp_log(BP_LOG_WARNING, "attendant", "%s", err.msg);
    return UINT64_MAX; /* writing will tell more clearly what is wrong */
}

static void fill_block(struct bp_attendant *attendant, struct bp_status_block *block)
{
    struct bp_run *run = attendant->run;
    const struct bp_session *session = &run->session;
    *block = (struct bp_status_block){
        .dir = attendant->run->dir,
        .device = session->slots.title,
        .activity = session->activity,
        .children = session->loop.child_count,
        .safety = &run->ledger.safety,
        .writing = !bp_recorder_idle(&run->recorder),
        .resident_bytes = bp_usage_resident_bytes(),
        .descriptors = bp_usage_descriptors(),
        .disk_free_bytes = disk_free(attendant),
        .elapsed_s = bp_progress_elapsed_s(&attendant->run->progress),
    };
    bp_run_progress(run, &block->progress);
    block->eta_s = bp_progress_eta_s(&attendant->run->progress, &block->progress);
}

static void log_lines(char *text)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        bp_log(BP_LOG_INFO, "status", "%s", line);
}

static void say_status(struct bp_attendant *attendant)
{
    struct bp_status_block block;
    struct bp_error err;
    struct bp_buffer text;
    bp_buffer_init(&text, STATUS_MAX);
    fill_block(attendant, &block);
    if (bp_status_block_text(&block, &text, &err) == 0) {
        bp_progress_say(&attendant->run->progress, "status:\n%.*s", (int)text.size - 1, text.data);
        log_lines(text.data);
    }
    bp_buffer_free(&text);
}

static void noticed(void *context, enum bp_notice notice)
{
    struct bp_attendant *attendant = context;
    switch (notice) {
    case BP_NOTICE_ROTATE:
        rotate_log();
        break;
    case BP_NOTICE_STATUS:
        say_status(attendant);
        break;
    }
}

/* ---- the service manager ---- */

/* From a timer of the loop, so that a loop that no longer turns is noticed. */
static void still_alive(void *context)
{
    struct bp_attendant *attendant = context;
    struct bp_error err;
    bp_notify_alive();
    if (bp_loop_start_timer(&attendant->run->session.loop, &attendant->alive,
                            bp_clock_ns() + attendant->alive_period_ns, &err) < 0)
        bp_log(BP_LOG_ERROR, "attendant", "no more signs of life: %s", err.msg);
}

int bp_attendant_start(struct bp_attendant *attendant, struct bp_run *run, struct bp_error *err)
{
    struct bp_loop *loop = &run->session.loop;
    attendant->run = run;
    loop->notice = noticed;
    loop->notice_context = attendant;
    attendant->alive = (struct bp_timer){.expired = still_alive, .context = attendant};
    attendant->alive_period_ns = bp_notify_watchdog_ns();
    if (attendant->alive_period_ns == 0)
        return 0;
    return bp_loop_start_timer(loop, &attendant->alive, bp_clock_ns(), err);
}

void bp_attendant_stop(struct bp_attendant *attendant)
{
    if (!attendant->run)
        return;
    struct bp_loop *loop = &attendant->run->session.loop;
    bp_notify_stopping();
    loop->notice = NULL;
    if (loop->epoll_fd >= 0)
        bp_loop_stop_timer(loop, &attendant->alive);
}

void bp_attendant_tell(const struct bp_attendant *attendant, const struct bp_progress_state *state)
{
    char line[BP_PROGRESS_LINE];
    bp_progress_line(&attendant->run->progress, state, line);
    bp_notify_status(line);
}

/* ---- the disk ---- */

static uint64_t mib(uint64_t bytes)
{
    return bytes >> 20;
}

static void say(struct bp_attendant *attendant, const char *line)
{
    bp_progress_say(&attendant->run->progress, "%s", line);
    bp_log(BP_LOG_INFO, "attendant", "%s", line);
    bp_notify_status(line);
}

static int pause_run(struct bp_attendant *attendant, uint64_t free_bytes, struct bp_error *err)
{
    char line[BP_PROGRESS_LINE];
    struct bp_run *run = attendant->run;
    uint32_t wanted = run->config->limits.disk_free_mb;
    snprintf(line, sizeof line,
             "paused: %" PRIu64 " MiB free in %.400s, %u wanted; looking again every %.0f s",
             mib(free_bytes), run->dir, wanted, DISK_POLL_MS / 1e3);
    say(attendant, line);
    bp_session_now(&run->session, "paused: the disk is nearly full");
    json_t *event = json_pack("{s:s, s:I, s:I}", "reason", "disk", "free_mb",
                              (json_int_t)mib(free_bytes), "wanted_mb", (json_int_t)wanted);
    return bp_run_event(run, "pause", event, err);
}

static int resume_run(struct bp_attendant *attendant, uint64_t free_bytes, double paused_s,
                      struct bp_error *err)
{
    char line[BP_PROGRESS_LINE];
    snprintf(line, sizeof line, "going on after %.0f s: %" PRIu64 " MiB free", paused_s,
             mib(free_bytes));
    say(attendant, line);
    json_t *event = json_pack("{s:s, s:I, s:f}", "reason", "disk", "free_mb",
                              (json_int_t)mib(free_bytes), "paused_s", paused_s);
    return bp_run_event(attendant->run, "resume", event, err);
}

int bp_attendant_await_disk(struct bp_attendant *attendant, struct bp_error *err)
{
    uint32_t wanted = attendant->run->config->limits.disk_free_mb;
    uint64_t free_bytes = wanted > 0 ? disk_free(attendant) : UINT64_MAX;
    if (mib(free_bytes) >= wanted)
        return 0;
    uint64_t since_ns = bp_clock_ns();
    if (pause_run(attendant, free_bytes, err) < 0)
        return -1;
    while (mib(free_bytes) < wanted) {
        if (bp_waiting_pause(&attendant->run->session, DISK_POLL_MS, err) < 0)
            return -1;
        free_bytes = disk_free(attendant);
    }
    return resume_run(attendant, free_bytes, bp_ns_to_ms(bp_clock_ns() - since_ns) / 1e3, err);
}
