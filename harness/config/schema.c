#include "harness/config/schema.h"

#include <stdio.h>
#include <string.h>

#include "evaluator/gates.h"
#include "evaluator/statistics.h"
#include "evaluator/suite.h"
#include "harness/config/choices.h"
#include "harness/search/strategy.h"
#include "sandbox/canary.h"

#define MAX_KEYS 64 /* of one section, for messages */

static void dtype_choices(const char *names[BP_SETTING_CHOICES])
{
    for (int i = 0; i < BP_DTYPE_COUNT; i++)
        names[i] = bp_dtype_name((enum bp_dtype)i);
    names[BP_DTYPE_COUNT] = NULL;
}

static void suite_choices(const char *names[BP_SETTING_CHOICES])
{
    static const char *const suites[] = {"quick", "full", "tiny", "bench"};
    int count = 0;
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        names[count++] = suites[i];
    for (int i = 0; bp_suite_shape_names()[i] && count < BP_SETTING_CHOICES - 1; i++)
        names[count++] = bp_suite_shape_names()[i];
    names[count] = NULL;
}

static void strategy_choices(const char *names[BP_SETTING_CHOICES])
{
    int count = 0;
    for (; bp_strategies()[count] && count < BP_SETTING_CHOICES - 1; count++)
        names[count] = bp_strategies()[count]->name;
    names[count] = NULL;
}

static void gate_choices(const char *names[BP_SETTING_CHOICES])
{
    for (int i = 0; i < BP_GATE_COUNT; i++)
        names[i] = bp_gate_name((enum bp_gate)i);
    names[BP_GATE_COUNT] = "all";
    names[BP_GATE_COUNT + 1] = NULL;
}

static void layer_choices(const char *names[BP_SETTING_CHOICES])
{
    for (int i = 0; i < BP_LAYER_COUNT; i++)
        names[i] = bp_layer_name((enum bp_layer)i);
    names[BP_LAYER_COUNT] = NULL;
}

/* What is wrong with a list check_devices of config.c says better. */
static bool valid_device(const char *text)
{
    struct bp_device_name name;
    struct bp_error ignored;
    return strcmp(text, "auto") == 0 || strchr(text, ',') ||
           bp_device_name_parse(text, &name, &ignored) == 0;
}

#define FIELD(member)                                                                              \
    .offset = offsetof(struct bp_config, member), .size = sizeof((struct bp_config *)0)->member
#define NUMBER(kind, member, low, high, units, standard)                                           \
    .type = BP_SETTING_##kind, FIELD(member), .min = low, .max = high, .unit = units,              \
    .fallback = standard
#define TEXT(member, standard) .type = BP_SETTING_TEXT, FIELD(member), .fallback = standard

const struct bp_section bp_sections[] = {
    {"", NULL},
    {"space", "What the config changes in the space that the kernel declares."},
    {"strategy", "How the next configs are chosen."},
    {"budget", "What ends the run, whichever comes first."},
    {"timing", "How candidates are timed."},
    {"retry",
     "How failures of the harness or the device are retried: after a random wait between\n"
     "0 and min(cap_ms, base_ms × factor^n). A candidate's own failures are never retried;\n"
     "a suspected fault of a GPU is once, right after a probe that passed."},
    {"health",
     "After a fault or a hang nothing runs on a device before a probe has passed: a kernel\n"
     "known to be good, with a known answer. When probes fail the run waits and probes again,\n"
     "after min(cap_ms, pause_ms × factor^n)."},
    {"limits", "What one candidate may use, and a run of the disk."},
    {"sandbox", "What must hold candidates, beside the layers that are mandatory everywhere "
                "(docs/sandbox.md)."},
    {"log", "The harness's own log, log.txt in the run directory; it starts anew on SIGHUP too."},
    {NULL, NULL},
};

