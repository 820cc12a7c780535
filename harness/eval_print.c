#include "harness/eval_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "evaluator/device_name.h"

static void print_gate(const struct bp_gate_note *gate)
{
    if (gate->gates == 0)
        return;
    if (gate->skipped_because[0])
        printf("  gates: skipped, %s\n", gate->skipped_because);
    else
        printf("  gates: %u shape%s without a finding, compile %.0f ms, run %.0f ms\n",
               gate->shapes, gate->shapes == 1 ? "" : "s", gate->compile_ms, gate->run_ms);
}

static void print_unseen(const struct bp_unseen *unseen)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < unseen->count; i++)
        right += unseen->shapes[i].verdict == BP_VERDICT_PASS;
    if (unseen->count > 0)
        printf("  unseen shapes: %u tried, %u right\n", unseen->count, right);
}

static bool is_emulated(const struct bp_evaluation *evaluation)
{
    struct bp_device_name name;
    struct bp_error no_device; /* it was refused before one was chosen */
    return bp_device_name_parse(evaluation->device_kind, &name, &no_device) == 0 &&
           name.kind == BP_DEVICE_KIND_EMULATED;
}

static void print_counters(const struct bp_evaluation *evaluation)
{
    if (!evaluation->counted)
        return;
    printf("  wave-instructions of the judged calls:");
#define PRINT(name) printf(" " #name " %" PRIu64, evaluation->counters.name);
    BP_COUNTER_LIST(PRINT)
#undef PRINT
    putchar('\n');
}

void bp_eval_print(const struct bp_evaluation *evaluation)
{
    printf("%s  %s", bp_verdict_name(evaluation->verdict), evaluation->kernel_name);
    if (evaluation->device_name[0])
        printf(" (%s, %s, suite %s)\n", bp_dtype_name(evaluation->dtype), evaluation->device_name,
               evaluation->suite);
    else /* --compile-only */
        printf(" (%s)\n", bp_dtype_name(evaluation->dtype));
    if (evaluation->verdict != BP_VERDICT_PASS)
        printf("  stage %s: %s\n", bp_stage_name(evaluation->stage), evaluation->message);
    if (evaluation->stage != BP_STAGE_gate)
        print_gate(&evaluation->gate);
    double worst = 0;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < evaluation->case_count; i++) {
        worst = evaluation->cases[i].max_ratio > worst ? evaluation->cases[i].max_ratio : worst;
        rows += evaluation->cases[i].rows;
    }
    if (evaluation->case_count > 0)
        printf("  judged: %u cases, %" PRIu64 " rows, largest error %.2f of its bound\n",
               evaluation->case_count, rows, worst);
    print_unseen(&evaluation->unseen);
    print_counters(evaluation);
    if (evaluation->timing_count > 0 && is_emulated(evaluation))
        printf("  emulated: times mean nothing\n");
    for (uint32_t i = 0; i < evaluation->timing_count; i++) {
        const struct bp_timing *timing = &evaluation->timings[i];
        printf("  %-28s %10.4g ms [%.4g, %.4g]  %8.1f GFLOP/s  %7.2f GB/s\n", timing->shape,
               timing->median_ms, timing->ci_low_ms, timing->ci_high_ms, timing->gflops,
               timing->gbps);
    }
    const struct bp_durations *spent = &evaluation->duration;
    printf("  compile %.0f ms, run %.0f ms, judge %.0f ms, timing %.0f ms, making inputs %.0f ms, "
           "harness %.1f ms\n",
           spent->compile_ms, spent->run_ms, spent->judge_ms, spent->time_ms, spent->prepare_ms,
           spent->overhead_ms);
}
