#include "harness/report/status_block.h"

#include "harness/report/safety.h"

#define MIB 1048576.0

static int add_verdicts(const struct bp_progress_state *state, struct bp_buffer *out,
                        struct bp_error *err)
{
    if (bp_buffer_printf(out, err, "  evaluations  %u", state->done) < 0 ||
        (state->total > 0 && bp_buffer_printf(out, err, " of %u", state->total) < 0))
        return -1;
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (state->verdicts[i] > 0 &&
            bp_buffer_printf(out, err, "  %s %u", bp_verdict_name((enum bp_verdict)i),
                             state->verdicts[i]) < 0)
            return -1;
    return bp_buffer_printf(out, err, "  (%u duplicates)\n", state->duplicates);
}

static int add_best(const struct bp_progress_state *state, struct bp_buffer *out,
                    struct bp_error *err)
{
    if (state->best <= 0)
        return bp_buffer_printf(out, err, "  best         none yet\n");
    return bp_buffer_printf(out, err, "  best         %.3fx (#%u)\n", state->best,
                            state->best_number);
}

static int add_time(const struct bp_status_block *block, struct bp_buffer *out,
                    struct bp_error *err)
{
    if (bp_buffer_printf(out, err, "  elapsed      %.0f s", block->elapsed_s) < 0)
        return -1;
    if (block->eta_s < 0)
        return bp_buffer_printf(out, err, "\n");
    return bp_buffer_printf(out, err, ", ETA %.0f s\n", block->eta_s);
}

int bp_status_block_text(const struct bp_status_block *block, struct bp_buffer *out,
                         struct bp_error *err)
{
    char safety[BP_SAFETY_LINE];
    bp_safety_line(block->safety, block->progress.done, safety);
    if (bp_buffer_printf(out, err, "  run          %s\n  now          %s\n", block->dir,
                         block->activity) < 0 ||
        add_verdicts(&block->progress, out, err) < 0 || add_best(&block->progress, out, err) < 0 ||
        add_time(block, out, err) < 0)
        return -1;
    return bp_buffer_printf(out, err,
                            "  device       %s\n"
                            "  safety       %s\n"
                            "  process      %.1f MiB resident, %u descriptors, %u children\n"
                            "  record       %s; %.0f MiB of disk free\n",
                            block->device, safety, (double)block->resident_bytes / MIB,
                            block->descriptors, block->children,
                            block->writing ? "being written" : "written",
                            (double)block->disk_free_bytes / MIB);
}
