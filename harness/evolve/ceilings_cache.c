#include "harness/evolve/ceilings_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "evaluator/peak.h"
#include "harness/report/artifacts.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define PATH_SIZE 4096

int bp_ceilings_measure(const struct bp_host *host, uint32_t threads, enum bp_ceilings_care care,
                        struct bp_ceilings *ceilings, struct bp_error *err)
{
    /* The last set is far beyond the caches; quick ones leave it out, so that the rate of the largest
     * cache stands for memory: a lower floor, never a higher one. */
    uint64_t beyond = 4 * host->cache_bytes > 256 * MIB ? 256 * MIB : 4 * host->cache_bytes;
    const uint64_t sizes[] = {128 * KIB, MIB, 8 * MIB, 32 * MIB, beyond};
    bool thorough = care == BP_CEILINGS_THOROUGH;
    struct bp_peak_options options = {
        .threads = threads, .windows = thorough ? 7 : 3, .window_ms = thorough ? 20 : 10};
    uint32_t count = thorough && beyond > 32 * MIB ? 5 : 4;
    int result = bp_peak_measure(&options, sizes, count, ceilings, err);
    ceilings->margin = thorough ? BP_CEILING_MARGIN : BP_CEILING_MARGIN_QUICK;
    return result;
}

int bp_ceilings_path(uint32_t threads, char *path, size_t size, struct bp_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    if (cache && cache[0] == '/')
        length = snprintf(path, size, "%s/bulletproof/ceilings-%u.json", cache, threads);
    else if (home && home[0] == '/')
        length = snprintf(path, size, "%s/.cache/bulletproof/ceilings-%u.json", home, threads);
    else
        return bp_fail(err, BP_ERR_UNAVAILABLE, "neither XDG_CACHE_HOME nor HOME is a folder");
    if ((size_t)length >= size)
        return bp_fail(err, BP_ERR_LIMIT, "the path of the cache is too long");
    return 0;
}

json_t *bp_ceilings_json(const struct bp_host *host, const struct bp_ceilings *ceilings)
{
    json_t *streams = json_array();
    for (uint32_t i = 0; i < ceilings->stream_count; i++)
        json_array_append_new(streams, json_pack("{s:I, s:f}", "bytes",
                                                 (json_int_t)ceilings->streams[i].bytes, "gbps",
                                                 ceilings->streams[i].gbps));
    return json_pack("{s:s, s:i, s:s, s:f, s:f, s:f, s:o}", "cpu", host->cpu_name, "threads",
                     (int)ceilings->threads, "isa", ceilings->isa, "margin", ceilings->margin,
                     "fma_gflops", ceilings->gflops, "half_factor", ceilings->half_factor,
                     "streams", streams);
}

/* mkdir -p of what the last component stands in. */
static int make_folders(const char *path, struct bp_error *err)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(folder, 0700) < 0 && errno != EEXIST)
            return bp_fail_errno(err, "cannot make %s", folder);
        *at = '/';
    }
    return 0;
}

int bp_ceilings_save(const char *path, const struct bp_host *host,
                     const struct bp_ceilings *ceilings, struct bp_error *err)
{
    json_t *object = bp_ceilings_json(host, ceilings);
    BP_AUTO_FREE char *text = object ? json_dumps(object, BP_JSON_FLAGS) : NULL;
    json_decref(object);
    if (!text)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the ceilings");
    if (make_folders(path, err) < 0)
        return -1;
    return bp_io_write_file_atomic(path, text, strlen(text), err);
}

static bool unpack(json_t *object, const char **cpu, struct bp_ceilings *ceilings)
{
    const char *isa;
    json_t *streams;
    int threads;
    if (json_unpack(object, "{s:s, s:i, s:s, s:F, s:F, s:F, s:o}", "cpu", cpu, "threads", &threads,
                    "isa", &isa, "margin", &ceilings->margin, "fma_gflops", &ceilings->gflops,
                    "half_factor", &ceilings->half_factor, "streams", &streams) < 0 ||
        threads < 1 || json_array_size(streams) > BP_MAX_STREAMS)
        return false;
    ceilings->threads = (uint32_t)threads;
    snprintf(ceilings->isa, sizeof ceilings->isa, "%s", isa);
    for (size_t i = 0; i < json_array_size(streams); i++) {
        json_int_t bytes;
        struct bp_stream *stream = &ceilings->streams[ceilings->stream_count++];
        if (json_unpack(json_array_get(streams, i), "{s:I, s:F}", "bytes", &bytes, "gbps",
                        &stream->gbps) < 0 ||
            bytes <= 0)
            return false;
        stream->bytes = (uint64_t)bytes;
    }
    return true;
}

int bp_ceilings_load(const char *path, const struct bp_host *host, uint32_t threads,
                     struct bp_ceilings *ceilings, struct bp_error *err)
{
    struct bp_ceilings found = {0};
    const char *cpu = NULL;
    json_t *object = json_load_file(path, 0, NULL);
    bool fits = object && unpack(object, &cpu, &found) && strcmp(cpu, host->cpu_name) == 0 &&
                found.threads == threads && bp_ceilings_are_sound(&found);
    json_decref(object);
    if (!fits)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s holds no ceilings of this machine", path);
    *ceilings = found;
    return 0;
}

void bp_ceilings_obtain(const struct bp_host *host, uint32_t threads, struct bp_ceilings *ceilings)
{
    char path[PATH_SIZE];
    struct bp_error err;
    bool has_path = bp_ceilings_path(threads, path, sizeof path, &err) == 0;
    if (has_path && bp_ceilings_load(path, host, threads, ceilings, &err) == 0)
        return;
    *ceilings = (struct bp_ceilings){0};
    if (bp_ceilings_measure(host, threads, BP_CEILINGS_QUICK, ceilings, &err) < 0)
        bp_log(BP_LOG_WARNING, "session", "no floor for times: %s", err.msg);
    else if (has_path && bp_ceilings_save(path, host, ceilings, &err) < 0)
        bp_log(BP_LOG_INFO, "session", "the ceilings are not kept: %s", err.msg);
}
