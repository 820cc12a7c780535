#include "harness/report/replay_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/cleanup.h"
#include "harness/report/artifacts.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

#define KEY_TEXT (2 * BP_KEY_BYTES + 1)

void bp_replay_setting_free(struct bp_replay_setting *setting)
{
    free(setting->config);
    free(setting->config_with_space);
    setting->config = setting->config_with_space = NULL;
}

/* ---- writing ---- */

static json_t *position_json(const struct bp_secret_position *position)
{
    char key[KEY_TEXT];
    sodium_bin2hex(key, sizeof key, position->key.bytes, sizeof position->key.bytes);
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "session_key", key, "evaluation",
                     (json_int_t)position->evaluation, "fresh_fill",
                     (json_int_t)position->fresh_fill, "draws", (json_int_t)position->draws,
                     "matches", (json_int_t)position->matches);
}

static json_t *earlier_json(const struct bp_evaluation *e)
{
    return json_pack("{s:i, s:I, s:o, s:s, s:s, s:o, s:o, s:o}", "schema", BP_REPLAY_SCHEMA,
                     "number", (json_int_t)e->number, "kernel", bp_json_text(e->kernel_name),
                     "verdict", bp_verdict_name(e->verdict), "stage", bp_stage_name(e->stage),
                     "message", bp_json_text(e->message), "object_sha256",
                     bp_json_text(e->object_hash), "compiler", bp_json_text(e->device_driver));
}

static json_t *setting_json(const struct bp_replay_setting *s, const struct bp_evaluation *e)
{
    const char *device = e->device_kind[0] ? e->device_kind : s->device;
    return json_pack(
        "{s:{s:o, s:o}, s:{s:o, s:o, s:I, s:I, s:I}, s:o, s:o, s:I, s:I}", "binary", "version",
        bp_json_text(s->version), "worker_sha256", bp_json_text(s->worker_sha256), "host", "cpu",
        bp_json_text(s->cpu), "kernel", bp_json_text(s->kernel), "processors",
        (json_int_t)s->processors, "cache_bytes", (json_int_t)s->cache_bytes, "memory_bytes",
        (json_int_t)s->memory_bytes, "device", bp_json_text(device), "arch", bp_json_text(s->arch),
        "ring_bytes", (json_int_t)s->ring_bytes, "lanes", (json_int_t)s->lanes);
}

json_t *bp_replay_json(const struct bp_replay_setting *setting, const struct bp_evaluation *e)
{
    bool outside = e->verdict == BP_VERDICT_INVALID_CONFIG;
    const struct bp_evidence *evidence = e->evidence;
    json_error_t ignored;
    json_t *parts[] = {
        earlier_json(e),
        setting_json(setting, e),
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:b}", "knobs", bp_json_knobs(e), "config",
                  json_loads(outside ? setting->config_with_space : setting->config, 0, &ignored),
                  "compile_command", bp_json_text(evidence ? evidence->compile_command : ""),
                  "secrets", evidence ? position_json(&evidence->position) : json_null(), "unseen",
                  evidence && evidence->in_unseen, "match",
                  evidence && evidence->in_match ? position_json(&evidence->match) : json_null(),
                  "final", evidence && evidence->in_final),
    };
    return bp_json_joined(parts, sizeof parts / sizeof parts[0]);
}

/* ---- reading ---- */

static int refuse(struct bp_error *err, const char *what)
{
    return bp_fail(err, BP_ERR_USAGE, "replay.json: %s", what);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return false;
    return true;
}

struct text {
    char *to;
    size_t size;
    const char *from;
    const char *name;
};

static int copy_texts(const struct text *texts, size_t count, struct bp_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(texts[i].from) >= texts[i].size || !is_printable(texts[i].from))
            return bp_fail(err, BP_ERR_USAGE, "replay.json: '%s' is too long or not text",
                           texts[i].name);
        memcpy(texts[i].to, texts[i].from, strlen(texts[i].from) + 1);
    }
    return 0;
}

static bool parse_verdict(const char *name, enum bp_verdict *verdict)
{
    for (int v = 0; v < BP_VERDICT_COUNT; v++)
        if (strcmp(bp_verdict_name((enum bp_verdict)v), name) == 0) {
            *verdict = (enum bp_verdict)v;
            return true;
        }
    return false;
}

