#include "harness/eval_targets.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/exit_codes.h"
#include "harness/output.h"
#include "harness/store/json_parts.h"

/* ---- text ---- */

static void print_kernel(const struct bp_profile_kernel *kernel)
{
    printf("  %-12s %5u %5u %5u %7u %9u %8u", kernel->name, kernel->vgpr, kernel->agpr,
           kernel->sgpr, kernel->spills, kernel->lds_bytes, kernel->scratch_bytes);
    printf("   %2u of %2u", kernel->occupancy, kernel->occupancy_max);
    for (int i = 0; i < BP_MIX_COUNT && kernel->has_mix; i++)
        printf(" %6u", kernel->mix[i]);
    printf("%s\n", kernel->has_mix ? "" : "      -");
}

static void print_header(void)
{
    printf("  %-12s %5s %5s %5s %7s %9s %8s   %-8s", "kernel", "vgpr", "agpr", "sgpr", "spills",
           "lds", "scratch", "waves");
    for (int i = 0; i < BP_MIX_COUNT; i++)
        printf(" %6s", bp_mix_name((enum bp_mix)i));
    printf("\n");
}

static void print_target(const struct bp_target_compile *target)
{
    const struct bp_compile_job *job = &target->job;
    printf("%s  %s  %s, %.0f ms\n", bp_verdict_name(job->outcome.verdict), target->arch->name,
           job->compiler[0] ? job->compiler : "no compiler", job->compiler_ms);
    if (job->outcome.verdict != BP_VERDICT_PASS)
        printf("  stage compile: %s\n", job->outcome.message);
    if (job->profile.kernel_count > 0)
        print_header();
    for (uint32_t i = 0; i < job->profile.kernel_count; i++)
        print_kernel(&job->profile.kernels[i]);
}

/* ---- JSON ---- */

static json_t *target_json(const struct bp_target_compile *target)
{
    const struct bp_compile_job *job = &target->job;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "target", target->arch->name,
        "verdict", bp_verdict_name(job->outcome.verdict), "message",
        bp_json_text(job->outcome.message), "compiler", bp_json_text_or_null(job->compiler),
        "command", bp_json_text_or_null(job->command), "object_hash",
        bp_json_text_or_null(job->object_hash), "object_bytes", (json_int_t)job->object_bytes,
        "compile_ms", bp_json_real(job->compiler_ms), "profile", bp_json_profile(&job->profile),
        "diagnostics", bp_json_text_or_null(job->diagnostics));
}

static int print_all_json(const struct bp_evaluation *candidate, const struct bp_targets *targets,
                          struct bp_error *err)
{
    json_t *rows = json_array();
    for (uint32_t i = 0; rows && i < targets->count; i++)
        if (json_array_append_new(rows, target_json(&targets->list[i])) < 0) {
            json_decref(rows);
            rows = NULL;
        }
    return bp_print_json(
        json_pack("{s:o, s:s, s:o, s:o, s:o}", "kernel", bp_json_text(candidate->kernel_name),
                  "dtype", bp_dtype_name(candidate->dtype), "knobs", bp_json_knobs(candidate),
                  "source_hash", bp_json_text_or_null(candidate->source_hash), "targets", rows),
        err);
}

/* ---- the verb ---- */

static int status_of(const struct bp_targets *targets)
{
    int status = BP_EXIT_OK;
    for (uint32_t i = 0; i < targets->count; i++) {
        int one = bp_verdict_exit_code(targets->list[i].job.outcome.verdict);
        status = one > status ? one : status;
    }
    return status;
}

static int run(const struct bp_config *config, const struct bp_evaluation *candidate,
               const char *names, bool json, struct bp_targets *targets, struct bp_error *err)
{
    if (bp_targets_parse(names, &config->head, targets, err) < 0 ||
        bp_targets_compile(config, candidate, targets, err) < 0)
        return -1;
    if (json && print_all_json(candidate, targets, err) < 0)
        return -1;
    for (uint32_t i = 0; !json && i < targets->count; i++)
        print_target(&targets->list[i]);
    return status_of(targets);
}

int bp_eval_targets(const struct bp_config *config, const struct bp_evaluation *candidate,
                    const char *names, bool json, struct bp_error *err)
{
    struct bp_targets *targets = calloc(1, sizeof *targets);
    if (!targets)
        return bp_fail(err, BP_ERR_MEMORY, "no memory");
    int status = run(config, candidate, names, json, targets, err);
    bp_targets_free(targets);
    return status;
}
