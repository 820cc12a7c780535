/* messages.h: every message between supervisor and worker, as plain structs.
 *
 * Encoding is driven by field tables in messages.c: a message is a msgpack map from field name to
 * value. Decoding is strict: a missing, unknown, doubled, mistyped or over-long field is
 * BP_ERR_PROTOCOL. Texts are capped by their array; lists by their declared maximum.
 *
 * Descriptors do not travel here: a request says in its comment which ones the supervisor has sent
 * before it, in order, over the control socket (evaluator/channel.h). */
#ifndef BP_EVALUATOR_MESSAGES_H
#define BP_EVALUATOR_MESSAGES_H

#include <stdint.h>

#include "base/random.h"
#include "evaluator/counters.h"
#include "evaluator/frame.h"
#include "evaluator/gates.h"
#include "evaluator/profile.h"
#include "evaluator/suite.h"
#include "evaluator/verdict.h"

#define BP_TEXT_SHORT 64
#define BP_TEXT_LINE 512
#define BP_TEXT_DIAGNOSTICS 16384
#define BP_COMPILE_COMMAND 4096
#define BP_MAX_DEFINES 64
#define BP_MAX_FILLS BP_SUITE_MAX_CASES

/* Direction R: supervisor to worker. Direction A: worker to supervisor. New ones go to the end: the forged
 * frames of tests and the corpora of fuzzers have their numbers. */
#define BP_MESSAGE_LIST(X)                                                                         \
    X(ready)           /* A, every stage: confined, waiting for the first request */               \
    X(failure)         /* A, every stage: the stage could not do its work; ends the child */       \
    X(compile_request) /* R */                                                                     \
    X(compile_result)  /* A */                                                                     \
    X(arenas_request)  /* R, prepare: where masters and references lie, before all else */         \
    X(arenas_result)   /* A */                                                                     \
    X(make_request)    /* R, prepare: one master input slot and its reference */                   \
    X(make_result)     /* A */                                                                     \
    X(fill_request)    /* R, prepare: inputs of one evaluation or timed batch */                   \
    X(fill_result)     /* A */                                                                     \
    X(run_request)     /* R */                                                                     \
    X(plan_result)     /* A: the object is loaded, every shape has a plan */                       \
    X(cases_request)   /* R: call the kernel once for every case; twice asked */                   \
    X(cases_result)    /* A */                                                                     \
    X(batch_request)   /* R: timed calls */                                                        \
    X(batch_result)    /* A */                                                                     \
    X(judge_request)   /* R */                                                                     \
    X(judge_result)    /* A */                                                                     \
    X(sample_request)  /* R, judge: a row of a timed output */                                     \
    X(sample_result)   /* A */                                                                     \
    X(probe_request)   /* R, probe: a known-good object on a device under suspicion */             \
    X(probe_result)    /* A */                                                                     \
    X(gate_request)    /* R, gate: an instrumented object through the gates */                     \
    X(gate_result)     /* A */                                                                     \
    X(lines_request)   /* R, lines: source lines of code addresses */                              \
    X(lines_result)    /* A */                                                                     \
    X(canary_request)  /* R, canary */                                                             \
    X(canary_result)   /* A */                                                                     \
    X(upload_request)  /* R: inputs and poison of a batch, to a device with memory of its own */   \
    X(upload_result)   /* A */                                                                     \
    X(fetch_request)   /* R: a part of a timed output, from such a device */                       \
    X(fetch_result)    /* A */                                                                     \
    X(device_request)  /* R, probe: what the device is */                                          \
    X(device_result)   /* A */                                                                     \
    X(count_request)   /* R, run: what an emulated device executed in the cases */                 \
    X(count_result)    /* A */

enum bp_message_type {
#define BP_MESSAGE_ENUM(name) BP_MESSAGE_##name,
    BP_MESSAGE_LIST(BP_MESSAGE_ENUM)
#undef BP_MESSAGE_ENUM
        BP_MESSAGE_COUNT
};

struct bp_msg_ready {
    char stage[BP_TEXT_SHORT];
    char sandbox[BP_TEXT_LINE]; /* layers in force, comma separated: "no_new_privs,landlock7,…" */
};

/* The worker's own account of why it stops. The verdict is a claim that the supervisor accepts only
 * within what the stage may say (harness/supervise/outcome.c). */
struct bp_msg_failure {
    uint32_t verdict; /* enum bp_verdict */
    char message[BP_TEXT_LINE];
};

struct bp_define {
    char name[BP_TEXT_SHORT];
    char value[BP_TEXT_SHORT];
};

