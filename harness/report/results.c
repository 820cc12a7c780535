#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"
#include "harness/report/safety.h"

#define COLUMNS 8
#define CELL (BP_TEXT_LINE + 16)
#define TEXT_MAX ((size_t)1 << 20)

static const char *const headings[COLUMNS] = {
    "impl",          "avg_ms", "tflops", "gflops", "speedup_vs_eager", "speedup_vs_baseline",
    "tuning_time_s", "note"};

struct table_row {
    char cells[COLUMNS][CELL];
};

/* Four significant digits and never an exponent for a large value; "-" for what is not known. */
static void number_text(double value, char text[CELL])
{
    if (!isfinite(value) || value == 0)
        snprintf(text, CELL, "-");
    else
        snprintf(text, CELL, fabs(value) >= 999.95 ? "%.0f" : "%#.4g", value);
}

static void speedup_text(const struct bp_result_row *row, char text[CELL])
{
    number_text(row->speedup_vs_baseline, text);
    size_t used = strlen(text);
    if (row->ci_low != 0 || row->ci_high != 0)
        snprintf(text + used, CELL - used, " [%.4g, %.4g]", row->ci_low, row->ci_high);
}

static void fill_row(const struct bp_result_row *row, struct table_row *out)
{
    snprintf(out->cells[0], CELL, "%s", row->impl);
    for (int i = 1; i < COLUMNS - 1; i++)
        snprintf(out->cells[i], CELL, "-");
    if (row->measured) {
        number_text(row->avg_ms, out->cells[1]);
        number_text(row->gflops_full * 1e-3, out->cells[2]);
        number_text(row->gflops, out->cells[3]);
        number_text(row->speedup_vs_eager, out->cells[4]);
        speedup_text(row, out->cells[5]);
    }
    if (row->tuning_time_s > 0)
        snprintf(out->cells[6], CELL, "%.1f", row->tuning_time_s);
    snprintf(out->cells[7], CELL, "%s", row->note);
    for (char *at = out->cells[7]; *at; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
}

static const char *or_unknown(const char *text)
{
    return text && text[0] ? text : "unknown";
}

static int add_setting(struct bp_buffer *out, const struct bp_run_summary *s, const char *bullet,
                       struct bp_error *err)
{
    return bp_buffer_printf(
        out, err,
        "%skernel: %s\n%sdevice: %s%s\n%sdriver: %s\n%sdtype: %s\n%ssuite: %s\n%smask: %s\n",
        bullet, or_unknown(s->kernel), bullet, or_unknown(s->device),
        s->emulated ? " (emulated: times mean nothing)" : "", bullet, or_unknown(s->driver), bullet,
        or_unknown(s->dtype), bullet, or_unknown(s->suite), bullet, or_unknown(s->mask));
}

static const char conventions[] =
    "avg_ms is the geometric mean over the timed shapes of the time of one call: the median of the "
    "kernel's\nown measurement or, when baseline and evolved met in fresh rounds, their means "
    "there. "
    "tflops counts\n4 * batch * q_heads * q_len * kv_len * head_dim, without a discount for the "
    "mask; gflops counts only\nthe query-key pairs that the mask leaves visible. The interval "
    "after "
    "speedup_vs_baseline is 95 %.\n";

/* A note is free text: a bar in it must not end the cell. */
static int add_cell(struct bp_buffer *out, const char *cell, struct bp_error *err)
{
    int result = bp_buffer_printf(out, err, " ");
    for (const char *at = cell; *at && result == 0; at++)
        result = bp_buffer_printf(out, err, *at == '|' ? "\\%c" : "%c", *at);
    return result == 0 ? bp_buffer_printf(out, err, " |") : -1;
}

static int add_markdown_row(struct bp_buffer *out, const struct bp_result_row *row,
                            struct bp_error *err)
{
    struct table_row text;
    fill_row(row, &text);
    int result = bp_buffer_printf(out, err, "|");
    for (int i = 0; i < COLUMNS && result == 0; i++)
        result = add_cell(out, text.cells[i], err);
    return result == 0 ? bp_buffer_printf(out, err, "\n") : -1;
}

static int add_markdown(struct bp_buffer *out, const struct bp_run_summary *summary,
                        struct bp_error *err)
{
    char safety[BP_SAFETY_LINE];
    if (bp_buffer_printf(out, err, "# Results\n\n") < 0 ||
        add_setting(out, summary, "- ", err) < 0 || bp_buffer_printf(out, err, "\n|") < 0)
        return -1;
    for (int i = 0; i < COLUMNS; i++)
        if (add_cell(out, headings[i], err) < 0)
            return -1;
    if (bp_buffer_printf(out, err, "\n|---|--:|--:|--:|--:|--:|--:|---|\n") < 0)
        return -1;
    for (uint32_t i = 0; i < summary->row_count; i++)
        if (add_markdown_row(out, &summary->rows[i], err) < 0)
            return -1;
    bp_safety_line(&summary->safety, summary->evaluations, safety);
    return bp_buffer_printf(out, err, "\n%s\nSafety of %u evaluations: %s.\n", conventions,
                            summary->evaluations, safety);
}

int bp_artifacts_results(const char *dir, const struct bp_run_summary *summary,
                         struct bp_error *err)
{
    struct bp_buffer out;
    bp_buffer_init(&out, TEXT_MAX);
    int result = add_markdown(&out, summary, err);
    if (result == 0)
        result = bp_report_write(dir, "results.md", bp_buffer_text(&out), out.size, err);
    bp_buffer_free(&out);
    return result;
}

static void column_widths(const struct bp_run_summary *summary, int widths[COLUMNS])
{
    struct table_row text;
    for (int i = 0; i < COLUMNS; i++)
        widths[i] = (int)strlen(headings[i]);
    for (uint32_t r = 0; r < summary->row_count; r++) {
        fill_row(&summary->rows[r], &text);
        for (int i = 0; i < COLUMNS; i++)
            if ((int)strlen(text.cells[i]) > widths[i])
                widths[i] = (int)strlen(text.cells[i]);
    }
}

/* The first column to the left, figures to the right, the note as it is. */
static int add_text_row(struct bp_buffer *out, const int widths[COLUMNS],
                        const char *const cells[COLUMNS], struct bp_error *err)
{
    if (bp_buffer_printf(out, err, "%-*s", widths[0], cells[0]) < 0)
        return -1;
    for (int i = 1; i < COLUMNS - 1; i++)
        if (bp_buffer_printf(out, err, "  %*s", widths[i], cells[i]) < 0)
            return -1;
    const char *note = cells[COLUMNS - 1];
    return bp_buffer_printf(out, err, "%s%s\n", note[0] ? "  " : "", note);
}

static int add_text(struct bp_buffer *out, const struct bp_run_summary *summary,
                    struct bp_error *err)
{
    int widths[COLUMNS];
    char safety[BP_SAFETY_LINE];
    column_widths(summary, widths);
    if (add_setting(out, summary, "", err) < 0 || bp_buffer_printf(out, err, "\n") < 0 ||
        add_text_row(out, widths, headings, err) < 0)
        return -1;
    for (uint32_t r = 0; r < summary->row_count; r++) {
        struct table_row text;
        const char *cells[COLUMNS];
        fill_row(&summary->rows[r], &text);
        for (int i = 0; i < COLUMNS; i++)
            cells[i] = text.cells[i];
        if (add_text_row(out, widths, cells, err) < 0)
            return -1;
    }
    bp_safety_line(&summary->safety, summary->evaluations, safety);
    return bp_buffer_printf(out, err, "\nsafety: %s\n", safety);
}

int bp_results_text(const struct bp_run_summary *summary, char **text, struct bp_error *err)
{
    struct bp_buffer out;
    bp_buffer_init(&out, TEXT_MAX);
    if (add_text(&out, summary, err) < 0) {
        bp_buffer_free(&out);
        return -1;
    }
    *text = out.data;
    return 0;
}
