#include "evaluator/suite.h"

#include <stdio.h>
#include <string.h>

static const char *const families[BP_FAMILY_COUNT] = {
#define NAME(name) [BP_FAMILY_##name] = #name,
    BP_FAMILY_LIST(NAME)
#undef NAME
};

const char *bp_family_name(enum bp_family family)
{
    return families[family];
}

bool bp_family_parse(const char *name, enum bp_family *family)
{
    for (int i = 0; i < BP_FAMILY_COUNT; i++) {
        if (strcmp(name, families[i]) == 0) {
            *family = (enum bp_family)i;
            return true;
        }
    }
    return false;
}

#define CAUSAL .causal = 1
#define RAGGED(...) .ragged = 1, .kv_lens = {__VA_ARGS__}

static const struct bp_shape shapes[] = {
    /* name, batch, q_heads, kv_heads, q_len, kv_len, head_dim. The 22 scenarios first. */
    {"short_context_quick", 1, 16, 8, 64, 64, 128, CAUSAL},
    {"medium_context_analysis", 1, 16, 8, 256, 256, 128, CAUSAL},
    {"long_context_detailed", 1, 16, 8, 1024, 1024, 128, CAUSAL},
    {"very_long_context_comprehensive", 1, 16, 8, 4096, 4096, 128, CAUSAL},
    {"micro_generation", 1, 16, 8, 1, 23, 128},
    {"short_generation", 1, 16, 8, 1, 128, 128},
    {"long_generation", 1, 16, 8, 1, 1024, 128},
    {"very_long_generation", 1, 16, 8, 1, 2049, 128},
    {"ultra_long_generation", 1, 16, 8, 1, 5000, 128},
    {"code_generation", 1, 16, 8, 333, 333, 128, CAUSAL},
    {"step_by_step_reasoning", 4, 16, 8, 1, 517, 128},
    {"creative_writing", 8, 16, 8, 1, 801, 128},
    {"technical_documentation", 1, 32, 8, 512, 1536, 128, CAUSAL},
    {"conversational_assistant", 4, 16, 8, 1, 2048, 128, RAGGED(97, 613, 1500, 2048)},
    {"progressive_context_building", 2, 32, 8, 128, 2048, 128, CAUSAL},
    {"repetitive_pattern_generation", 16, 16, 8, 1, 2000, 128},
    {"memory_pressure", 32, 32, 8, 1, 4096, 128},
    {"record_shape", 4, 32, 8, 4096, 4096, 128},
    {"record_shape_causal", 4, 32, 8, 4096, 4096, 128, CAUSAL},
    {"maximum_context_stress", 1, 32, 8, 1, 32768, 128},
    {"sliding_window", 1, 32, 8, 8192, 8192, 128, CAUSAL, .window = 1024},
    {"odd_cross", 3, 40, 8, 1000, 1777, 128},
    /* A published L4 figure's shape; head_dim 64, so in no suite, by name only. */
    {"l4_shape", 1, 8, 8, 512, 512, 64},
    /* What a CPU can time. */
    {"prefill_1024", 1, 16, 8, 256, 1024, 128},
    {"record_shape_512", 1, 32, 8, 512, 512, 128},
    {"prefill_512_kv1024", 1, 16, 8, 512, 1024, 128},
    {"prefill_512_kv1024_causal", 1, 16, 8, 512, 1024, 128, CAUSAL},
    {"prefill_512_kv2048", 1, 16, 8, 512, 2048, 128},
    {"prefill_512_kv2048_causal", 1, 16, 8, 512, 2048, 128, CAUSAL},
    {"decode_kv4096", 1, 16, 8, 1, 4096, 128},
    /* Small, to be judged on every row: lengths that divide no tile, every ratio and mask. */
    {"odd_single", 1, 4, 2, 1, 1, 128},
    {"odd_17", 2, 4, 4, 17, 17, 128, CAUSAL},
    {"odd_64", 1, 8, 2, 64, 64, 128},
    {"odd_100", 1, 5, 1, 33, 100, 128, CAUSAL},
    {"odd_333", 1, 4, 2, 70, 333, 128},
    {"odd_decode", 1, 5, 1, 1, 513, 128},
    {"odd_window", 1, 4, 1, 100, 257, 128, CAUSAL, .window = 65},
    {"odd_ragged", 3, 4, 2, 5, 130, 128, RAGGED(130, 67, 1)},
    {"odd_masked", 1, 2, 1, 40, 24, 128, CAUSAL},
    /* Small enough for an emulated device. */
    {"tiny_prefill", 1, 2, 1, 16, 48, 128},
    {"tiny_causal", 1, 4, 2, 20, 33, 128, CAUSAL},
    {"tiny_decode", 1, 4, 1, 1, 70, 128},
    {"tiny_ragged", 2, 2, 1, 3, 40, 128, RAGGED(40, 7)},
    {"tiny_window", 1, 2, 2, 18, 37, 128, CAUSAL, .window = 9},
    /* The 22 scenarios with fewer heads and shorter, at their own ratios and masks. */
    {"tiny_short_context_quick", 1, 2, 1, 8, 8, 128, CAUSAL},
    {"tiny_medium_context_analysis", 1, 2, 1, 16, 16, 128, CAUSAL},
    {"tiny_long_context_detailed", 1, 2, 1, 32, 32, 128, CAUSAL},
    {"tiny_very_long_context", 1, 2, 1, 48, 48, 128, CAUSAL},
    {"tiny_micro_generation", 1, 2, 1, 1, 3, 128},
    {"tiny_short_generation", 1, 2, 1, 1, 8, 128},
    {"tiny_long_generation", 1, 2, 1, 1, 64, 128},
    {"tiny_very_long_generation", 1, 2, 1, 1, 129, 128},
    {"tiny_ultra_long_generation", 1, 2, 1, 1, 200, 128},
    {"tiny_code_generation", 1, 2, 1, 21, 21, 128, CAUSAL},
    {"tiny_step_by_step_reasoning", 2, 2, 1, 1, 33, 128},
    {"tiny_creative_writing", 3, 2, 1, 1, 51, 128},
    {"tiny_technical_documentation", 1, 4, 1, 8, 24, 128, CAUSAL},
    {"tiny_conversational_assistant", 4, 2, 1, 1, 64, 128, RAGGED(3, 19, 47, 64)},
    {"tiny_progressive_context", 2, 4, 1, 4, 64, 128, CAUSAL},
    {"tiny_repetitive_pattern", 4, 2, 1, 1, 62, 128},
    {"tiny_memory_pressure", 8, 4, 1, 1, 64, 128},
    {"tiny_record_shape", 1, 4, 1, 32, 32, 128},
    {"tiny_record_shape_causal", 1, 4, 1, 32, 32, 128, CAUSAL},
    {"tiny_maximum_context_stress", 1, 4, 1, 1, 256, 128},
    {"tiny_sliding_window", 1, 4, 1, 32, 32, 128, CAUSAL, .window = 4},
    {"tiny_odd_cross", 3, 5, 1, 7, 13, 128},
};

enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

const char *const *bp_suite_shape_names(void)
{
    static const char *names[SHAPE_COUNT + 1];
    for (int i = 0; i < SHAPE_COUNT; i++)
        names[i] = shapes[i].name;
    return names;
}

#define F(name) (1u << BP_FAMILY_##name)
#define GAUSS F(gauss)
#define CORE (F(gauss) | F(needle) | F(code) | F(ramp) | F(exact))
#define ALL ((1u << BP_FAMILY_COUNT) - 1)

/* The families of one shape in a suite; timed shapes include gauss. */
struct pick {
    const char *shape;
    uint32_t families;
    bool timed;
};

/* All rows of the small shapes, a secret sample of the large. */
#define QUICK_ROWS 1024
#define FULL_ROWS 4096
#define GPU_ROWS 2048

static const struct pick tiny[] = {
    {"tiny_prefill", GAUSS | F(needle) | F(code), true},
    {"tiny_decode", GAUSS | F(needle) | F(ramp), true},
    {"tiny_causal", GAUSS | F(code) | F(exact) | F(tilt), false},
    {"tiny_ragged", GAUSS | F(needle), false},
    {0},
};

/* Each scenario once: what a mask, a ratio or a length breaks shows here. */
static const struct pick emulated_scenarios[] = {
    {"tiny_short_context_quick", GAUSS, false},
    {"tiny_medium_context_analysis", GAUSS, false},
    {"tiny_long_context_detailed", GAUSS, false},
    {"tiny_very_long_context", GAUSS, false},
    {"tiny_micro_generation", GAUSS, false},
    {"tiny_short_generation", GAUSS, false},
    {"tiny_long_generation", GAUSS, false},
    {"tiny_very_long_generation", GAUSS, false},
    {"tiny_ultra_long_generation", GAUSS, false},
    {"tiny_code_generation", GAUSS, false},
    {"tiny_step_by_step_reasoning", GAUSS, false},
    {"tiny_creative_writing", GAUSS, false},
    {"tiny_technical_documentation", GAUSS, false},
    {"tiny_conversational_assistant", GAUSS, false},
    {"tiny_progressive_context", GAUSS, false},
    {"tiny_repetitive_pattern", GAUSS, false},
    {"tiny_memory_pressure", GAUSS, false},
    {"tiny_record_shape", GAUSS, false},
    {"tiny_record_shape_causal", GAUSS, false},
    {"tiny_maximum_context_stress", GAUSS, false},
    {"tiny_sliding_window", GAUSS, false},
    {"tiny_odd_cross", GAUSS, false},
    {0},
};