/* Descriptors: source (sealed), object (empty memfd, writable). */
struct bp_msg_compile_request {
    char device[BP_TEXT_SHORT]; /* as of device_name.h */
    char arch[BP_TEXT_SHORT];   /* "native", "gfx1030", … */
    uint64_t source_bytes;
    uint64_t object_max_bytes;
    uint32_t dtype;
    uint32_t gates;        /* a set of gates.h: instrumented for them, not for speed; 0: neither */
    uint32_t spills_below; /* more spilled registers are RESOURCE_LIMIT, as many too; 0: any */
    uint32_t define_count;
    struct bp_define defines[BP_MAX_DEFINES]; /* knobs */
};

struct bp_msg_compile_result {
    uint32_t verdict; /* PASS, COMPILE_ERROR, COMPILE_LIMIT, COMPILER_CRASH, RESOURCE_LIMIT */
    uint32_t killed;  /* 0, or 1: the tool died of SIGKILL, whoever sent it */
    uint64_t object_bytes;
    char compiler[BP_TEXT_LINE];           /* name and version */
    char command[BP_COMPILE_COMMAND];      /* with every option; cut at its size */
    char message[BP_TEXT_LINE];            /* the first error line, or empty */
    char diagnostics[BP_TEXT_DIAGNOSTICS]; /* cleaned of control bytes, cut at the cap */
    struct bp_profile profile;             /* GPUs: also of an object over its limits */
};

/* Once, before any other request: also to a prepare child that replaces one, which then finds there
 * what the other made. Descriptors: masters arena, references arena (both writable, already of their
 * final size, at least as announced). */
struct bp_msg_arenas_request {
    uint64_t masters_bytes, references_bytes;
};

struct bp_msg_arenas_result {
    uint64_t bytes; /* of both */
};

struct bp_msg_make_request {
    struct bp_shape shape;
    uint32_t family;
    uint32_t dtype;
    uint32_t strictness;
    uint64_t max_rows;
    struct bp_key inputs_key;
    struct bp_key rows_key;
    uint64_t master_offset;    /* of the input slot, in the masters arena */
    uint64_t reference_offset; /* in the references arena */
    uint64_t canary;
};

struct bp_msg_make_result {
    uint64_t rows;
};

/* One run of `slots` consecutive slots. With BP_FILL_INPUTS slot i gets the master's inputs permuted
 * by derive(permutation_key, "slot", i) and guards of canary; with BP_FILL_OUTPUTS output slot i gets
 * guards and a poisoned tensor. BP_FILL_FRESH is for timed slots and knows no master: slot i gets
 * inputs that never were before, of the gauss family, made from derive(permutation_key, "slot", i),
 * and a poisoned output tensor; no guards. With BP_FILL_AGAIN the slot at again_offset, where a
 * second identical call writes, gets guards and the other poison. */
enum {
    BP_FILL_INPUTS = 1,
    BP_FILL_OUTPUTS = 2,
    BP_FILL_FRESH = 4,
    BP_FILL_AGAIN = 8,
    BP_FILL_PARTS = 16
};
struct bp_fill {
    struct bp_shape shape;
    uint32_t dtype;
    uint32_t slots;
    uint32_t parts; /* BP_FILL_INPUTS | BP_FILL_OUTPUTS | BP_FILL_AGAIN, or BP_FILL_FRESH */
    uint64_t master_offset;
    uint64_t input_offset;  /* of slot 0 in the inputs arena; slots are layout.bytes apart */
    uint64_t output_offset; /* of slot 0 in the outputs arena */
    uint64_t again_offset;  /* with BP_FILL_AGAIN, of its one slot there */
    struct bp_key permutation_key;
    uint64_t canary;
};

/* Descriptors: inputs arena, outputs arena (writable). Masters as of the make_requests. */
enum { BP_SCRUB_INPUTS = 1, BP_SCRUB_OUTPUTS = 2, BP_SCRUB_PARTS = 4 };
struct bp_msg_fill_request {
    uint32_t scrub; /* arenas to be zeroed first, all of them: a candidate may have left anything */
    uint32_t fill_count;
    struct bp_fill fills[BP_MAX_FILLS];
};

struct bp_msg_fill_result {
    uint64_t bytes; /* copied */
};

struct bp_run_case {
    struct bp_shape shape;
    uint64_t input_offset; /* in the case inputs arena */
    uint64_t output_offset;
    uint64_t again_offset; /* of the second call's output */
};

