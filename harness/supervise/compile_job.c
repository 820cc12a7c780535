#include "harness/supervise/compile_job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/text.h"
#include "harness/supervise/memory_kills.h"

#define OBJECT_MAX_BYTES (64u << 20)

static void fill_request(const struct bp_compile_options *options,
                         struct bp_msg_compile_request *request)
{
    memcpy(request->device, options->device, sizeof request->device);
    memcpy(request->arch, options->arch, sizeof request->arch);
    request->source_bytes = options->source_bytes;
    request->object_max_bytes = OBJECT_MAX_BYTES;
    request->dtype = options->dtype;
    request->gates = options->gates;
    request->spills_below = options->spills_below;
    request->define_count = options->define_count;
    if (options->define_count > 0)
        memcpy(request->defines, options->defines,
               options->define_count * sizeof *options->defines);
}

static int send_request(struct bp_compile_job *job, struct bp_error *err)
{
    const struct bp_compile_options *options = &job->options;
    BP_AUTO_FREE struct bp_msg_compile_request *request = bp_fault_calloc(1, sizeof *request);
    if (!request)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for a compile request");
    fill_request(options, request);
    BP_AUTO_FD int source_fd =
        bp_io_memfd_sealed("source", options->source, options->source_bytes, err);
    if (source_fd < 0)
        return -1;
    int fds[2] = {source_fd, job->object_fd};
    return bp_child_request(job->child, BP_MESSAGE_compile_request, request, fds, 2,
                            options->children.compile_ms, err);
}

static void infra(struct bp_compile_job *job, const struct bp_error *err)
{
    job->outcome.verdict = BP_VERDICT_INFRA;
    snprintf(job->outcome.message, sizeof job->outcome.message, "%s", err->msg);
    job->answered = true;
    bp_child_stop(job->child);
}

/* Nobody here kills a compiler alone: it was the kernel, for want of memory, or another hand. */
static bool was_killed_from_outside(const struct bp_compile_job *job,
                                    const struct bp_msg_compile_result *result)
{
    return result->killed && bp_memory_kills() == job->memory_kills;
}

/* The compiler has read the candidate's words: what it says of itself may hold them. */
static void clean(struct bp_compile_job *job)
{
    bp_text_clean(job->compiler);
    bp_text_clean(job->command);
    for (uint32_t i = 0; i < job->profile.kernel_count; i++)
        bp_text_clean(job->profile.kernels[i].name);
}

static void take_result(struct bp_compile_job *job, const struct bp_msg_compile_result *result)
{
    struct bp_error err;
    bp_outcome_of_claim(BP_STAGE_compile, result->verdict, result->message, &job->outcome);
    if (was_killed_from_outside(job, result)) {
        bp_fail(&err, BP_ERR_UNAVAILABLE, "the compiler was killed by SIGKILL from outside");
        bp_outcome_of_error(&err, &job->outcome);
    }
    job->object_bytes = result->object_bytes;
    memcpy(job->compiler, result->compiler, sizeof job->compiler);
    memcpy(job->command, result->command, sizeof job->command);
    job->profile = result->profile;
    clean(job);
    job->diagnostics = strdup(result->diagnostics);
    job->answered = true;
    /* Only a dead compiler can no longer change the object: it is sealed in `ended`. */
    bp_child_stop(job->child);
}

static void ask(struct bp_compile_job *job)
{
    struct bp_error err;
    if (send_request(job, &err) < 0)
        infra(job, &err);
    else
        job->working = true;
}

static void compile_answer(void *context, struct bp_child *child, enum bp_message_type type,
                           const void *message)
{
    struct bp_compile_job *job = context;
    (void)child;
    if (type == BP_MESSAGE_ready) {
        ask(job);
    } else if (type == BP_MESSAGE_failure) {
        bp_outcome_of_failure(BP_STAGE_compile, message, false, &job->outcome);
        job->answered = true;
        bp_child_stop(job->child);
    } else {
        take_result(job, message);
    }
}

static int seal_object(struct bp_compile_job *job, struct bp_error *err)
{
    if (bp_io_memfd_seal(job->object_fd, err) < 0)
        return -1;
    off_t size = lseek(job->object_fd, 0, SEEK_END);
    if (size <= 0 || (uint64_t)size != job->object_bytes || job->object_bytes > OBJECT_MAX_BYTES)
        return bp_fail(err, BP_ERR_PROTOCOL, "the object is not as large as was said");
    void *bytes = bp_fault(BP_FAULT_mmap)
                      ? MAP_FAILED
                      : mmap(NULL, job->object_bytes, PROT_READ, MAP_SHARED, job->object_fd, 0);
    if (bytes == MAP_FAILED)
        return bp_fail_errno(err, "cannot map an object");
    bp_hash_text(bytes, job->object_bytes, job->object_hash);
    munmap(bytes, job->object_bytes);
    return 0;
}