static const struct pick emulated_full[] = {
    {"tiny_prefill", ALL, true},  {"tiny_decode", ALL, true},   {"tiny_causal", ALL, false},
    {"tiny_ragged", CORE, false}, {"tiny_window", CORE, false}, {"odd_single", CORE, false},
    {"odd_17", CORE, false},      {"odd_masked", CORE, false},  {0},
};

/* The small shapes carry the families; the large ones show that nothing breaks with length. */
static const struct pick odd_quick[] = {
    {"odd_single", GAUSS | F(needle) | F(exact), false},
    {"odd_17", CORE | F(tilt), false},
    {"odd_64", CORE | F(shift) | F(constv), false},
    {"odd_100", CORE | F(heavy) | F(onehot), false},
    {"odd_333", ALL, false},
    {"odd_decode", CORE | F(x8) | F(x30), false},
    {"odd_window", CORE, false},
    {"odd_ragged", CORE, false},
    {"odd_masked", GAUSS | F(needle) | F(small), false},
    {0},
};

static const struct pick odd_full[] = {
    {"odd_single", ALL, false},  {"odd_17", ALL, false},
    {"odd_64", ALL, false},      {"odd_100", ALL, false},
    {"odd_333", ALL, false},     {"odd_decode", ALL, false},
    {"odd_window", ALL, false},  {"odd_ragged", CORE, false},
    {"odd_masked", CORE, false}, {0},
};

static const struct pick cpu_quick[] = {
    {"prefill_1024", GAUSS, true},     {"code_generation", GAUSS, true},
    {"long_generation", GAUSS, true},  {"very_long_generation", GAUSS, true},
    {"micro_generation", CORE, false}, {0},
};

static const struct pick cpu_full[] = {
    {"short_context_quick", CORE, true},
    {"long_context_detailed", GAUSS | F(needle), true},
    {"micro_generation", CORE, true},
    {"short_generation", CORE, true},
    {"long_generation", CORE, true},
    {"very_long_generation", GAUSS | F(needle) | F(code), true},
    {"ultra_long_generation", GAUSS | F(needle) | F(ramp), true},
    {"code_generation", CORE, true},
    {"technical_documentation", GAUSS | F(code), true},
    {"record_shape_512", GAUSS | F(ramp), true},
    {"prefill_1024", GAUSS | F(tilt), true},
    {0},
};

/* What scripts/bench holds against the machine's peaks. */
static const struct pick cpu_bench[] = {
    {"prefill_512_kv1024", GAUSS, true}, {"prefill_512_kv1024_causal", GAUSS, true},
    {"prefill_512_kv2048", GAUSS, true}, {"prefill_512_kv2048_causal", GAUSS, true},
    {"decode_kv4096", GAUSS, true},      {0},
};

static const struct pick gpu_quick[] = {
    {"long_context_detailed", CORE, true},
    {"very_long_context_comprehensive", GAUSS, true},
    {"very_long_generation", GAUSS | F(needle), true},
    {"technical_documentation", GAUSS | F(needle), true},
    {"conversational_assistant", GAUSS | F(needle), true},
    {0},
};

static const struct pick gpu_full[] = {
    {"short_context_quick", CORE, true},
    {"medium_context_analysis", GAUSS, true},
    {"long_context_detailed", CORE, true},
    {"very_long_context_comprehensive", GAUSS, true},
    {"micro_generation", GAUSS | F(needle), true},
    {"short_generation", GAUSS | F(needle), true},
    {"long_generation", GAUSS | F(needle), true},
    {"very_long_generation", GAUSS | F(needle) | F(ramp), true},
    {"ultra_long_generation", GAUSS | F(needle) | F(ramp), true},
    {"code_generation", CORE, true},
    {"step_by_step_reasoning", GAUSS, true},
    {"creative_writing", GAUSS, true},
    {"technical_documentation", GAUSS | F(needle), true},
    {"conversational_assistant", GAUSS | F(needle), true},
    {"progressive_context_building", GAUSS, true},
    {"repetitive_pattern_generation", GAUSS, true},
    {"memory_pressure", GAUSS, true},
    {"record_shape", GAUSS, true},
    {"record_shape_causal", GAUSS, true},
    {"maximum_context_stress", GAUSS, true},
    {"sliding_window", GAUSS, true},
    {"odd_cross", GAUSS, true},
    {0},
};