static bool parse_stage(const char *name, enum bp_stage *stage)
{
    for (int s = 0; s < BP_STAGE_COUNT; s++)
        if (strcmp(bp_stage_name((enum bp_stage)s), name) == 0) {
            *stage = (enum bp_stage)s;
            return true;
        }
    return false;
}

static int read_position(json_t *object, struct bp_secret_position *position, bool *present,
                         struct bp_error *err)
{
    json_int_t evaluation, fresh_fill, draws, matches;
    const char *key;
    size_t bytes;
    json_error_t why;
    *present = !json_is_null(object);
    if (!*present)
        return 0;
    if (json_unpack_ex(object, &why, JSON_STRICT, "{s:s, s:I, s:I, s:I, s:I}", "session_key", &key,
                       "evaluation", &evaluation, "fresh_fill", &fresh_fill, "draws", &draws,
                       "matches", &matches) < 0)
        return refuse(err, why.text);
    if (strlen(key) != KEY_TEXT - 1 ||
        sodium_hex2bin(position->key.bytes, sizeof position->key.bytes, key, KEY_TEXT - 1, NULL,
                       &bytes, NULL) < 0 ||
        bytes != BP_KEY_BYTES)
        return refuse(err, "'session_key' is not 64 hexadecimal digits");
    if (evaluation < 1 || fresh_fill < 0 || draws < 0 || matches < 0)
        return refuse(err, "a counter of the secrets is negative");
    position->evaluation = (uint64_t)evaluation;
    position->fresh_fill = (uint64_t)fresh_fill;
    position->draws = (uint64_t)draws;
    position->matches = (uint64_t)matches;
    return 0;
}

/* Names and values as the compile stage wants them; it looks again. */
static int read_knobs(json_t *object, struct bp_replay *replay, struct bp_error *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object) || json_object_size(object) > BP_MAX_DEFINES)
        return refuse(err, "'knobs' is not an object of at most 64 members");
    json_object_foreach(object, name, value)
    {
        struct bp_define *knob = &replay->knobs[replay->knob_count++];
        size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                     "0123456789");
        if (!json_is_integer(value) || length == 0 || name[length] || length >= sizeof knob->name ||
            isdigit((unsigned char)name[0]))
            return refuse(err, "a knob is not NAME: INTEGER");
        memcpy(knob->name, name, length + 1);
        snprintf(knob->value, sizeof knob->value, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
    }
    return 0;
}

static int read_setting(json_t *binary, json_t *host, struct bp_replay_setting *setting,
                        struct bp_error *err)
{
    const char *version, *worker, *cpu, *kernel;
    json_int_t processors, cache, memory;
    json_error_t why;
    if (json_unpack_ex(binary, &why, JSON_STRICT, "{s:s, s:s}", "version", &version,
                       "worker_sha256", &worker) < 0 ||
        json_unpack_ex(host, &why, JSON_STRICT, "{s:s, s:s, s:I, s:I, s:I}", "cpu", &cpu, "kernel",
                       &kernel, "processors", &processors, "cache_bytes", &cache, "memory_bytes",
                       &memory) < 0)
        return refuse(err, why.text);
    setting->processors = (uint64_t)processors;
    setting->cache_bytes = (uint64_t)cache;
    setting->memory_bytes = (uint64_t)memory;
    const struct text texts[] = {
        {setting->version, sizeof setting->version, version, "version"},
        {setting->worker_sha256, sizeof setting->worker_sha256, worker, "worker_sha256"},
        {setting->cpu, sizeof setting->cpu, cpu, "cpu"},
        {setting->kernel, sizeof setting->kernel, kernel, "kernel"},
    };
    return copy_texts(texts, sizeof texts / sizeof *texts, err);
}

struct parts {
    const char *kernel, *verdict, *stage, *message, *object, *compiler, *device, *arch, *command;
    json_int_t number, ring_bytes, lanes;
    int unseen, final; /* missing where there were none yet */
    json_t *binary, *host, *knobs, *config, *secrets, *match; /* borrowed */
};

