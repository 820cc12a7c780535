#include "evaluator/messages.h"

#include <stdlib.h>
#include <string.h>

/* ---- the tables: one row a field, one record a struct ---- */

enum field_kind {
    FIELD_U32,
    FIELD_U64,
    FIELD_F64,
    FIELD_TEXT,   /* char[size], NUL-terminated */
    FIELD_KEY,    /* struct bp_key, as a blob */
    FIELD_U32S,   /* uint32_t[size], always whole */
    FIELD_RECORD, /* one nested struct */
    FIELD_LIST,   /* up to size nested structs; their number is the u32 at count_offset */
};

struct record;

struct field {
    const char *name;
    enum field_kind kind;
    uint32_t offset;
    uint32_t size; /* TEXT: bytes with NUL; U32S: count; LIST: maximum; U32: exclusive bound or 0 */
    const struct record *record;
    uint32_t count_offset;
};

struct record {
    const char *name;
    size_t bytes;
    const struct field *fields;
    uint32_t field_count;
};

/* clang-format off */
#define U32(T, f) {#f, FIELD_U32, offsetof(struct T, f), 0, NULL, 0}
#define BELOW(T, f, bound) {#f, FIELD_U32, offsetof(struct T, f), bound, NULL, 0}
#define U64(T, f) {#f, FIELD_U64, offsetof(struct T, f), 0, NULL, 0}
#define F64(T, f) {#f, FIELD_F64, offsetof(struct T, f), 0, NULL, 0}
#define TEXT(T, f) {#f, FIELD_TEXT, offsetof(struct T, f), sizeof((struct T *)0)->f, NULL, 0}
#define KEY(T, f) {#f, FIELD_KEY, offsetof(struct T, f), 0, NULL, 0}
#define U32S(T, f) {#f, FIELD_U32S, offsetof(struct T, f), sizeof(((struct T *)0)->f) / 4, NULL, 0}
#define NESTED(T, f, r) {#f, FIELD_RECORD, offsetof(struct T, f), 0, &r, 0}
#define LIST(T, f, n, max, r) {#f, FIELD_LIST, offsetof(struct T, f), max, &r, offsetof(struct T, n)}
#define RECORD(variable, T, ...)                                                                   \
    static const struct field variable##_fields[] = {__VA_ARGS__};                                 \
    static const struct record variable = {#T, sizeof(struct T), variable##_fields,                \
                                           sizeof variable##_fields / sizeof(struct field)}

RECORD(shape_record, bp_shape, TEXT(bp_shape, name), U32(bp_shape, batch), U32(bp_shape, q_heads),
       U32(bp_shape, kv_heads), U32(bp_shape, q_len), U32(bp_shape, kv_len),
       U32(bp_shape, head_dim), BELOW(bp_shape, causal, 2), U32(bp_shape, window),
       BELOW(bp_shape, ragged, 2), U32S(bp_shape, kv_lens));

RECORD(define_record, bp_define, TEXT(bp_define, name), TEXT(bp_define, value));

RECORD(profile_kernel_record, bp_profile_kernel, TEXT(bp_profile_kernel, name),
       U32(bp_profile_kernel, vgpr), U32(bp_profile_kernel, agpr), U32(bp_profile_kernel, sgpr),
       U32(bp_profile_kernel, spills), U32(bp_profile_kernel, sgpr_spills),
       U32(bp_profile_kernel, lds_bytes), U32(bp_profile_kernel, scratch_bytes),
       U32(bp_profile_kernel, block_threads), U32(bp_profile_kernel, occupancy),
       U32(bp_profile_kernel, occupancy_max), BELOW(bp_profile_kernel, has_mix, 2),
       U32S(bp_profile_kernel, mix));

RECORD(profile_record, bp_profile,
       LIST(bp_profile, kernels, kernel_count, BP_PROFILE_KERNELS, profile_kernel_record));

RECORD(fill_record, bp_fill, NESTED(bp_fill, shape, shape_record),
       BELOW(bp_fill, dtype, BP_DTYPE_COUNT), U32(bp_fill, slots), BELOW(bp_fill, parts, BP_FILL_PARTS),
       U64(bp_fill, master_offset),
       U64(bp_fill, input_offset), U64(bp_fill, output_offset), U64(bp_fill, again_offset),
       KEY(bp_fill, permutation_key),
       U64(bp_fill, canary));

RECORD(run_case_record, bp_run_case, NESTED(bp_run_case, shape, shape_record),
       U64(bp_run_case, input_offset), U64(bp_run_case, output_offset),
       U64(bp_run_case, again_offset));

RECORD(run_timed_record, bp_run_timed, NESTED(bp_run_timed, shape, shape_record),
       U32(bp_run_timed, slots), U64(bp_run_timed, input_offset), U64(bp_run_timed, output_offset));

RECORD(plan_record, bp_plan_record, TEXT(bp_plan_record, shape),
       BELOW(bp_plan_record, launches, GQA_MAX_LAUNCHES + 1), U32S(bp_plan_record, grid),
       U32S(bp_plan_record, block), U32S(bp_plan_record, dynamic_lds),
       U64(bp_plan_record, workspace_bytes));

RECORD(judge_item_record, bp_judge_item, NESTED(bp_judge_item, shape, shape_record),
       BELOW(bp_judge_item, family, BP_FAMILY_COUNT), BELOW(bp_judge_item, dtype, BP_DTYPE_COUNT),
       U64(bp_judge_item, max_rows), KEY(bp_judge_item, rows_key),
       KEY(bp_judge_item, permutation_key), U64(bp_judge_item, canary),
       U64(bp_judge_item, master_offset), U64(bp_judge_item, reference_offset),
       U64(bp_judge_item, input_offset), U64(bp_judge_item, output_offset),
       U64(bp_judge_item, again_offset));

RECORD(case_result_record, bp_case_result, TEXT(bp_case_result, shape),
       BELOW(bp_case_result, family, BP_FAMILY_COUNT),
       BELOW(bp_case_result, verdict, BP_VERDICT_COUNT), F64(bp_case_result, max_ratio),
       F64(bp_case_result, rms_ratio), F64(bp_case_result, pooled), F64(bp_case_result, alpha),
       U64(bp_case_result, rows));

RECORD(ready_record, bp_msg_ready, TEXT(bp_msg_ready, stage), TEXT(bp_msg_ready, sandbox));
RECORD(failure_record, bp_msg_failure, BELOW(bp_msg_failure, verdict, BP_VERDICT_COUNT),
       TEXT(bp_msg_failure, message));
RECORD(compile_request_record, bp_msg_compile_request, TEXT(bp_msg_compile_request, device),
       TEXT(bp_msg_compile_request, arch), U64(bp_msg_compile_request, source_bytes),
       U64(bp_msg_compile_request, object_max_bytes),
       BELOW(bp_msg_compile_request, dtype, BP_DTYPE_COUNT),
       BELOW(bp_msg_compile_request, gates, BP_GATES_ALL + 1),
       U32(bp_msg_compile_request, spills_below),
       LIST(bp_msg_compile_request, defines, define_count, BP_MAX_DEFINES, define_record));
RECORD(compile_result_record, bp_msg_compile_result,
       BELOW(bp_msg_compile_result, verdict, BP_VERDICT_COUNT),
       BELOW(bp_msg_compile_result, killed, 2), U64(bp_msg_compile_result, object_bytes), TEXT(bp_msg_compile_result, compiler),
       TEXT(bp_msg_compile_result, command),
       TEXT(bp_msg_compile_result, message), TEXT(bp_msg_compile_result, diagnostics),
       NESTED(bp_msg_compile_result, profile, profile_record));
RECORD(arenas_request_record, bp_msg_arenas_request, U64(bp_msg_arenas_request, masters_bytes),
       U64(bp_msg_arenas_request, references_bytes));
RECORD(arenas_result_record, bp_msg_arenas_result, U64(bp_msg_arenas_result, bytes));
RECORD(make_request_record, bp_msg_make_request, NESTED(bp_msg_make_request, shape, shape_record),
       BELOW(bp_msg_make_request, family, BP_FAMILY_COUNT),
       BELOW(bp_msg_make_request, dtype, BP_DTYPE_COUNT), BELOW(bp_msg_make_request, strictness, 2),
       U64(bp_msg_make_request, max_rows), KEY(bp_msg_make_request, inputs_key),
       KEY(bp_msg_make_request, rows_key), U64(bp_msg_make_request, master_offset),
       U64(bp_msg_make_request, reference_offset), U64(bp_msg_make_request, canary));
RECORD(make_result_record, bp_msg_make_result, U64(bp_msg_make_result, rows));
RECORD(fill_request_record, bp_msg_fill_request, BELOW(bp_msg_fill_request, scrub, BP_SCRUB_PARTS),
       LIST(bp_msg_fill_request, fills, fill_count, BP_MAX_FILLS, fill_record));
RECORD(fill_result_record, bp_msg_fill_result, U64(bp_msg_fill_result, bytes));
RECORD(run_request_record, bp_msg_run_request, TEXT(bp_msg_run_request, device),
       BELOW(bp_msg_run_request, dtype, BP_DTYPE_COUNT), U32(bp_msg_run_request, threads),
       BELOW(bp_msg_run_request, hold, 2), TEXT(bp_msg_run_request, faults), U64(bp_msg_run_request, object_bytes), U64(bp_msg_run_request, workspace_max_bytes),
       LIST(bp_msg_run_request, cases, case_count, BP_SUITE_MAX_CASES, run_case_record),
       LIST(bp_msg_run_request, timed, timed_count, BP_SUITE_MAX_TIMED, run_timed_record));
RECORD(plan_result_record, bp_msg_plan_result,
       LIST(bp_msg_plan_result, plans, plan_count, BP_MAX_PLANS, plan_record));
RECORD(cases_request_record, bp_msg_cases_request, U32(bp_msg_cases_request, first),
       U32(bp_msg_cases_request, count), BELOW(bp_msg_cases_request, again, 2));
RECORD(cases_result_record, bp_msg_cases_result, U32(bp_msg_cases_result, count));
RECORD(upload_request_record, bp_msg_upload_request,
       BELOW(bp_msg_upload_request, timed, BP_SUITE_MAX_TIMED), U32(bp_msg_upload_request, calls),
       U32(bp_msg_upload_request, first_slot));
RECORD(upload_result_record, bp_msg_upload_result, U32(bp_msg_upload_result, calls));
RECORD(fetch_request_record, bp_msg_fetch_request,
       BELOW(bp_msg_fetch_request, timed, BP_SUITE_MAX_TIMED), U32(bp_msg_fetch_request, slot),
       U64(bp_msg_fetch_request, offset), U64(bp_msg_fetch_request, bytes));
RECORD(fetch_result_record, bp_msg_fetch_result, U64(bp_msg_fetch_result, bytes));
RECORD(batch_request_record, bp_msg_batch_request,
       BELOW(bp_msg_batch_request, timed, BP_SUITE_MAX_TIMED), U32(bp_msg_batch_request, calls),
       U32(bp_msg_batch_request, first_slot));
RECORD(batch_result_record, bp_msg_batch_result, U32(bp_msg_batch_result, calls));
RECORD(judge_request_record, bp_msg_judge_request,
       LIST(bp_msg_judge_request, items, item_count, BP_SUITE_MAX_CASES, judge_item_record));
RECORD(judge_result_record, bp_msg_judge_result,
       BELOW(bp_msg_judge_result, verdict, BP_VERDICT_COUNT), TEXT(bp_msg_judge_result, message),
       LIST(bp_msg_judge_result, cases, case_count, BP_SUITE_MAX_CASES, case_result_record));
RECORD(sample_request_record, bp_msg_sample_request,
       NESTED(bp_msg_sample_request, shape, shape_record),
       BELOW(bp_msg_sample_request, dtype, BP_DTYPE_COUNT), U32(bp_msg_sample_request, batch),
       U32(bp_msg_sample_request, head), U32(bp_msg_sample_request, token),
       U64(bp_msg_sample_request, input_offset));
RECORD(sample_result_record, bp_msg_sample_result,
       BELOW(bp_msg_sample_result, verdict, BP_VERDICT_COUNT), TEXT(bp_msg_sample_result, message));
RECORD(device_request_record, bp_msg_device_request, TEXT(bp_msg_device_request, device), TEXT(bp_msg_device_request, faults));
RECORD(device_result_record, bp_msg_device_result, TEXT(bp_msg_device_result, title),
       TEXT(bp_msg_device_result, arch), TEXT(bp_msg_device_result, driver),
       U64(bp_msg_device_result, memory_bytes), U64(bp_msg_device_result, free_bytes));
RECORD(probe_request_record, bp_msg_probe_request, TEXT(bp_msg_probe_request, device),
       BELOW(bp_msg_probe_request, dtype, BP_DTYPE_COUNT), U32(bp_msg_probe_request, threads),
       U64(bp_msg_probe_request, object_bytes), TEXT(bp_msg_probe_request, faults));
RECORD(probe_result_record, bp_msg_probe_result,
       BELOW(bp_msg_probe_result, verdict, BP_VERDICT_COUNT), F64(bp_msg_probe_result, max_ratio),
       F64(bp_msg_probe_result, launch_ms), TEXT(bp_msg_probe_result, message));
RECORD(gate_request_record, bp_msg_gate_request, BELOW(bp_msg_gate_request, dtype, BP_DTYPE_COUNT),
       BELOW(bp_msg_gate_request, gates, BP_GATES_ALL + 1),
       U64(bp_msg_gate_request, object_bytes), U64(bp_msg_gate_request, workspace_max_bytes),
       F64(bp_msg_gate_request, budget_ms),
       LIST(bp_msg_gate_request, shapes, shape_count, BP_GATE_MAX_SHAPES, shape_record));
RECORD(gate_site_record, bp_gate_site, TEXT(bp_gate_site, text), U64(bp_gate_site, code));
RECORD(gate_result_record, bp_msg_gate_result,
       BELOW(bp_msg_gate_result, verdict, BP_VERDICT_COUNT), U32(bp_msg_gate_result, shapes),
       TEXT(bp_msg_gate_result, cause), TEXT(bp_msg_gate_result, tail),
       TEXT(bp_msg_gate_result, refusal),
       LIST(bp_msg_gate_result, sites, site_count, BP_GATE_SITES, gate_site_record));
RECORD(gate_code_record, bp_gate_code, U64(bp_gate_code, address));
RECORD(lines_request_record, bp_msg_lines_request, U64(bp_msg_lines_request, object_bytes),
       LIST(bp_msg_lines_request, codes, code_count, BP_GATE_SITES, gate_code_record));
RECORD(source_line_record, bp_source_line, TEXT(bp_source_line, text));
RECORD(lines_result_record, bp_msg_lines_result,
       LIST(bp_msg_lines_result, lines, line_count, BP_GATE_SITES, source_line_record));
RECORD(canary_request_record, bp_msg_canary_request, U32(bp_msg_canary_request, act),
       BELOW(bp_msg_canary_request, candidate, 2), BELOW(bp_msg_canary_request, root, 2),
       U64(bp_msg_canary_request, namespaces), U64(bp_msg_canary_request, pid_ns),
       U64(bp_msg_canary_request, mnt_ns), U64(bp_msg_canary_request, net_ns),
       U64(bp_msg_canary_request, ipc_ns));
RECORD(canary_result_record, bp_msg_canary_result, U32(bp_msg_canary_result, error),
       U32(bp_msg_canary_result, missing), TEXT(bp_msg_canary_result, text));
RECORD(counters_record, bp_counters, U64(bp_counters, salu), U64(bp_counters, valu),
       U64(bp_counters, matrix), U64(bp_counters, lds), U64(bp_counters, vmem),
       U64(bp_counters, smem), U64(bp_counters, wait), U64(bp_counters, branch),
       U64(bp_counters, other));
RECORD(count_request_record, bp_msg_count_request, U32(bp_msg_count_request, cases));
RECORD(count_result_record, bp_msg_count_result,
       NESTED(bp_msg_count_result, counters, counters_record));
/* clang-format on */

static const struct record *const records[BP_MESSAGE_COUNT] = {
#define ROW(name) [BP_MESSAGE_##name] = &name##_record,
    BP_MESSAGE_LIST(ROW)
#undef ROW
};

static const char *const names[BP_MESSAGE_COUNT] = {
#define ROW(name) [BP_MESSAGE_##name] = #name,
    BP_MESSAGE_LIST(ROW)
#undef ROW
};

size_t bp_message_size(enum bp_message_type type)
{
    return records[type]->bytes;
}

const char *bp_message_name(enum bp_message_type type)
{
    return names[type];
}

/* ---- encoding ---- */

static int pack_record(msgpack_packer *packer, const struct record *record, const char *data);

static int pack_text(msgpack_packer *packer, const char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);
    return msgpack_pack_str(packer, length) || msgpack_pack_str_body(packer, text, length);
}

