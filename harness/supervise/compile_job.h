/* compile_job.h: one candidate through a compile child: source in, sealed object out. */
#ifndef BP_HARNESS_SUPERVISE_COMPILE_JOB_H
#define BP_HARNESS_SUPERVISE_COMPILE_JOB_H

#include "harness/supervise/bench.h"
#include "harness/supervise/evidence.h"
#include "harness/supervise/object_cache.h"
#include "harness/supervise/spare.h"

struct bp_compile_options {
    struct bp_child_settings children;
    char device[BP_TEXT_SHORT], arch[BP_TEXT_SHORT];
    enum bp_dtype dtype;
    uint32_t gates;        /* to compile for (evaluator/gates.h); 0: for speed */
    uint32_t spills_below; /* as of the request; 0: any number */
    const char *source;    /* borrowed until the job is done */
    size_t source_bytes;
    uint32_t define_count;
    const struct bp_define *defines; /* borrowed until the job is done */
    struct bp_spare *spare;          /* its child is used where there is one; may be null */
    struct bp_object_cache *cache;   /* an object that is in it needs no compiler; may be null */
};

struct bp_compile_job {
    bool working; /* the compiler has been asked */
    bool cached;  /* it had not to be */
    bool done;
    struct bp_outcome outcome; /* PASS when there is an object */
    int object_fd;             /* owned by the job; sealed; -1 without an object */
    uint64_t object_bytes;
    char object_hash[BP_HASH_TEXT];
    char compiler[BP_TEXT_LINE];
    char command[BP_COMPILE_COMMAND];
    struct bp_profile profile;    /* GPUs only */
    char *diagnostics;            /* owned, may be null */
    struct bp_evidence *evidence; /* owned, may be null */
    double compiler_ms;           /* the child's work */
    double total_ms;              /* with its start and end */

    /* the job's own */
    struct bp_compile_options options;
    char key[BP_HASH_TEXT]; /* in the cache */
    struct bp_child *child;
    uint64_t started_ns;
    uint64_t memory_kills; /* of the kernel's, when it started */
    bool answered;
};

/* Starts the child, or asks the spare one; job->done becomes true in the loop, or at once for a cached
 * object. job must not move until then. */
int bp_compile_start(struct bp_compile_job *job, const struct bp_compile_options *options,
                     struct bp_error *err) BP_MUST_CHECK;
void bp_compile_free(struct bp_compile_job *job);

#endif