struct bp_run_timed {
    struct bp_shape shape;
    uint32_t slots;
    uint64_t input_offset; /* of slot 0 in the ring inputs arena */
    uint64_t output_offset;
};

/* Descriptors: object (sealed), case inputs (writable), case outputs (writable), ring inputs
 * (read-only), ring outputs (writable). */
struct bp_msg_run_request {
    char device[BP_TEXT_SHORT];
    uint32_t dtype;
    uint32_t threads; /* CPU device: pool size */
    uint32_t hold;    /* 1: wait for a debugger before the candidate's first instruction */
    char faults[BP_TEXT_SHORT]; /* as of probe_request */
    uint64_t object_bytes;
    uint64_t workspace_max_bytes;
    uint32_t case_count;
    struct bp_run_case cases[BP_SUITE_MAX_CASES];
    uint32_t timed_count;
    struct bp_run_timed timed[BP_SUITE_MAX_TIMED];
};

/* The plan of one distinct shape, flattened for the record. */
struct bp_plan_record {
    char shape[BP_SHAPE_NAME];
    uint32_t launches;
    uint32_t grid[GQA_MAX_LAUNCHES * 3];
    uint32_t block[GQA_MAX_LAUNCHES * 3];
    uint32_t dynamic_lds[GQA_MAX_LAUNCHES];
    uint64_t workspace_bytes;
};

#define BP_MAX_PLANS (BP_SUITE_MAX_CASES + BP_SUITE_MAX_TIMED)

struct bp_msg_plan_result {
    uint32_t plan_count; /* one a distinct shape name */
    struct bp_plan_record plans[BP_MAX_PLANS];
};

struct bp_msg_cases_request {
    uint32_t first, count; /* of run_request.cases */
    uint32_t again;        /* 1: the second call, to the second outputs, on other poison */
};

struct bp_msg_cases_result {
    uint32_t count;
};

/* Before a batch on such a device: slots of the arenas, as batch_request names them. */
struct bp_msg_upload_request {
    uint32_t timed;
    uint32_t calls;
    uint32_t first_slot;
};

struct bp_msg_upload_result {
    uint32_t calls;
};

struct bp_msg_batch_request {
    uint32_t timed; /* index into run_request.timed */
    uint32_t calls;
    uint32_t first_slot; /* call i uses slot (first_slot + i) % slots */
};

struct bp_msg_batch_result {
    uint32_t calls;
};

/* Behind it: bytes at offset in output slot `slot`, to the same place of the ring outputs arena. */
struct bp_msg_fetch_request {
    uint32_t timed;
    uint32_t slot;
    uint64_t offset, bytes;
};

struct bp_msg_fetch_result {
    uint64_t bytes;
};

struct bp_judge_item {
    struct bp_shape shape;
    uint32_t family;
    uint32_t dtype;
    uint64_t max_rows;
    struct bp_key rows_key;
    struct bp_key permutation_key; /* of the case's fill; the judge derives slot 0's */
    uint64_t canary;
    uint64_t master_offset, reference_offset, input_offset, output_offset, again_offset;
};

/* Descriptors, with the first judge_request or sample_request only: masters, references, case
 * inputs, case outputs, ring inputs, sample (all read-only). */
struct bp_msg_judge_request {
    uint32_t item_count;
    struct bp_judge_item items[BP_SUITE_MAX_CASES];
};

struct bp_case_result {
    char shape[BP_SHAPE_NAME];
    uint32_t family;
    uint32_t verdict;
    double max_ratio, rms_ratio, pooled, alpha;
    uint64_t rows;
};

struct bp_msg_judge_result {
    uint32_t verdict; /* PASS, or of the first case with the gravest: TAMPER, then WRONG_RESULT and
                         NONFINITE, then NONDETERMINISTIC */
    char message[BP_TEXT_LINE];
    uint32_t case_count;
    struct bp_case_result cases[BP_SUITE_MAX_CASES];
};

/* One row of a timed output, copied to the start of the sample arena; the judge computes its
 * reference from the inputs that still stand in the ring. */
struct bp_msg_sample_request {
    struct bp_shape shape;
    uint32_t dtype;
    uint32_t batch, head, token; /* the row */
    uint64_t input_offset;       /* of its slot, in the ring inputs arena */
};

struct bp_msg_sample_result {
    uint32_t verdict; /* PASS, WRONG_RESULT, NONFINITE */
    char message[BP_TEXT_LINE];
};

struct bp_msg_device_request {
    char device[BP_TEXT_SHORT];
    char faults[BP_TEXT_SHORT]; /* as of probe_request */
};

