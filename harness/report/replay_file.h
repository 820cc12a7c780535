/* replay_file.h: replay.json, what it takes to evaluate a saved candidate again with the same inputs.
 *
 * Written by us, but read from bundles that may come from anywhere: reading is strict, and what it
 * says of settings still goes through the config's own checks. */
#ifndef BP_HARNESS_REPORT_REPLAY_FILE_H
#define BP_HARNESS_REPORT_REPLAY_FILE_H

#include <jansson.h>

#include "harness/store/evaluation.h"

#define BP_REPLAY_SCHEMA 1
#define BP_REPLAY_MAX_BYTES (1u << 20)

/* The same for every evaluation of a session. */
struct bp_replay_setting {
    char version[BP_TEXT_SHORT];      /* of bulletproof */
    char worker_sha256[BP_HASH_TEXT]; /* of bulletproof-worker, which makes the inputs */
    char cpu[BP_TEXT_LINE];           /* host facts from here on */
    char kernel[BP_TEXT_LINE];        /* release of the operating system's */
    uint64_t processors, cache_bytes, memory_bytes;
    char device[BP_TEXT_SHORT], arch[BP_TEXT_SHORT];
    uint64_t ring_bytes;
    uint32_t lanes;
    char *config;            /* owned JSON object, every setting by its key in a config */
    char *config_with_space; /* owned; for candidates outside of it */
};

/* Frees the texts; safe on a zeroed struct, may be repeated. */
void bp_replay_setting_free(struct bp_replay_setting *setting);

struct bp_replay {
    struct bp_replay_setting setting; /* config_with_space is null: config is the one that counts */
    uint32_t number;
    char kernel_name[BP_TEXT_SHORT];
    enum bp_verdict verdict;
    enum bp_stage stage;
    char message[BP_TEXT_LINE];
    char object_sha256[BP_HASH_TEXT]; /* empty: nothing was compiled */
    char compiler[BP_TEXT_LINE];
    uint32_t knob_count;
    struct bp_define knobs[BP_MAX_DEFINES];
    bool has_position; /* false: nothing was attempted */
    struct bp_secret_position position;
    bool in_unseen; /* it failed on an unseen shape, after a PASS */
    bool in_match;
    struct bp_secret_position match;
    bool in_final; /* the shape, or the match, was of the final comparison */
};

/* New reference; null when there is no memory. */
json_t *bp_replay_json(const struct bp_replay_setting *setting,
                       const struct bp_evaluation *evaluation);

/* Reads size bytes. BP_ERR_USAGE says what is wrong with them; on failure nothing needs freeing.
 * Else free replay->setting. */
int bp_replay_parse(const char *text, size_t size, struct bp_replay *replay, struct bp_error *err)
    BP_MUST_CHECK;

#endif