/* ---- the cache ---- */

static void keep(const struct bp_compile_job *job)
{
    BP_AUTO_FREE struct bp_cached_object *object = calloc(1, sizeof *object);
    if (!object || !job->key[0])
        return;
    *object = (struct bp_cached_object){
        .fd = job->object_fd, .bytes = job->object_bytes, .profile = job->profile};
    memcpy(object->key, job->key, sizeof object->key);
    memcpy(object->hash, job->object_hash, sizeof object->hash);
    memcpy(object->compiler, job->compiler, sizeof object->compiler);
    memcpy(object->command, job->command, sizeof object->command);
    bp_object_cache_keep(job->options.cache, object);
}

static bool find(struct bp_compile_job *job)
{
    struct bp_error ignored;
    BP_AUTO_FREE struct bp_msg_compile_request *request = calloc(1, sizeof *request);
    if (!request)
        return false;
    fill_request(&job->options, request);
    if (bp_object_cache_key(request, job->options.source, job->options.source_bytes, job->key,
                            &ignored) < 0)
        return false;
    const struct bp_cached_object *object = bp_object_cache_find(job->options.cache, job->key);
    int fd = object ? fcntl(object->fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd < 0)
        return false;
    job->object_fd = fd;
    job->object_bytes = object->bytes;
    job->profile = object->profile;
    memcpy(job->object_hash, object->hash, sizeof job->object_hash);
    memcpy(job->compiler, object->compiler, sizeof job->compiler);
    memcpy(job->command, object->command, sizeof job->command);
    job->outcome.verdict = BP_VERDICT_PASS;
    job->total_ms = bp_ns_to_ms(bp_clock_ns() - job->started_ns);
    job->cached = job->done = true;
    return true;
}

static void compile_ended(void *context, struct bp_child *child, const struct bp_child_end *end)
{
    struct bp_compile_job *job = context;
    struct bp_error err;
    if (!job->answered)
        bp_outcome_of_end(BP_STAGE_compile, end, job->options.children.compile_ms, &job->outcome);
    if (job->outcome.verdict == BP_VERDICT_PASS && seal_object(job, &err) < 0) {
        job->outcome.verdict = err.code == BP_ERR_PROTOCOL ? BP_VERDICT_PROTOCOL : BP_VERDICT_INFRA;
        snprintf(job->outcome.message, sizeof job->outcome.message, "%s", err.msg);
    }
    if (job->outcome.verdict == BP_VERDICT_PASS && job->options.cache)
        keep(job);
    if (job->outcome.verdict != BP_VERDICT_PASS) {
        bp_close_fd(&job->object_fd);
        if (!job->diagnostics || !*job->diagnostics) {
            free(job->diagnostics);
            job->diagnostics = strdup(bp_child_log(child));
        }
    }
    job->evidence = bp_evidence_of_child(BP_STAGE_compile, child, end);
    job->compiler_ms = bp_child_busy_ms(child);
    job->total_ms = bp_ns_to_ms(bp_clock_ns() - job->started_ns);
    job->done = true;
    bp_child_release(&job->child);
}

static const struct bp_child_handlers handlers = {compile_answer, compile_ended};

static int start_child(struct bp_compile_job *job, struct bp_error *err)
{
    struct bp_child_options options;
    bp_spare_describe(&job->options.children, job->options.arch, &options);
    options.handlers = &handlers;
    options.context = job;
    return bp_child_start(&options, &job->child, err);
}

int bp_compile_start(struct bp_compile_job *job, const struct bp_compile_options *options,
                     struct bp_error *err)
{
    *job = (struct bp_compile_job){.options = *options, .object_fd = -1};
    job->started_ns = bp_clock_ns();
    if (options->cache && find(job))
        return 0;
    job->memory_kills = bp_memory_kills();
    job->object_fd = bp_io_memfd("object", 0, err);
    if (job->object_fd < 0)
        return -1;
    bool ready = false;
    if (options->spare)
        job->child = bp_spare_take(options->spare, &handlers, job, &ready);
    if (!job->child && start_child(job, err) < 0) {
        bp_close_fd(&job->object_fd);
        return -1;
    }
    if (ready)
        ask(job);
    return 0;
}

void bp_compile_free(struct bp_compile_job *job)
{
    bp_child_release(&job->child);
    bp_close_fd(&job->object_fd);
    free(job->diagnostics);
    job->diagnostics = NULL;
    bp_evidence_free(job->evidence);
    job->evidence = NULL;
}