struct bp_msg_device_result {
    char title[BP_TEXT_LINE]; /* a person's name for it */
    char arch[BP_TEXT_SHORT]; /* what is compiled for: "gfx1030" */
    char driver[BP_TEXT_SHORT];
    uint64_t memory_bytes, free_bytes;
};

/* Descriptor: the object of the project's own eager kernel (sealed). */
struct bp_msg_probe_request {
    char device[BP_TEXT_SHORT];
    uint32_t dtype;
    uint32_t threads; /* CPU device: pool size */
    uint64_t object_bytes;
    char faults[BP_TEXT_SHORT]; /* for an emulated GPU to commit (device.h); else empty */
};

struct bp_msg_probe_result {
    uint32_t verdict; /* PASS, or what a candidate with this behaviour would get */
    double max_ratio; /* largest error / bound */
    double launch_ms; /* of both calls */
    char message[BP_TEXT_LINE];
};

/* Descriptors: object (sealed), compiled for `gates`. Inputs are the stage's own: nothing of them is
 * judged, and nothing secret is near. */
#define BP_GATE_MAX_SHAPES 8
struct bp_msg_gate_request {
    uint32_t dtype;
    uint32_t gates;
    uint64_t object_bytes;
    uint64_t workspace_max_bytes;
    double budget_ms; /* of processor time; no further shape is begun after so much */
    uint32_t shape_count;
    struct bp_shape shapes[BP_GATE_MAX_SHAPES];
};

/* One access or wait that a finding is made of. */
struct bp_gate_site {
    char text[BP_TEXT_LINE / 4]; /* "write of 4 bytes to static LDS+64 by thread 3" */
    uint64_t code; /* address of the instruction in the object, before relocation; 0: unknown */
};

#define BP_GATE_SITES 2
/* A finding reads: cause ": " site [" and " site] [", " tail]. */
struct bp_msg_gate_result {
    uint32_t verdict; /* PASS: no objection; RACE, CRASH */
    uint32_t shapes;  /* that were gone through */
    char cause[BP_TEXT_LINE / 2];
    char tail[BP_TEXT_LINE / 4];
    char refusal[BP_TEXT_LINE]; /* of the last shape that the plan refuses, else empty */
    uint32_t site_count;
    struct bp_gate_site sites[BP_GATE_SITES];
};

struct bp_gate_code {
    uint64_t address; /* as in struct bp_gate_site */
};

/* Descriptors: object (sealed). */
struct bp_msg_lines_request {
    uint64_t object_bytes;
    uint32_t code_count;
    struct bp_gate_code codes[BP_GATE_SITES];
};

struct bp_source_line {
    char text[BP_TEXT_SHORT]; /* "kernel.hip:41", empty when it is not known */
};

struct bp_msg_lines_result {
    uint32_t line_count;
    struct bp_source_line lines[BP_GATE_SITES];
};

/* A canary child is confined like the stage of its policy, but for the filter. `act` below
 * BP_CANARY_ACT_COUNT: it puts the filter on, the candidate's too when `candidate` is 1, and commits
 * it; else it looks at the other layers (sandbox/canary.h). */
struct bp_msg_canary_request {
    uint32_t act;
    uint32_t candidate;
    uint32_t root;
    uint64_t namespaces, pid_ns, mnt_ns, net_ns, ipc_ns;
};

struct bp_msg_canary_result {
    uint32_t error;   /* of the act: an errno value, 0 when it succeeded */
    uint32_t missing; /* layers, 1 << enum bp_layer */
    char text[BP_TEXT_LINE];
};

/* Behind both calls of every case. */
struct bp_msg_count_request {
    uint32_t cases; /* of run_request: all of them */
};

struct bp_msg_count_result {
    struct bp_counters counters; /* of the first call of each */
};

/* Packs *message (the struct of this type) as a frame onto out. */
int bp_message_encode(enum bp_message_type type, const void *message, uint32_t sequence,
                      uint64_t nonce, struct bp_buffer *out, struct bp_error *err) BP_MUST_CHECK;

/* Unpacks frame->body into *message, which must have room for the struct of frame->type. Every
 * field is checked; enum-valued fields are checked against their count. */
int bp_message_decode(const struct bp_frame *frame, void *message, struct bp_error *err)
    BP_MUST_CHECK;

/* Bytes of the struct of a type, for allocation. */
size_t bp_message_size(enum bp_message_type type);
const char *bp_message_name(enum bp_message_type type);

#endif