static int pack_u32s(msgpack_packer *packer, const uint32_t *values, uint32_t count)
{
    int failed = msgpack_pack_array(packer, count);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed = msgpack_pack_uint32(packer, values[i]);
    return failed;
}

static int pack_list(msgpack_packer *packer, const struct field *field, const char *data)
{
    uint32_t count = *(const uint32_t *)(data + field->count_offset);
    if (count > field->size)
        return -1;
    int failed = msgpack_pack_array(packer, count);
    for (uint32_t i = 0; i < count && !failed; i++)
        failed =
            pack_record(packer, field->record, data + field->offset + i * field->record->bytes);
    return failed;
}

static int pack_field(msgpack_packer *packer, const struct field *field, const char *data)
{
    const void *at = data + field->offset;
    switch (field->kind) {
    case FIELD_U32:
        return msgpack_pack_uint32(packer, *(const uint32_t *)at);
    case FIELD_U64:
        return msgpack_pack_uint64(packer, *(const uint64_t *)at);
    case FIELD_F64:
        return msgpack_pack_double(packer, *(const double *)at);
    case FIELD_TEXT:
        return pack_text(packer, at, field->size);
    case FIELD_KEY:
        return msgpack_pack_bin(packer, sizeof(struct bp_key)) ||
               msgpack_pack_bin_body(packer, at, sizeof(struct bp_key));
    case FIELD_U32S:
        return pack_u32s(packer, at, field->size);
    case FIELD_RECORD:
        return pack_record(packer, field->record, at);
    case FIELD_LIST:
        return pack_list(packer, field, data);
    }
    return -1;
}

