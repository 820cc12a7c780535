#include "harness/report/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

void bp_progress_start(struct bp_progress *progress)
{
    *progress =
        (struct bp_progress){.terminal = isatty(STDERR_FILENO), .started_ns = bp_clock_ns()};
}

double bp_progress_elapsed_s(const struct bp_progress *progress)
{
    return progress->earlier_s + bp_ns_to_ms(bp_clock_ns() - progress->started_ns) / 1e3;
}

void bp_progress_resume(struct bp_progress *progress, double earlier_s)
{
    progress->earlier_s = earlier_s;
}

void bp_progress_end(struct bp_progress *progress)
{
    if (progress->line_open)
        fputs("\r\033[K", stderr);
    progress->line_open = false;
}

void bp_progress_say(struct bp_progress *progress, const char *fmt, ...)
{
    va_list args;
    bp_progress_end(progress);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

void bp_progress_preparing(struct bp_progress *progress, uint32_t done, uint32_t total)
{
    if (!progress->terminal)
        return;
    fprintf(stderr, "\r\033[Kpreparing inputs and references %u/%u", done, total);
    progress->line_open = true;
    if (done == total)
        bp_progress_end(progress);
}

void bp_progress_add(struct bp_progress *progress, const char *fmt, ...)
{
    va_list args;
    if (!progress->line_open)
        return;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
}

double bp_progress_eta_s(const struct bp_progress *progress, const struct bp_progress_state *state)
{
    double elapsed = bp_progress_elapsed_s(progress), left = INFINITY;
    if (state->total > 0 && state->done > 0)
        left = elapsed / state->done * (state->total - state->done);
    if (state->seconds_limit > 0)
        left = fmin(left, fmax(0, state->seconds_limit - elapsed));
    return isinf(left) ? -1 : left;
}

static void append(char line[BP_PROGRESS_LINE], const char *fmt, ...) BP_PRINTF(2, 3);

static void append(char line[BP_PROGRESS_LINE], const char *fmt, ...)
{
    size_t used = strlen(line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + used, BP_PROGRESS_LINE - used, fmt, args);
    va_end(args);
}

void bp_progress_line(const struct bp_progress *progress, const struct bp_progress_state *state,
                      char line[BP_PROGRESS_LINE])
{
    double left = bp_progress_eta_s(progress, state);
    line[0] = '\0';
    append(line, "%u", state->done);
    if (state->total > 0)
        append(line, "/%u", state->total);
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (state->verdicts[i] > 0)
            append(line, " %s %u", bp_verdict_name((enum bp_verdict)i), state->verdicts[i]);
    if (state->duplicates > 0)
        append(line, " (%u duplicates)", state->duplicates);
    if (state->best > 0)
        append(line, "  best %.3fx (#%u)", state->best, state->best_number);
    if (left >= 0)
        append(line, "  ETA %.0f s", left);
}

void bp_progress_show(struct bp_progress *progress, const struct bp_progress_state *state)
{
    char line[BP_PROGRESS_LINE];
    bp_progress_line(progress, state, line);
    fprintf(stderr, progress->terminal ? "\r\033[K%s" : "%s\n", line);
    if (progress->terminal)
        fflush(stderr);
    progress->line_open = progress->terminal;
}
