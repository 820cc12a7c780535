#include "harness/report/bundle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "evaluator/frame.h"
#include "harness/report/artifacts.h"
#include "harness/report/directory.h"
#include "harness/report/parts.h"
#include "harness/store/json_parts.h"

const struct bp_bundle_row bp_bundle_rows[BP_BUNDLE_FILES] = {
    [BP_BUNDLE_REPLAY] = {"replay.json", true, true, BP_REPLAY_MAX_BYTES},
    [BP_BUNDLE_KERNEL] = {"kernel.hip", true, false, 1u << 20},
    [BP_BUNDLE_KNOBS] = {"knobs.yaml", false, false, BP_KNOBS_YAML_MAX},
    [BP_BUNDLE_EVALUATION] = {"evaluation.json", false, false, 16u << 20},
    [BP_BUNDLE_EVIDENCE] = {"evidence.json", false, false, 1u << 20},
    [BP_BUNDLE_OBJECT] = {"object.bin", false, false, 64u << 20},
    [BP_BUNDLE_FRAMES] = {"frames.msgpack", false, true, 1u << 20},
    [BP_BUNDLE_LOG] = {"log.txt", false, false, 65536u << 10},
    [BP_BUNDLE_BACKTRACE] = {"backtrace.txt", false, false, 1u << 20},
};

static const char backtrace_head[] =
    "# As the crashing process told it, by a scan of its stack, innermost first: every word on it\n"
    "# that is a return address of the object, calls that were over included. The process was the\n"
    "# candidate's: a hint, no evidence.\n";

const struct bp_bundle_row *bp_bundle_row(const char *name)
{
    for (int i = 0; i < BP_BUNDLE_FILES; i++)
        if (strcmp(bp_bundle_rows[i].name, name) == 0)
            return &bp_bundle_rows[i];
    return NULL;
}

/* ---- writing ---- */

static int put(int dir, enum bp_bundle_file file, const void *bytes, size_t size,
               struct bp_error *err)
{
    const struct bp_bundle_row *row = &bp_bundle_rows[file];
    if (size > row->max_bytes)
        size = row->max_bytes;
    BP_AUTO_FD int fd = openat(dir, row->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                               row->secret ? 0600 : 0644);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", row->name);
    if (bp_io_write_full(fd, bytes, size, err) < 0)
        return bp_fail_within(err, "%s", row->name);
    if (fsync(fd) < 0)
        return bp_fail_errno(err, "cannot sync %s", row->name);
    return 0;
}

/* Takes the reference. */
static int put_json(int dir, enum bp_bundle_file file, json_t *value, size_t flags,
                    struct bp_error *err)
{
    BP_AUTO_FREE char *text = json_dumps(value, flags);
    json_decref(value);
    if (!text)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %s", bp_bundle_rows[file].name);
    size_t length = strlen(text);
    text[length] = '\n';
    return put(dir, file, text, length + 1, err);
}

static json_t *denial_json(const struct bp_evidence *e)
{
    if (!e->denied)
        return json_null();
    json_t *args = json_array();
    for (size_t i = 0; i < 6; i++) {
        char hex[24];
        snprintf(hex, sizeof hex, "0x%" PRIx64, e->call_args[i]);
        json_array_append_new(args, json_string(hex));
    }
    return json_pack("{s:i, s:o, s:o}", "number", e->call, "arguments", args, "text",
                     bp_json_text(e->denial));
}

static json_t *end_json(const struct bp_evidence *e)
{
    bool known = e->wait_status != -1;
    bool exited = known && WIFEXITED(e->wait_status);
    bool signaled = known && WIFSIGNALED(e->wait_status);
    const char *name = signaled ? sigabbrev_np(WTERMSIG(e->wait_status)) : NULL;
    return json_pack("{s:o, s:o, s:o, s:b}", "wait_status",
                     known ? json_integer(e->wait_status) : json_null(), "exit_status",
                     exited ? json_integer(WEXITSTATUS(e->wait_status)) : json_null(), "signal",
                     bp_json_text_or_null(name), "unreaped", e->unreaped);
}