static int pack_record(msgpack_packer *packer, const struct record *record, const char *data)
{
    int failed = msgpack_pack_map(packer, record->field_count);
    for (uint32_t i = 0; i < record->field_count && !failed; i++) {
        const struct field *field = &record->fields[i];
        failed = pack_text(packer, field->name, BP_TEXT_SHORT) || pack_field(packer, field, data);
    }
    return failed;
}

int bp_message_encode(enum bp_message_type type, const void *message, uint32_t sequence,
                      uint64_t nonce, struct bp_buffer *out, struct bp_error *err)
{
    msgpack_sbuffer body;
    msgpack_packer packer;
    msgpack_sbuffer_init(&body);
    msgpack_packer_init(&packer, &body, msgpack_sbuffer_write);
    int result = -1;
    if (pack_record(&packer, records[type], message))
        bp_fail(err, BP_ERR_LIMIT, "%s cannot be packed: no memory or a list over its maximum",
                names[type]);
    else
        result = bp_frame_encode(sequence, type, nonce, body.data, body.size, out, err);
    msgpack_sbuffer_destroy(&body);
    return result;
}

/* ---- decoding ---- */

static int unpack_record(const struct record *record, const msgpack_object *object, char *data,
                         struct bp_error *err);

static int wrong(const struct record *record, const struct field *field, const char *why,
                 struct bp_error *err)
{
    return bp_fail(err, BP_ERR_PROTOCOL, "%s.%s: %s", record->name, field->name, why);
}

