/* verdict.h: the closed list of verdicts, and of the outcomes a single attempt can have.
 *
 * One X-macro row a verdict: name, blame, retry rule, exit code, meaning. A verdict is what an
 * evaluation ends in; an attempt's outcome uses the same list, and the final verdict follows from
 * attempts and probes. */
#ifndef BP_EVALUATOR_VERDICT_H
#define BP_EVALUATOR_VERDICT_H

#include <stdbool.h>

enum bp_blame { BP_BLAME_NONE, BP_BLAME_CANDIDATE, BP_BLAME_DEVICE, BP_BLAME_HARNESS };

enum bp_retry {
    BP_RETRY_NEVER,       /* deterministic: the candidate would fail again */
    BP_RETRY_AFTER_PROBE, /* suspected device fault: once, after a passing probe */
    BP_RETRY_BACKOFF,     /* harness fault: exponential backoff with full jitter */
};

#define BP_VERDICT_LIST(X)                                                                         \
    X(PASS, NONE, NEVER, 0, "correct on every case")                                               \
    X(INVALID_CONFIG, CANDIDATE, NEVER, 10, "knob values outside the declared space")              \
    X(INVALID_SOURCE, CANDIDATE, NEVER, 10, "source unusable: markers, NUL bytes, size, head")     \
    X(COMPILE_ERROR, CANDIDATE, NEVER, 10, "the compiler rejected the source")                     \
    X(COMPILE_TIMEOUT, CANDIDATE, NEVER, 10, "the compiler did not finish in time")                \
    X(COMPILE_LIMIT, CANDIDATE, NEVER, 10, "the compiler went over its memory, disk or log limit") \
    X(COMPILER_CRASH, CANDIDATE, NEVER, 10, "the compiler died on this source")                    \
    X(RESOURCE_LIMIT, CANDIDATE, NEVER, 10, "LDS, registers, block or workspace over the limit")   \
    X(LAUNCH_ERROR, CANDIDATE, NEVER, 10, "the object or its plan cannot be loaded or launched")   \
    X(UNSUPPORTED, CANDIDATE, NEVER, 10,                                                           \
      "the plan refuses a shape, or an emulated device an instruction")                            \
    X(WRONG_RESULT, CANDIDATE, NEVER, 10, "output outside the error bound")                        \
    X(NONFINITE, CANDIDATE, NEVER, 10, "NaN or infinity in the output")                            \
    X(NONDETERMINISTIC, CANDIDATE, NEVER, 10, "two identical calls gave different bits")           \
    X(RUN_TIMEOUT, CANDIDATE, NEVER, 10, "the kernel did not finish in time")                      \
    X(GPU_FAULT, DEVICE, AFTER_PROBE, 10, "the device reported a memory or execution fault")       \
    X(GPU_HANG, DEVICE, AFTER_PROBE, 10, "the device stopped answering")                           \
    X(CRASH, CANDIDATE, NEVER, 10, "the process running the kernel died of a signal")              \
    X(OOM_HOST, CANDIDATE, NEVER, 10, "host memory limit exceeded")                                \
    X(OOM_DEVICE, CANDIDATE, NEVER, 10, "device memory exhausted")                                 \
    X(POLICY, CANDIDATE, NEVER, 10, "forbidden system call")                                       \
    X(PROTOCOL, CANDIDATE, NEVER, 10, "malformed, oversized or out-of-order frame")                \
    X(TAMPER, CANDIDATE, NEVER, 10, "canary or input changed, stale output, impossible time")      \
    X(RACE, CANDIDATE, NEVER, 10, "data race or divergent barrier")                                \
    X(INFRA, HARNESS, BACKOFF, 20, "harness or device failure; says nothing of the candidate")

enum bp_verdict {
#define BP_VERDICT_ENUM(name, blame, retry, exit_code, meaning) BP_VERDICT_##name,
    BP_VERDICT_LIST(BP_VERDICT_ENUM)
#undef BP_VERDICT_ENUM
        BP_VERDICT_COUNT
};

const char *bp_verdict_name(enum bp_verdict verdict);
bool bp_verdict_parse(const char *name, enum bp_verdict *verdict);
const char *bp_verdict_meaning(enum bp_verdict verdict);
enum bp_blame bp_verdict_blame(enum bp_verdict verdict);
enum bp_retry bp_verdict_retry(enum bp_verdict verdict);
int bp_verdict_exit_code(enum bp_verdict verdict);

/* The stages an attempt goes through, in order. */
#define BP_STAGE_LIST(X) X(validate) X(prepare) X(compile) X(gate) X(run) X(judge) X(time) X(probe)
enum bp_stage {
#define BP_STAGE_ENUM(name) BP_STAGE_##name,
    BP_STAGE_LIST(BP_STAGE_ENUM)
#undef BP_STAGE_ENUM
        BP_STAGE_COUNT
};
const char *bp_stage_name(enum bp_stage stage);
bool bp_stage_parse(const char *name, enum bp_stage *stage);

#endif
