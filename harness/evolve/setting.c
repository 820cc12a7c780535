#include "harness/evolve/setting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "harness/config/dump.h"

#define CONFIG_MAX ((size_t)1 << 19)
#define WORKER_MAX ((size_t)256 << 20)

static int hash_worker(const char *path, char text[BP_HASH_TEXT], struct bp_error *err)
{
    struct bp_buffer bytes;
    bp_buffer_init(&bytes, WORKER_MAX);
    int result = bp_io_read_file(path, &bytes, err);
    if (result == 0)
        bp_hash_text(bytes.data, bytes.size, text);
    bp_buffer_free(&bytes);
    return result;
}

static int dump(const struct bp_config *config, enum bp_config_dump what, char **text,
                struct bp_error *err)
{
    struct bp_buffer json;
    bp_buffer_init(&json, CONFIG_MAX);
    int result = bp_config_dump(config, what, &json, err);
    if (result == 0)
        *text = bp_steal_pointer(&json.data);
    bp_buffer_free(&json);
    return result;
}

/* What "auto" and 0 came to on this machine. */
static int dump_configs(const struct bp_session *session, struct bp_replay_setting *setting,
                        struct bp_error *err)
{
    BP_AUTO_FREE struct bp_config *resolved = malloc(sizeof *resolved);
    if (!resolved)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a config");
    *resolved = *session->config; /* borrows what the config owns */
    bp_slots_names(&session->slots, resolved->device, sizeof resolved->device);
    resolved->threads = session->threads;
    resolved->parallel = session->parallel;
    if (dump(resolved, BP_CONFIG_DUMP_SETTINGS, &setting->config, err) < 0)
        return -1;
    return dump(resolved, BP_CONFIG_DUMP_WITH_SPACE, &setting->config_with_space, err);
}

int bp_setting_of(const struct bp_session *session, struct bp_replay_setting *setting,
                  struct bp_error *err)
{
    struct utsname system;
    *setting = (struct bp_replay_setting){.processors = session->host.processors,
                                          .cache_bytes = session->host.cache_bytes,
                                          .memory_bytes = session->host.memory_bytes,
                                          .ring_bytes = session->ring_bytes,
                                          .lanes = session->parallel};
    snprintf(setting->version, sizeof setting->version, "%s", BP_VERSION);
    memcpy(setting->cpu, session->host.cpu_name, sizeof setting->cpu);
    memcpy(setting->device, bp_session_device(session)->name, sizeof setting->device);
    memcpy(setting->arch, bp_session_device(session)->arch, sizeof setting->arch);
    if (uname(&system) == 0)
        snprintf(setting->kernel, sizeof setting->kernel, "%s %s", system.sysname, system.release);
    if (hash_worker(session->worker_path, setting->worker_sha256, err) < 0 ||
        dump_configs(session, setting, err) < 0) {
        bp_replay_setting_free(setting);
        return -1;
    }
    return 0;
}

/* ---- comparing ---- */

struct notes {
    char *text;
    size_t size, used;
};

static void note_text(struct notes *notes, const char *fact, const char *then, const char *now)
{
    if (strcmp(then, now) != 0 && notes->used < notes->size)
        notes->used += (size_t)snprintf(notes->text + notes->used, notes->size - notes->used,
                                        "%s: then %.120s, now %.120s\n", fact, then, now);
}

static void note_number(struct notes *notes, const char *fact, uint64_t then, uint64_t now)
{
    char a[24], b[24];
    snprintf(a, sizeof a, "%" PRIu64, then);
    snprintf(b, sizeof b, "%" PRIu64, now);
    note_text(notes, fact, a, b);
}

void bp_setting_compare(const struct bp_replay_setting *then, const struct bp_replay_setting *now,
                        char *text, size_t size)
{
    struct notes notes = {text, size, 0};
    text[0] = '\0';
    note_text(&notes, "version of bulletproof", then->version, now->version);
    note_text(&notes, "bulletproof-worker (inputs may have other bytes)", then->worker_sha256,
              now->worker_sha256);
    note_text(&notes, "device", then->device, now->device);
    note_text(&notes, "architecture", then->arch, now->arch);
    note_text(&notes, "CPU", then->cpu, now->cpu);
    note_number(&notes, "processors", then->processors, now->processors);
    note_number(&notes, "bytes of cache", then->cache_bytes, now->cache_bytes);
    note_number(&notes, "bytes of memory", then->memory_bytes, now->memory_bytes);
    note_text(&notes, "operating system", then->kernel, now->kernel);
}