static bool is_u32(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= UINT32_MAX;
}

static int unpack_u32s(const struct record *record, const struct field *field,
                       const msgpack_object *object, uint32_t *values, struct bp_error *err)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != field->size)
        return wrong(record, field, "not a list of the right length", err);
    for (uint32_t i = 0; i < field->size; i++) {
        if (!is_u32(&object->via.array.ptr[i]))
            return wrong(record, field, "not a list of 32-bit numbers", err);
        values[i] = (uint32_t)object->via.array.ptr[i].via.u64;
    }
    return 0;
}

static int unpack_list(const struct record *record, const struct field *field,
                       const msgpack_object *object, char *data, struct bp_error *err)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size > field->size)
        return wrong(record, field, "not a list, or over its maximum", err);
    uint32_t count = object->via.array.size;
    *(uint32_t *)(data + field->count_offset) = count;
    for (uint32_t i = 0; i < count; i++) {
        char *element = data + field->offset + i * field->record->bytes;
        if (unpack_record(field->record, &object->via.array.ptr[i], element, err) < 0)
            return -1;
    }
    return 0;
}

static int unpack_text(const struct record *record, const struct field *field,
                       const msgpack_object *object, char *text, struct bp_error *err)
{
    if (object->type != MSGPACK_OBJECT_STR)
        return wrong(record, field, "not a text", err);
    if (object->via.str.size >= field->size)
        return wrong(record, field, "text too long", err);
    if (memchr(object->via.str.ptr, '\0', object->via.str.size))
        return wrong(record, field, "NUL in a text", err);
    memcpy(text, object->via.str.ptr, object->via.str.size);
    text[object->via.str.size] = '\0';
    return 0;
}