static int take_parts(const struct parts *parts, struct bp_replay *replay, struct bp_error *err)
{
    struct bp_replay_setting *setting = &replay->setting;
    const struct text texts[] = {
        {replay->kernel_name, sizeof replay->kernel_name, parts->kernel, "kernel"},
        {replay->message, sizeof replay->message, parts->message, "message"},
        {replay->object_sha256, sizeof replay->object_sha256, parts->object, "object_sha256"},
        {replay->compiler, sizeof replay->compiler, parts->compiler, "compiler"},
        {setting->device, sizeof setting->device, parts->device, "device"},
        {setting->arch, sizeof setting->arch, parts->arch, "arch"},
    };
    if (!parse_verdict(parts->verdict, &replay->verdict) ||
        !parse_stage(parts->stage, &replay->stage))
        return refuse(err, "an unknown verdict or stage");
    if (parts->number < 0 || parts->number > UINT32_MAX)
        return refuse(err, "'number' is out of range");
    if (parts->ring_bytes < 1 || parts->ring_bytes > (json_int_t)65536 << 20)
        return refuse(err, "'ring_bytes' is out of range (1 to 64 GiB)");
    replay->number = (uint32_t)parts->number;
    setting->ring_bytes = (uint64_t)parts->ring_bytes;
    setting->lanes = (uint32_t)parts->lanes;
    replay->in_unseen = parts->unseen;
    replay->in_final = parts->final;
    if (copy_texts(texts, sizeof texts / sizeof *texts, err) < 0 ||
        read_setting(parts->binary, parts->host, setting, err) < 0 ||
        read_knobs(parts->knobs, replay, err) < 0 ||
        read_position(parts->secrets, &replay->position, &replay->has_position, err) < 0 ||
        read_position(parts->match, &replay->match, &replay->in_match, err) < 0)
        return -1;
    if (!replay->has_position && replay->verdict != BP_VERDICT_INVALID_CONFIG)
        return refuse(err, "'secrets' is missing");
    if (!json_is_object(parts->config) ||
        !(setting->config = json_dumps(parts->config, JSON_COMPACT | JSON_REAL_PRECISION(17))))
        return refuse(err, "'config' is not an object");
    return 0;
}

static int unpack(json_t *root, struct parts *p, struct bp_error *err)
{
    int schema = 0;
    json_error_t why;
    if (json_unpack_ex(root, &why, 0, "{s:i}", "schema", &schema) < 0)
        return refuse(err, why.text);
    if (schema != BP_REPLAY_SCHEMA)
        return bp_fail(
            err, BP_ERR_USAGE,
            "replay.json has schema %d, this program reads schema %d: replay it with the "
            "version of bulletproof that wrote it",
            schema, BP_REPLAY_SCHEMA);
    if (json_unpack_ex(root, &why, JSON_STRICT,
                       "{s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:I, "
                       "s:o, s:o, s:s, s:o, s?b, s:o, s?b}",
                       "schema", &schema, "number", &p->number, "kernel", &p->kernel, "verdict",
                       &p->verdict, "stage", &p->stage, "message", &p->message, "object_sha256",
                       &p->object, "compiler", &p->compiler, "binary", &p->binary, "host", &p->host,
                       "device", &p->device, "arch", &p->arch, "ring_bytes", &p->ring_bytes,
                       "lanes", &p->lanes, "knobs", &p->knobs, "config", &p->config,
                       "compile_command", &p->command, "secrets", &p->secrets, "unseen", &p->unseen,
                       "match", &p->match, "final", &p->final) < 0)
        return refuse(err, why.text);
    return 0;
}

int bp_replay_parse(const char *text, size_t size, struct bp_replay *replay, struct bp_error *err)
{
    json_error_t why;
    struct parts parts = {0};
    memset(replay, 0, sizeof *replay);
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return bp_fail(err, BP_ERR_USAGE, "replay.json is no JSON: line %d: %.200s", why.line,
                       why.text);
    int result = unpack(root, &parts, err);
    if (result == 0)
        result = take_parts(&parts, replay, err);
    json_decref(root);
    if (result < 0)
        bp_replay_setting_free(&replay->setting);
    return result;
}