const struct bp_setting bp_settings[] = {
    {"", "kernel", TEXT(kernel, NULL),
     .doc = "the kernel's source, relative to this file's directory"},
    {"", "baseline", .type = BP_SETTING_VALUES, .fallback = "{}",
     .doc = "knob values that scores are relative to; those not named have the kernel's default"},
    {"", "dtype", TEXT(dtype, "f16"), .choices = dtype_choices,
     .doc = "element type of q, k, v and o; one that the kernel declares"},
    {"", "device", TEXT(device, "auto"), .valid = valid_device,
     .forms = "auto, cpu, hip:N, cuda:N, emu:ARCH, emu:ARCH:N",
     .doc =
         "where candidates run; auto is the first of hip:0, cuda:0 and cpu that answers and that "
         "the kernel declares as a target; several, separated by commas, are as in `devices`"},
    {"", "devices", .type = BP_SETTING_TEXTS, FIELD(device), .fallback = "[]",
     .valid = valid_device, .forms = "as `device`, at most 16 of one kind and architecture",
     .doc = "in place of `device`: candidates take turns on those that are healthy "
            "(docs/operations.md)"},
    {"", "suite", TEXT(suite, "quick"), .choices = suite_choices,
     .forms = "quick, full, tiny, bench, or the name of one shape",
     .doc = "the shapes that are judged and timed"},
    {"", "output", TEXT(output, "runs"),
     .doc = "directory in which the run's directory is made, relative to the working directory"},
    {"", "seed", NUMBER(U64, seed, 0, 0x1p64, "", "0"),
     .doc = "of the search's random decisions only: inputs and timing order stay secret"},
    {"", "gates", .type = BP_SETTING_WORDS, FIELD(gates), .fallback = "[]", .choices = gate_choices,
     .noun = "gate", .word = bp_gates_word,
     .doc = "what candidates are searched for on the CPU before they run (docs/gates.md)"},
    {"", "threads", NUMBER(U32, threads, 0, 4096, "", "0"),
     .doc = "threads a kernel runs on, CPU device; 0: every processor this process may use"},
    {"", "parallel", NUMBER(U32, parallel, 0, 4096, "", "0"),
     .doc = "compiles at once; 0: every processor this process may use"},

    {"space", "knobs", .type = BP_SETTING_KNOBS, .fallback = "{}",
     .doc = "knob: list of integers, in place of the list the kernel declares"},
    {"space", "constraints", .type = BP_SETTING_EXPRESSIONS, .fallback = "[]",
     .doc = "expressions over knobs that must hold, beside the kernel's own"},

    {"strategy", "name", TEXT(strategy, "local"), .choices = strategy_choices, .doc = "the search"},

    {"budget", "evaluations", NUMBER(U32, budget.evaluations, 1, 10000000, "", "200"),
     .doc = "candidates evaluated"},
    {"budget", "seconds", NUMBER(REAL, budget.seconds, 0, 31536000, "s", "0"),
     .doc = "wall time; 0: no limit"},

    {"timing", "batch_ms", NUMBER(REAL, timing.batch_ms, 1, 10000, "ms", "10"),
     .doc = "duration of a timed batch of calls; less where the ring ends before"},
    {"timing", "warmup_batches", NUMBER(U32, timing.warmup_batches, 0, 1000, "", "1"),
     .doc = "batches before the first that counts"},
    {"timing", "batches", NUMBER(U32, timing.batches, 1, BP_STATISTICS_MAX, "", "5"),
     .doc = "timed batches a shape in a candidate's first measurement"},
    {"timing", "match_rounds", NUMBER(U32, timing.match_rounds, 4, BP_STATISTICS_MAX, "", "12"),
     .doc = "most rounds of a match of candidate against incumbent"},
    {"timing", "final_rounds", NUMBER(U32, timing.final_rounds, 2, BP_STATISTICS_MAX, "", "30"),
     .doc = "rounds of the best against the baseline at the end"},
    {"timing", "ring_mb", NUMBER(U32, timing.ring_mb, 0, 65536, "MiB", "0"),
     .doc = "inputs that timed calls walk through; 0: twice the last-level cache"},

    {"retry", "base_ms", NUMBER(REAL, retry.base_ms, 0, 60000, "ms", "200"),
     .doc = "longest wait before the first retry"},
    {"retry", "factor", NUMBER(REAL, retry.factor, 1, 10, "", "2"),
     .doc = "growth of the longest wait from one retry to the next"},
    {"retry", "cap_ms", NUMBER(REAL, retry.cap_ms, 0, 600000, "ms", "10000"),
     .doc = "longest wait"},
    {"retry", "attempts", NUMBER(U32, retry.attempts, 1, 16, "", "3"),
     .doc = "attempts in all; 1: no retry"},

    {"health", "probe_s", NUMBER(REAL, health.probe_s, 0.1, 3600, "s", "30"),
     .doc = "deadline of a probe"},
    {"health", "pause_ms", NUMBER(REAL, health.pause_ms, 1, 600000, "ms", "1000"),
     .doc = "wait after the first probe that failed"},
    {"health", "factor", NUMBER(REAL, health.factor, 1, 10, "", "2"),
     .doc = "growth of the wait from one failed probe to the next"},
    {"health", "cap_ms", NUMBER(REAL, health.cap_ms, 1, 86400000, "ms", "300000"),
     .doc = "longest wait"},

    {"limits", "compile_s", NUMBER(REAL, limits.compile_s, 0.1, 3600, "s", "30"),
     .doc = "deadline of a compile"},
    {"limits", "gate_s", NUMBER(REAL, limits.gate_s, 0.1, 3600, "s", "10"),
     .doc = "deadline of the gates' run; without an answer by then they are skipped"},
    {"limits", "run_s", NUMBER(REAL, limits.run_s, 0.1, 3600, "s", "30"),
     .doc = "deadline of a run"},
    {"limits", "time_s", NUMBER(REAL, limits.time_s, 0.1, 86400, "s", "120"),
     .doc = "all timed calls of a candidate together; in a match as much a round as here a batch"},
    {"limits", "judge_s", NUMBER(REAL, limits.judge_s, 0.1, 3600, "s", "60"),
     .doc = "deadline of a judgement"},
    {"limits", "prepare_s", NUMBER(REAL, limits.prepare_s, 0.1, 3600, "s", "120"),
     .doc = "deadline for making one shape's inputs and references"},
    {"limits", "memory_mb", NUMBER(U32, limits.memory_mb, 64, 1048576, "MiB", "4096"),
     .doc = "host memory of a child"},
    {"limits", "workspace_mb", NUMBER(U32, limits.workspace_mb, 0, 1048576, "MiB", "1024"),
     .doc = "workspace a plan may ask for"},
    {"limits", "spills", NUMBER(U32, limits.spills, 0, 1000000, "", "1000000"),
     .doc = "vector registers that a kernel on a GPU may spill (NVIDIA: words of 4 bytes); with "
            "more it is "
            "not run"},
    {"limits", "log_kb", NUMBER(U32, limits.log_kb, 1, 65536, "KiB", "64"),
     .doc = "output kept of a child"},
    {"limits", "disk_free_mb", NUMBER(U32, limits.disk_free_mb, 0, 1073741824, "MiB", "512"),
     .doc = "the run pauses while less is free where its directory lies; 0: it never does"},
    {"limits", "failures_mb", NUMBER(U32, limits.failures_mb, 1, 1048576, "MiB", "1024"),
     .doc = "disk space of the failure bundles; then the oldest go, never the last three of a "
            "verdict"},
    {"limits", "failures_kept", NUMBER(U32, limits.failures_kept, 1, 1000000, "", "1000"),
     .doc = "failure bundles, likewise"},

    {"sandbox", "require", .type = BP_SETTING_WORDS, FIELD(sandbox_require), .fallback = "[]",
     .choices = layer_choices, .noun = "layer", .word = bp_layer_word,
     .doc =
         "layers without which the run refuses to start, though this machine may not grant them"},

    {"log", "size_mb", NUMBER(U32, log.size_mb, 1, 65536, "MiB", "16"),
     .doc = "size at which log.txt becomes log.txt.1"},
    {"log", "kept", NUMBER(U32, log.kept, 0, 1000, "", "4"),
     .doc = "older ones that stay: log.txt.1, the newest, and so on"},
    {.key = NULL},
};

