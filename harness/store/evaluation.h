/* evaluation.h: all that is known of one evaluation: what `eval --json` prints, what run.db and
 * eval_00042.json keep. Plain data, owned by whoever made it. */
#ifndef BP_HARNESS_STORE_EVALUATION_H
#define BP_HARNESS_STORE_EVALUATION_H

#include <stdbool.h>

#include "evaluator/messages.h"
#include "harness/store/evidence.h"

#define BP_MAX_ATTEMPTS 16

struct bp_attempt {
    enum bp_verdict outcome;
    enum bp_stage stage; /* reached */
    char message[BP_TEXT_LINE];
    double duration_ms;
};

struct bp_timing {
    char shape[BP_SHAPE_NAME];
    double median_ms, ci_low_ms, ci_high_ms; /* per call; interval of the median, 95 % */
    double gflops;      /* useful FLOPs (masked pairs not counted) per second / 1e9 */
    double gflops_full; /* the sources' convention, no causal discount */
    double gbps;        /* q, k, v, o once, per second / 1e9 */
    double roofline;    /* least time of this machine's ceilings / median_ms; 0: not known */
    uint32_t batches, calls_per_batch;
};

/* What the gates did for an evaluation. */
struct bp_gate_note {
    uint32_t gates;  /* asked for (evaluator/gates.h); 0: none, and the rest says nothing */
    uint32_t shapes; /* gone through, forwards and backwards, without a finding */
    char skipped_because[BP_TEXT_LINE]; /* empty when they could be run */
    double compile_ms, run_ms;
};

/* One shape that a candidate had never seen before (evolve/unseen.h). */
struct bp_unseen_shape {
    char shape[BP_SHAPE_NAME];
    enum bp_verdict verdict; /* UNSUPPORTED: its plan refused what its declaration supports */
    enum bp_stage stage;
    char message[BP_TEXT_LINE];
    uint64_t rows; /* judged */
    double max_ratio;
};

#define BP_MAX_UNSEEN 8

struct bp_unseen {
    uint32_t count; /* 0: none was tried */
    struct bp_unseen_shape shapes[BP_MAX_UNSEEN];
};

struct bp_durations {
    double prepare_ms, compile_ms, run_ms, judge_ms, time_ms, overhead_ms, total_ms;
};

struct bp_safety {
    uint32_t command_errors, memory_violations, compilation_errors, resource_errors;
    uint32_t total_errors, retries, fallbacks;
    double safety_score; /* 0 to 100 */
};

enum bp_origin {
    BP_ORIGIN_EVAL,
    BP_ORIGIN_EAGER,
    BP_ORIGIN_BASELINE,
    BP_ORIGIN_SEARCH,
    BP_ORIGIN_COUNT
};

struct bp_evaluation {
    uint32_t number; /* 0 for `eval` */
    enum bp_origin origin;
    char strategy[BP_TEXT_SHORT]; /* that proposed it, empty for eval, eager, baseline */
    uint32_t parent;              /* evaluation it was derived from, 0 = none */

    char kernel_name[BP_TEXT_SHORT]; /* of the head comment */
    char *source;                    /* owned, source_bytes long plus NUL */
    size_t source_bytes;
    char source_hash[BP_HASH_TEXT]; /* of source + knobs + dtype, the identity */
    char object_hash[BP_HASH_TEXT]; /* empty when nothing was compiled */
    enum bp_dtype dtype;
    uint32_t knob_count;
    struct bp_define knobs[BP_MAX_DEFINES];

    char device_name[BP_TEXT_LINE];  /* "AMD EPYC …" */
    char device_kind[BP_TEXT_SHORT]; /* "cpu" */
    char device_arch[BP_TEXT_SHORT];
    char device_driver[BP_TEXT_LINE]; /* compiler or driver version */
    char suite[BP_SHAPE_NAME];
    char sandbox[BP_TEXT_LINE]; /* layers in force in the run child */

    enum bp_verdict verdict;
    enum bp_stage stage; /* where it was decided */
    char message[BP_TEXT_LINE];
    bool has_score;
    double score;          /* geometric mean of baseline / candidate time; 0 when not PASS */
    bool duplicate;        /* answered from the record */
    uint32_t duplicate_of; /* its evaluation number */
    bool promoted;         /* the champion from then on */

    struct bp_gate_note gate; /* of the last attempt */
    uint32_t attempt_count;
    struct bp_attempt attempts[BP_MAX_ATTEMPTS];
    struct bp_profile profile; /* GPUs only */
    bool counted;              /* counters are known: an emulated GPU's only */
    struct bp_counters counters;
    uint32_t plan_count;
    struct bp_plan_record *plans; /* owned */
    uint32_t timing_count;
    struct bp_timing timings[BP_SUITE_MAX_TIMED];
    uint32_t case_count;
    struct bp_case_result *cases; /* owned */
    struct bp_unseen unseen;      /* before it could become the best */
    char *diagnostics;            /* owned, the compiler's text; null when none */
    struct bp_evidence *evidence; /* owned, of the last attempt; null when nothing was attempted */
    struct bp_durations duration;
    struct bp_safety safety;
    int64_t finished_wall_ms;
};

/* An evaluation in short: what a search needs to know of it. Borrowed pointers. */
struct bp_recorded {
    int64_t event; /* number of its event "evaluation"; 0 before it is recorded */
    uint32_t number, parent;
    enum bp_origin origin;
    enum bp_verdict verdict;
    enum bp_stage stage;
    bool has_score;
    double score;
    bool promoted, duplicate;
    uint32_t duplicate_of;
    const char *strategy; /* empty when there was none */
    const char *source_hash, *object_hash;
    const char *device_driver;
    uint32_t knob_count;
    const struct bp_define *knobs; /* [knob_count] */
    struct bp_safety safety;
    double total_ms;
    int64_t finished_wall_ms;
};

/* Heap-allocated and zeroed; null when there is no memory. */
struct bp_evaluation *bp_evaluation_new(void);
void bp_evaluation_free(struct bp_evaluation *evaluation);
/* Deep: shares nothing with the original. Null when there is no memory. */
struct bp_evaluation *bp_evaluation_copy(const struct bp_evaluation *evaluation);

/* The short form, which borrows from the evaluation. */
void bp_evaluation_short(const struct bp_evaluation *evaluation, struct bp_recorded *recorded);

const char *bp_origin_name(enum bp_origin origin); /* "eval", "eager", "baseline", "search" */
bool bp_origin_parse(const char *name, enum bp_origin *origin);

/* Whose failure the verdict is: the verdict's own blame, but the candidate's for a suspected fault of
 * the device that the same candidate repeated after a probe had passed. */
enum bp_blame bp_evaluation_blame(const struct bp_evaluation *evaluation);

/* The failure among unseen shapes: the last one's, if it has any; null when all were passed. */
const struct bp_unseen_shape *bp_unseen_failure(const struct bp_unseen *unseen);

/* The safety block of one evaluation from its attempts' outcomes, and from its verdict where that is
 * not the last one's; docs/results.md has the formula. */
void bp_evaluation_safety(struct bp_evaluation *evaluation);

/* A PASS that did not last: what came after it failed. */
void bp_evaluation_fail(struct bp_evaluation *evaluation, enum bp_verdict verdict,
                        enum bp_stage stage, const char *message);

/* Adds one evaluation's block to the sums of a run, which already hold `before` evaluations; the
 * sums' safety_score is the mean of the evaluations'. Start from zeros. */
void bp_safety_add(struct bp_safety *sums, const struct bp_safety *one, uint32_t before);

#endif
