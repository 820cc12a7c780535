/* config.h: a run's configuration (YAML, strict), with every default filled in. */
#ifndef BP_HARNESS_CONFIG_CONFIG_H
#define BP_HARNESS_CONFIG_CONFIG_H

#include <stdio.h>

#include "evaluator/device_list.h"
#include "harness/config/kernel_head.h"

struct bp_config {
    char kernel[4096]; /* path of the source; relative to the config file's directory */
    char dtype[16];    /* "f16", "bf16", "f32" */
    char device[BP_DEVICE_LIST_TEXT]; /* "auto", or as of device_list.h; `devices` comes here too */
    char suite[64];
    char strategy[64]; /* strategy.name */
    char output[4096]; /* parent of the run directories; relative to the working directory */
    uint64_t seed;

    struct {
        uint32_t evaluations;
        double seconds; /* 0 = no limit */
    } budget;

    struct {
        double batch_ms; /* a timed batch lasts this long, or one walk of the ring */
        uint32_t warmup_batches;
        uint32_t batches;      /* timed batches a shape in the first measurement */
        uint32_t match_rounds; /* candidate against incumbent */
        uint32_t final_rounds; /* best against baseline at the end */
        uint32_t ring_mb;      /* 0 = twice the last-level cache */
    } timing;

    struct {
        double base_ms, factor, cap_ms;
        uint32_t attempts;
    } retry;

    struct {
        double probe_s;                  /* deadline of a probe */
        double pause_ms, factor, cap_ms; /* between probes that fail */
    } health;

    struct {
        double compile_s, gate_s, run_s, time_s, judge_s, prepare_s;
        uint32_t memory_mb, workspace_mb, log_kb;
        uint32_t spills;       /* vector registers that a GPU kernel may spill */
        uint32_t disk_free_mb; /* of the run directory's file system; 0 = not looked at */
        uint32_t failures_mb, failures_kept;
    } limits;

    struct {
        uint32_t size_mb; /* of log.txt before it becomes log.txt.1 */
        uint32_t kept;
    } log;

    uint32_t sandbox_require; /* sandbox.require: 1 << enum bp_layer of sandbox/canary.h */
    bool allow_degraded;      /* --allow-degraded: start although the sandbox has a hole */

    uint32_t gates;    /* a set of evaluator/gates.h that candidates pass before they run */
    uint32_t threads;  /* CPU device; 0 = every processor this process may use */
    uint32_t parallel; /* compiles at once; 0 = every processor */

    /* The space after the config's overrides (`space: {knobs, constraints}`) and the baseline
     * (`baseline: {BM: 64}`: the head's default with these values put in). head.default_point is
     * the baseline too: the kernel's own default may lie outside an overridden space. */
    struct bp_kernel_head head;
    struct bp_point baseline;
    char *source; /* owned: the kernel's text */
    size_t source_bytes;
    char *text; /* owned: the config file as read, for config.yaml in the run directory */
};

/* A config of size bytes; path is its file, for messages and for what `kernel` is relative to.
 * source is the kernel's text, or null to read it from the file `kernel` names. On success every
 * field is set; on failure nothing needs freeing, and bp_config_free does no harm. BP_ERR_USAGE:
 * "file:line: unknown key 'evalutions' in 'budget'; did you mean 'evaluations'? (valid: …)". */
int bp_config_parse(const char *path, const char *text, size_t size, const char *source,
                    size_t source_bytes, struct bp_config *config, struct bp_error *err)
    BP_MUST_CHECK;
/* The same from a file and the kernel it names. */
int bp_config_load(const char *path, struct bp_config *config, struct bp_error *err) BP_MUST_CHECK;
/* Defaults only, for `eval`: no kernel, no space, nothing to free. */
void bp_config_defaults(struct bp_config *config);
/* The kernel at path with its own space and defaults, into a config that has none yet. BP_ERR_SOURCE: the
 * file can be read and is no kernel. */
int bp_config_read_kernel(const char *path, struct bp_config *config, struct bp_error *err)
    BP_MUST_CHECK;
void bp_config_free(struct bp_config *config);

/* The reference page (markdown) from the schema table. */
void bp_config_print_reference(FILE *out);

#endif