static int unpack_field(const struct record *record, const struct field *field,
                        const msgpack_object *object, char *data, struct bp_error *err)
{
    void *at = data + field->offset;
    switch (field->kind) {
    case FIELD_U32:
        if (!is_u32(object) || (field->size && object->via.u64 >= field->size))
            return wrong(record, field, "not a number in its range", err);
        *(uint32_t *)at = (uint32_t)object->via.u64;
        return 0;
    case FIELD_U64:
        if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return wrong(record, field, "not an unsigned number", err);
        *(uint64_t *)at = object->via.u64;
        return 0;
    case FIELD_F64:
        if (object->type != MSGPACK_OBJECT_FLOAT64)
            return wrong(record, field, "not a double", err);
        *(double *)at = object->via.f64;
        return 0;
    case FIELD_TEXT:
        return unpack_text(record, field, object, at, err);
    case FIELD_KEY:
        if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size != sizeof(struct bp_key))
            return wrong(record, field, "not a key", err);
        memcpy(at, object->via.bin.ptr, sizeof(struct bp_key));
        return 0;
    case FIELD_U32S:
        return unpack_u32s(record, field, object, at, err);
    case FIELD_RECORD:
        return unpack_record(field->record, object, at, err);
    case FIELD_LIST:
        return unpack_list(record, field, object, data, err);
    }
    return -1;
}

