#include "harness/evolve/standings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double bp_standings_geomean_ms(const struct bp_evaluation *evaluation)
{
    double sum = 0;
    for (uint32_t i = 0; i < evaluation->timing_count; i++)
        sum += log(evaluation->timings[i].median_ms);
    return exp(sum / evaluation->timing_count);
}

/* Geometric means over the timed shapes of the times in ms[]. */
static void set_rates(const struct bp_suite *suite, const double *ms, struct bp_result_row *row)
{
    double time = 0, useful = 0, full = 0;
    for (uint32_t i = 0; i < suite->timed_count; i++) {
        const struct bp_shape *shape = &suite->timed[i];
        time += log(ms[i]);
        useful += log(bp_shape_flops_useful(shape) / ms[i] * 1e-6);
        full += log(bp_shape_flops_full(shape) / ms[i] * 1e-6);
    }
    row->avg_ms = exp(time / suite->timed_count);
    row->gflops = exp(useful / suite->timed_count);
    row->gflops_full = exp(full / suite->timed_count);
    row->measured = true;
}

static void set_row(const struct bp_standings *standings, const char *impl,
                    const struct bp_evaluation *evaluation, const double *final_ms,
                    struct bp_result_row *row)
{
    double own_ms[BP_SUITE_MAX_TIMED];
    *row = (struct bp_result_row){.impl = impl};
    if (!evaluation || evaluation->timing_count == 0) {
        snprintf(row->note, sizeof row->note, "%s",
                 evaluation ? bp_verdict_name(evaluation->verdict) : "not measured");
        return;
    }
    for (uint32_t i = 0; i < evaluation->timing_count; i++)
        own_ms[i] = evaluation->timings[i].median_ms;
    set_rates(standings->suite, final_ms ? final_ms : own_ms, row);
}

/* The evolved kernel's row in the final comparison: the baseline's, by the ratio of the rounds, which is
 * robust where two medians of a disturbed machine are not. */
static void scale_row(const struct bp_result_row *baseline, double ratio, struct bp_result_row *row)
{
    row->avg_ms = baseline->avg_ms / ratio;
    row->gflops = baseline->gflops * ratio;
    row->gflops_full = baseline->gflops_full * ratio;
    row->measured = true;
}

static void compare_rows(struct bp_result_row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!rows[i].measured)
            continue;
        if (rows[0].measured)
            rows[i].speedup_vs_eager = rows[0].avg_ms / rows[i].avg_ms;
        if (rows[1].measured)
            rows[i].speedup_vs_baseline = rows[1].avg_ms / rows[i].avg_ms;
    }
}

static void set_final(const struct bp_standings *standings, struct bp_run_summary *summary,
                      struct bp_result_row *row)
{
    const struct bp_interval *ratio = &standings->final->log_ratio;
    row->speedup_vs_baseline = exp(ratio->estimate);
    row->ci_low = summary->improvement_ci_low = exp(ratio->low);
    row->ci_high = summary->improvement_ci_high = exp(ratio->high);
    snprintf(row->note, sizeof row->note,
             "evaluation %u; %.3fx baseline, 95 %% [%.3f, %.3f], %u fresh rounds%s",
             standings->evolved->number, row->speedup_vs_baseline, row->ci_low, row->ci_high,
             standings->final->rounds,
             row->ci_low <= 1 ? "; not distinguishable from the baseline" : "");
}

static void set_no_final(const struct bp_standings *standings, struct bp_result_row *row)
{
    if (standings->evolved->number == standings->baseline->number)
        snprintf(row->note, sizeof row->note, "nothing beat the baseline");
    else if (standings->failure)
        snprintf(row->note, sizeof row->note, "the final comparison failed: %s",
                 standings->failure);
    else
        snprintf(row->note, sizeof row->note, "not compared in fresh rounds");
}

void bp_standings_fill(const struct bp_standings *standings, struct bp_run_summary *summary)
{
    const struct bp_match_result *final = standings->final;
    struct bp_result_row *rows = summary->rows;
    summary->row_count = 3;
    set_row(standings, "eager", standings->eager, NULL, &rows[0]);
    set_row(standings, "baseline", standings->baseline, final ? final->median_ms[1] : NULL,
            &rows[1]);
    set_row(standings, "evolved", standings->evolved, NULL, &rows[2]);
    if (final)
        scale_row(&rows[1], exp(final->log_ratio.estimate), &rows[2]);
    compare_rows(rows, summary->row_count);
    rows[2].tuning_time_s = standings->tuning_time_s;
    if (final)
        set_final(standings, summary, &rows[2]);
    else if (rows[2].measured)
        set_no_final(standings, &rows[2]);
}

void bp_standings_mask(const struct bp_suite *suite, char *text, size_t size)
{
    static const char *const names[] = {"full", "causal", "sliding window"};
    bool present[3] = {false};
    size_t used = 0;
    for (uint32_t i = 0; i < suite->timed_count; i++)
        present[suite->timed[i].window ? 2 : suite->timed[i].causal ? 1 : 0] = true;
    text[0] = '\0';
    for (int i = 0; i < 3; i++)
        if (present[i] && used < size)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? " and " : "", names[i]);
}