static const struct content {
    const char *suite;
    enum bp_device_class device_class;
    uint64_t max_rows;
    const struct pick *picks, *more; /* more may be null */
} contents[] = {
    {"quick", BP_DEVICE_CLASS_CPU, QUICK_ROWS, cpu_quick, odd_quick},
    {"full", BP_DEVICE_CLASS_CPU, FULL_ROWS, cpu_full, odd_full},
    {"tiny", BP_DEVICE_CLASS_CPU, QUICK_ROWS, tiny, NULL},
    {"bench", BP_DEVICE_CLASS_CPU, QUICK_ROWS, cpu_bench, NULL},
    {"quick", BP_DEVICE_CLASS_GPU, GPU_ROWS, gpu_quick, odd_quick},
    {"full", BP_DEVICE_CLASS_GPU, GPU_ROWS, gpu_full, odd_full},
    {"tiny", BP_DEVICE_CLASS_GPU, QUICK_ROWS, tiny, NULL},
    {"quick", BP_DEVICE_CLASS_EMULATED, QUICK_ROWS, tiny, NULL},
    {"full", BP_DEVICE_CLASS_EMULATED, QUICK_ROWS, emulated_full, emulated_scenarios},
    {"tiny", BP_DEVICE_CLASS_EMULATED, QUICK_ROWS, tiny, emulated_scenarios},
};

const struct bp_shape *bp_suite_shape(const char *name)
{
    for (int i = 0; i < SHAPE_COUNT; i++) {
        if (strcmp(name, shapes[i].name) == 0)
            return &shapes[i];
    }
    return NULL;
}

static int add_pick(struct bp_suite *suite, const struct pick *pick, uint64_t max_rows,
                    struct bp_error *err)
{
    const struct bp_shape *shape = bp_suite_shape(pick->shape);
    if (!shape)
        return bp_fail(err, BP_ERR_STATE, "suite %s names an unknown shape %s", suite->name,
                       pick->shape);
    for (int family = 0; family < BP_FAMILY_COUNT; family++) {
        if (!(pick->families & (1u << family)))
            continue;
        if (suite->case_count == BP_SUITE_MAX_CASES)
            return bp_fail(err, BP_ERR_STATE, "suite %s has too many cases", suite->name);
        suite->cases[suite->case_count++] =
            (struct bp_case){*shape, (enum bp_family)family, max_rows};
    }
    if (pick->timed && suite->timed_count == BP_SUITE_MAX_TIMED)
        return bp_fail(err, BP_ERR_STATE, "suite %s has too many timed shapes", suite->name);
    if (pick->timed)
        suite->timed[suite->timed_count++] = *shape;
    return 0;
}

static int add_picks(struct bp_suite *suite, const struct pick *picks, uint64_t max_rows,
                     struct bp_error *err)
{
    for (const struct pick *pick = picks; pick->shape; pick++) {
        if (add_pick(suite, pick, max_rows, err) < 0)
            return -1;
    }
    return 0;
}

static int fail_unknown(const char *name, struct bp_error *err)
{
    return bp_fail(
        err, BP_ERR_USAGE,
        "unknown suite '%.60s' (valid: quick, full, tiny, bench, or the name of one shape; "
        "'bulletproof eval --help' lists them)",
        name);
}

int bp_suite_find(const char *name, enum bp_device_class device_class, struct bp_suite *suite,
                  struct bp_error *err)
{
    memset(suite, 0, sizeof *suite);
    snprintf(suite->name, sizeof suite->name, "%s", name);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        const struct content *content = &contents[i];
        if (strcmp(name, content->suite) != 0 || device_class != content->device_class)
            continue;
        if (add_picks(suite, content->picks, content->max_rows, err) < 0)
            return -1;
        return content->more ? add_picks(suite, content->more, content->max_rows, err) : 0;
    }
    if (!bp_suite_shape(name))
        return fail_unknown(name, err);
    struct pick one = {name, CORE, true};
    return add_pick(suite, &one, FULL_ROWS, err);
}