static json_t *usage_json(const struct rusage *usage)
{
    double user_s = (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec * 1e-6;
    double system_s = (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec * 1e-6;
    return json_pack("{s:f, s:f, s:I, s:I, s:I}", "user_s", user_s, "system_s", system_s,
                     "max_rss_kb", (json_int_t)usage->ru_maxrss, "minor_faults",
                     (json_int_t)usage->ru_minflt, "major_faults", (json_int_t)usage->ru_majflt);
}

static json_t *evidence_json(const struct bp_evidence *e)
{
    json_t *parts[] = {
        json_pack("{s:s, s:s, s:o, s:b, s:b, s:b, s:b}", "stage", bp_stage_name(e->stage), "cause",
                  e->cause, "reason", bp_json_text_or_null(e->reason), "candidate_ran",
                  e->candidate_ran, "in_match", e->in_match, "in_unseen", e->in_unseen, "in_final",
                  e->in_final),
        end_json(e),
        json_pack("{s:o, s:o, s:o, s:I}", "denied", denial_json(e), "fault",
                  bp_json_text_or_null(e->fault), "usage", usage_json(&e->usage), "log_bytes",
                  (json_int_t)e->log_bytes),
    };
    return bp_json_joined(parts, sizeof parts / sizeof parts[0]);
}

/* The payloads one behind the other, a stream that any msgpack reader takes: without the lengths. */
static int put_frames(int dir, const struct bp_evidence *evidence, struct bp_error *err)
{
    BP_AUTO_FREE char *stream = malloc(evidence->frames_bytes + 1);
    size_t used = 0;
    if (!stream)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for frames");
    for (size_t at = 0; at + BP_FRAME_HEADER <= evidence->frames_bytes;) {
        uint32_t length;
        memcpy(&length, evidence->frames + at, sizeof length);
        length = ntohl(length);
        at += BP_FRAME_HEADER;
        if (length > evidence->frames_bytes - at)
            break;
        memcpy(stream + used, evidence->frames + at, length);
        used += length;
        at += length;
    }
    return put(dir, BP_BUNDLE_FRAMES, stream, used, err);
}

static int put_object(int dir, const struct bp_evidence *evidence, struct bp_error *err)
{
    struct stat info;
    if (evidence->object_fd < 0)
        return 0;
    if (fstat(evidence->object_fd, &info) < 0)
        return bp_fail_errno(err, "cannot read the object");
    size_t size = (size_t)info.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, evidence->object_fd, 0);
    if (bytes == MAP_FAILED)
        return bp_fail_errno(err, "cannot map the object");
    int result = put(dir, BP_BUNDLE_OBJECT, bytes, size, err);
    munmap(bytes, size);
    return result;
}

static int put_backtrace(int dir, const char *backtrace, struct bp_error *err)
{
    struct bp_buffer text;
    bp_buffer_init(&text, bp_bundle_rows[BP_BUNDLE_BACKTRACE].max_bytes);
    int result = bp_buffer_printf(&text, err, "%s%s", backtrace_head, backtrace);
    if (result == 0)
        result = put(dir, BP_BUNDLE_BACKTRACE, text.data, text.size, err);
    bp_buffer_free(&text);
    return result;
}

static int put_evidence(int dir, const struct bp_evidence *evidence, struct bp_error *err)
{
    if (put_json(dir, BP_BUNDLE_EVIDENCE, evidence_json(evidence), BP_JSON_FLAGS, err) < 0 ||
        put_object(dir, evidence, err) < 0)
        return -1;
    if (evidence->frames_bytes > 0 && put_frames(dir, evidence, err) < 0)
        return -1;
    if (evidence->log_bytes > 0 &&
        put(dir, BP_BUNDLE_LOG, evidence->log, evidence->log_bytes, err) < 0)
        return -1;
    return evidence->backtrace ? put_backtrace(dir, evidence->backtrace, err) : 0;
}

static int put_knobs(int dir, const struct bp_evaluation *evaluation, struct bp_error *err)
{
    struct bp_buffer text;
    bp_buffer_init(&text, BP_KNOBS_YAML_MAX);
    int result = bp_knobs_yaml(evaluation, &text, err);
    if (result == 0)
        result = put(dir, BP_BUNDLE_KNOBS, bp_buffer_text(&text), text.size, err);
    bp_buffer_free(&text);
    return result;
}

static int fill(int dir, const struct bp_replay_setting *setting,
                const struct bp_evaluation *evaluation, struct bp_error *err)
{
    if (put(dir, BP_BUNDLE_KERNEL, evaluation->source, evaluation->source_bytes, err) < 0 ||
        put_knobs(dir, evaluation, err) < 0 ||
        put_json(dir, BP_BUNDLE_EVALUATION, bp_evaluation_json(evaluation), BP_JSON_FLAGS, err) <
            0 ||
        put_json(dir, BP_BUNDLE_REPLAY, bp_replay_json(setting, evaluation),
                 JSON_INDENT(2) | JSON_REAL_PRECISION(17), err) < 0)
        return -1;
    if (evaluation->evidence && put_evidence(dir, evaluation->evidence, err) < 0)
        return -1;
    return fsync(dir) < 0 ? bp_fail_errno(err, "cannot sync a bundle") : 0;
}

int bp_bundle_write(const char *path, const struct bp_replay_setting *setting,
                    const struct bp_evaluation *evaluation, struct bp_error *err)
{
    char fresh[BP_REPORT_PATH];
    struct bp_error ignored;
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.tmp", path) >= sizeof fresh)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", path);
    if (bp_directory_remove(fresh, err) < 0)
        return -1;
    if (mkdir(fresh, 0755) < 0)
        return bp_fail_errno(err, "cannot create %s", fresh);
    BP_AUTO_FD int dir = open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result =
        dir < 0 ? bp_fail_errno(err, "cannot open %s", fresh) : fill(dir, setting, evaluation, err);
    if (result < 0)
        (void)bp_fail_within(err, "cannot write %.120s", path);
    else
        result = bp_directory_replace(fresh, path, err);
    if (result < 0)
        (void)!bp_directory_remove(fresh, &ignored);
    return result;
}

void bp_bundle_name(const struct bp_evaluation *evaluation, char *name, size_t size)
{
    uint32_t number = evaluation->duplicate ? evaluation->duplicate_of : evaluation->number;
    name[0] = '\0';
    if (evaluation->verdict != BP_VERDICT_PASS)
        snprintf(name, size, "failures/%05" PRIu32, number);
}

int bp_bundle_write_failure(const char *dir, const struct bp_replay_setting *setting,
                            const struct bp_evaluation *evaluation, struct bp_error *err)
{
    char path[BP_REPORT_PATH], name[32];
    bp_bundle_name(evaluation, name, sizeof name);
    if (!name[0] || evaluation->duplicate)
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/failures", dir) >= sizeof path - sizeof name)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", dir);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return bp_fail_errno(err, "cannot create %s", path);
    snprintf(path, sizeof path, "%.*s/%s", (int)(sizeof path - sizeof name), dir, name);
    return bp_bundle_write(path, setting, evaluation, err);
}
