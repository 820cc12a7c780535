/* pairs N KERNEL: N pairs of a candidate that fails and one that is right, in one session, the right one
 * always after the other: no failure may be attributed to it. KERNEL is the mixture, whose knob MODE
 * selects how it fails. Prints the counts; exit status 0 when every verdict is as expected. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "harness/evolve/identity.h"
#include "harness/evolve/session.h"

#define RIGHT 1 /* the MODE that passes */

static const struct {
    int64_t mode;
    enum bp_verdict verdict;
} wrong[] = {
    {3, BP_VERDICT_WRONG_RESULT},  {4, BP_VERDICT_NONFINITE},       {5, BP_VERDICT_TAMPER},
    {6, BP_VERDICT_CRASH},         {7, BP_VERDICT_RUN_TIMEOUT},     {8, BP_VERDICT_POLICY},
    {9, BP_VERDICT_PROTOCOL},      {10, BP_VERDICT_PROTOCOL},       {11, BP_VERDICT_COMPILE_ERROR},
    {12, BP_VERDICT_LAUNCH_ERROR}, {13, BP_VERDICT_RESOURCE_LIMIT}, {14, BP_VERDICT_UNSUPPORTED},
    {15, BP_VERDICT_RACE},         {16, BP_VERDICT_CRASH},
};
#define KINDS (sizeof wrong / sizeof *wrong)

struct counts {
    uint32_t as_expected, passed, retried, probes, failed_probes;
    uint32_t verdicts[BP_VERDICT_COUNT];
    double probe_ms;
};

static void probed(void *context, const struct bp_probe_record *probe)
{
    struct counts *counts = context;
    counts->probes++;
    counts->failed_probes += !probe->passed;
    counts->probe_ms += probe->ms;
}

static void waiting(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static int load(const char *path, struct bp_config *config, struct bp_error *err)
{
    bp_config_defaults(config);
    snprintf(config->dtype, sizeof config->dtype, "f16");
    snprintf(config->suite, sizeof config->suite, "odd_17");
    config->parallel = 2;
    config->timing.ring_mb = 1;
    config->timing.batch_ms = 1;
    config->limits.run_s = 2;
    return bp_config_read_kernel(path, config, err);
}

static int make(const struct bp_session *session, int64_t mode, struct bp_candidate *candidate,
                struct bp_error *err)
{
    const struct bp_config *config = session->config;
    const char *const names[] = {"MODE"};
    struct bp_point point;
    *candidate = (struct bp_candidate){.evaluation = bp_evaluation_new(), .object_fd = -1};
    if (!candidate->evaluation)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an evaluation");
    if (bp_space_point(&config->head.space, 1, names, &mode, &point, err) < 0 ||
        bp_identity_set(candidate->evaluation, config->source, config->source_bytes,
                        &config->head.space, &point, session->dtype, err) < 0)
        return -1;
    bp_session_describe(session, candidate->evaluation);
    return 0;
}

static void count(uint32_t pair, const struct bp_evaluation *bad, const struct bp_evaluation *good,
                  struct counts *counts)
{
    enum bp_verdict expected = wrong[pair % KINDS].verdict;
    counts->verdicts[bad->verdict]++;
    counts->as_expected += bad->verdict == expected;
    counts->passed += good->verdict == BP_VERDICT_PASS;
    counts->retried += bad->attempt_count + good->attempt_count - 2;
    if (bad->verdict != expected)
        printf("pair %u: %s where %s was expected: %s\n", pair + 1, bp_verdict_name(bad->verdict),
               bp_verdict_name(expected), bad->message);
    if (good->verdict != BP_VERDICT_PASS)
        printf("pair %u: after %s the right one had %s: %s\n", pair + 1,
               bp_verdict_name(bad->verdict), bp_verdict_name(good->verdict), good->message);
}

static int play(struct bp_session *session, uint32_t pair, struct counts *counts,
                struct bp_error *err)
{
    struct bp_candidate batch[2] = {{.object_fd = -1}, {.object_fd = -1}};
    int result = make(session, wrong[pair % KINDS].mode, &batch[0], err);
    if (result == 0)
        result = make(session, RIGHT, &batch[1], err);
    if (result == 0)
        result = bp_session_evaluate(session, batch, 2, err);
    if (result == 0)
        count(pair, batch[0].evaluation, batch[1].evaluation, counts);
    for (int i = 0; i < 2; i++) {
        bp_evaluation_free(batch[i].evaluation);
        bp_close_fd(&batch[i].object_fd);
    }
    return result;
}

static void print(uint32_t pairs, const struct counts *counts, double elapsed_s)
{
    printf("%u of %u right ones PASS; %u of %u wrong ones as expected:", counts->passed, pairs,
           counts->as_expected, pairs);
    for (int i = 0; i < BP_VERDICT_COUNT; i++)
        if (counts->verdicts[i] > 0)
            printf(" %s %u", bp_verdict_name((enum bp_verdict)i), counts->verdicts[i]);
    printf("\n%u retries, %u probes (%u failed), %.2f ms a probe, %.0f s\n", counts->retried,
           counts->probes, counts->failed_probes,
           counts->probes ? counts->probe_ms / counts->probes : 0, elapsed_s);
}

static int run(const char *kernel, uint32_t pairs, struct bp_session *session,
               struct bp_config *config, struct counts *counts, struct bp_error *err)
{
    struct bp_session_callbacks callbacks = {
        .probed = probed, .waiting = waiting, .context = counts};
    struct bp_key key;
    bp_key_random(&key);
    if (load(kernel, config, err) < 0 || bp_session_init(session, config, &callbacks, err) < 0 ||
        bp_session_open(session, &key, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t pair = 0; pair < pairs && result == 0; pair++)
        result = play(session, pair, counts, err);
    bp_session_close(session);
    return result;
}

int main(int argc, char **argv)
{
    struct bp_error err;
    struct counts counts = {0};
    struct bp_session *session = calloc(1, sizeof *session);
    struct bp_config *config = calloc(1, sizeof *config);
    uint32_t pairs = argc == 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    if (pairs == 0 || !session || !config) {
        fprintf(stderr, "usage: pairs N KERNEL\n");
        return 2;
    }
    bp_log_set_level(BP_LOG_ERROR);
    uint64_t started_ns = bp_clock_ns();
    int result = run(argv[2], pairs, session, config, &counts, &err);
    if (result < 0)
        fprintf(stderr, "pairs: %s\n", err.msg);
    print(pairs, &counts, bp_ns_to_ms(bp_clock_ns() - started_ns) / 1e3);
    bp_config_free(config);
    free(config);
    free(session);
    return result < 0 || counts.passed != pairs || counts.as_expected != pairs;
}