static const struct field *find_field(const struct record *record, const msgpack_object *key)
{
    if (key->type != MSGPACK_OBJECT_STR)
        return NULL;
    for (uint32_t i = 0; i < record->field_count; i++) {
        const char *name = record->fields[i].name;
        if (strlen(name) == key->via.str.size &&
            memcmp(name, key->via.str.ptr, key->via.str.size) == 0)
            return &record->fields[i];
    }
    return NULL;
}

static int unpack_record(const struct record *record, const msgpack_object *object, char *data,
                         struct bp_error *err)
{
    if (object->type != MSGPACK_OBJECT_MAP)
        return bp_fail(err, BP_ERR_PROTOCOL, "%s: not a map", record->name);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        const msgpack_object_kv *pair = &object->via.map.ptr[i];
        const struct field *field = find_field(record, &pair->key);
        if (!field)
            return bp_fail(err, BP_ERR_PROTOCOL, "%s: unknown field", record->name);
        uint32_t bit = 1u << (field - record->fields);
        if (seen & bit)
            return wrong(record, field, "given twice", err);
        seen |= bit;
        if (unpack_field(record, field, &pair->val, data, err) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < record->field_count; i++)
        if (!(seen & 1u << i))
            return wrong(record, &record->fields[i], "missing", err);
    return 0;
}

int bp_message_decode(const struct bp_frame *frame, void *message, struct bp_error *err)
{
    if (frame->type >= BP_MESSAGE_COUNT)
        return bp_fail(err, BP_ERR_PROTOCOL, "unknown message type %u", frame->type);
    const struct record *record = records[frame->type];
    memset(message, 0, record->bytes);
    return unpack_record(record, &frame->body, message, err);
}
