#include "harness/store/json_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define UTF8_MAX 4

/* Bytes of the character at text, 0 when it is not UTF-8. jansson is the judge of that. */
static size_t character_bytes(const char *text, size_t left)
{
    for (size_t bytes = 1; bytes <= UTF8_MAX && bytes <= left; bytes++) {
        json_t *character = json_stringn(text, bytes);
        if (character) {
            json_decref(character);
            return bytes;
        }
    }
    return 0;
}

json_t *bp_json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    BP_AUTO_FREE char *clean = strdup(text);
    if (!clean)
        return NULL;
    size_t left = strlen(clean);
    for (char *at = clean; left > 0;) {
        size_t bytes = character_bytes(at, left);
        if (bytes == 0) {
            *at = '?';
            bytes = 1;
        }
        at += bytes;
        left -= bytes;
    }
    return json_string(clean);
}

json_t *bp_json_text_or_null(const char *text)
{
    return text && text[0] ? bp_json_text(text) : json_null();
}

json_t *bp_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *bp_json_unsigned(uint64_t value)
{
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    return json_string(digits);
}

static json_t *knob_value(const char *value)
{
    char digits[24];
    long long number = strtoll(value, NULL, 10);
    snprintf(digits, sizeof digits, "%lld", number);
    return strcmp(digits, value) == 0 ? json_integer(number) : bp_json_text(value);
}

json_t *bp_json_knobs(const struct bp_evaluation *evaluation)
{
    json_t *knobs = json_object();
    for (uint32_t i = 0; i < evaluation->knob_count && knobs; i++) {
        const struct bp_define *knob = &evaluation->knobs[i];
        json_t *name = bp_json_text(knob->name);
        if (!name ||
            json_object_set_new(knobs, json_string_value(name), knob_value(knob->value)) < 0) {
            json_decref(knobs);
            knobs = NULL;
        }
        json_decref(name);
    }
    return knobs;
}

static json_t *launches_json(const struct bp_plan_record *plan)
{
    json_t *launches = json_array();
    for (uint32_t i = 0; i < plan->launches && i < GQA_MAX_LAUNCHES; i++) {
        const uint32_t *grid = &plan->grid[i * 3], *block = &plan->block[i * 3];
        json_t *launch = json_pack("{s:[I,I,I], s:[I,I,I], s:I}", "grid", (json_int_t)grid[0],
                                   (json_int_t)grid[1], (json_int_t)grid[2], "block",
                                   (json_int_t)block[0], (json_int_t)block[1], (json_int_t)block[2],
                                   "dynamic_lds", (json_int_t)plan->dynamic_lds[i]);
        if (json_array_append_new(launches, launch) < 0) {
            json_decref(launches);
            return NULL;
        }
    }
    return launches;
}

json_t *bp_json_plan(const struct bp_evaluation *evaluation)
{
    json_t *plans = json_array();
    for (uint32_t i = 0; i < evaluation->plan_count; i++) {
        const struct bp_plan_record *plan = &evaluation->plans[i];
        json_t *entry = json_pack("{s:o, s:o, s:o}", "shape", bp_json_text(plan->shape), "launches",
                                  launches_json(plan), "workspace_bytes",
                                  bp_json_unsigned(plan->workspace_bytes));
        if (json_array_append_new(plans, entry) < 0) {
            json_decref(plans);
            return NULL;
        }
    }
    return plans;
}

json_t *bp_json_mix(const struct bp_profile_kernel *kernel)
{
    json_t *mix = json_object();
    for (int i = 0; i < BP_MIX_COUNT && mix; i++)
        if (json_object_set_new(mix, bp_mix_name((enum bp_mix)i), json_integer(kernel->mix[i])) <
            0) {
            json_decref(mix);
            mix = NULL;
        }
    return mix;
}

json_t *bp_json_profile(const struct bp_profile *profile)
{
    if (profile->kernel_count == 0)
        return json_null();
    json_t *kernels = json_array();
    for (uint32_t i = 0; i < profile->kernel_count; i++) {
        const struct bp_profile_kernel *kernel = &profile->kernels[i];
        json_t *entry = json_pack(
            "{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "kernel",
            bp_json_text(kernel->name), "vgpr", (json_int_t)kernel->vgpr, "agpr",
            (json_int_t)kernel->agpr, "sgpr", (json_int_t)kernel->sgpr, "spills",
            (json_int_t)kernel->spills, "sgpr_spills", (json_int_t)kernel->sgpr_spills, "lds_bytes",
            (json_int_t)kernel->lds_bytes, "scratch_bytes", (json_int_t)kernel->scratch_bytes,
            "block_threads",
            kernel->block_threads ? json_integer(kernel->block_threads) : json_null(), "occupancy",
            (json_int_t)kernel->occupancy, "occupancy_max", (json_int_t)kernel->occupancy_max,
            "mix", kernel->has_mix ? bp_json_mix(kernel) : json_null());
        if (json_array_append_new(kernels, entry) < 0) {
            json_decref(kernels);
            return NULL;
        }
    }
    return kernels;
}

json_t *bp_json_counters(const struct bp_evaluation *evaluation)
{
    json_t *object = evaluation->counted ? json_object() : json_null();
    bool whole = object != NULL;
#define ADD(name)                                                                                  \
    whole = whole &&                                                                               \
            json_object_set_new(object, #name, bp_json_unsigned(evaluation->counters.name)) == 0;
    if (evaluation->counted) {
        BP_COUNTER_LIST(ADD)
    }
#undef ADD
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}