static const struct bp_setting *find_setting(const char *section, const char *key)
{
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++)
        if (strcmp(setting->section, section) == 0 && strcmp(setting->key, key) == 0)
            return setting;
    return NULL;
}

static bool is_section(const char *name)
{
    for (const struct bp_section *section = bp_sections + 1; section->name; section++)
        if (strcmp(section->name, name) == 0)
            return true;
    return false;
}

static int fail_unknown_key(const char *path, const char *section, const struct bp_yaml_node *node,
                            struct bp_error *err)
{
    const char *names[MAX_KEYS + 1] = {NULL};
    int count = 0;
    char where[80] = "";
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++)
        if (strcmp(setting->section, section) == 0 && count < MAX_KEYS)
            names[count++] = setting->key;
    for (const struct bp_section *named = bp_sections + 1; named->name && !section[0]; named++)
        if (count < MAX_KEYS)
            names[count++] = named->name;
    if (section[0])
        snprintf(where, sizeof where, " in '%s'", section);
    return bp_choices_fail(path, node->key_line, "key", node->key, where, names, err);
}

static int read_section(const char *path, const char *section, const struct bp_yaml_node *mapping,
                        struct bp_config *config, struct bp_error *err)
{
    char found[BP_YAML_FOUND];
    if (mapping->kind != BP_YAML_MAPPING)
        return bp_yaml_fail(path, mapping->line, err, "%s%s%s: expected keys with values, found %s",
                            section[0] ? "'" : "the config", section, section[0] ? "'" : "",
                            bp_yaml_found(mapping, found));
    for (const struct bp_yaml_node *node = mapping->child; node; node = node->next) {
        const struct bp_setting *setting = find_setting(section, node->key);
        int result = 0;
        if (!section[0] && is_section(node->key))
            result = read_section(path, node->key, node, config, err);
        else if (!setting)
            result = fail_unknown_key(path, section, node, err);
        else if (bp_setting_has_field(setting))
            result = bp_setting_store(setting, path, node, config, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int check_required(const char *path, const struct bp_yaml_node *root, struct bp_error *err)
{
    for (const struct bp_setting *setting = bp_settings; setting->key; setting++) {
        const struct bp_yaml_node *section = root;
        if (setting->section[0])
            section = bp_yaml_find(root, setting->section);
        if (!setting->fallback && (!section || !bp_yaml_find(section, setting->key)))
            return bp_yaml_fail(path, root->line, err, "'%s' is required: %s", setting->key,
                                setting->doc);
    }
    return 0;
}

/* A field that two keys set would be the later one's. */
static int check_doubled(const char *path, const struct bp_yaml_node *root, struct bp_error *err)
{
    const struct bp_yaml_node *list = bp_yaml_find(root, "devices");
    if (!list || !bp_yaml_find(root, "device"))
        return 0;
    return bp_yaml_fail(path, list->key_line, err,
                        "'devices' is given beside 'device': leave out one");
}

int bp_schema_read(const char *path, const struct bp_yaml_node *root, struct bp_config *config,
                   struct bp_error *err)
{
    if (read_section(path, "", root, config, err) < 0)
        return -1;
    return check_doubled(path, root, err) < 0 ? -1 : check_required(path, root, err);
}
