#include "evaluator/compile_gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/weaken.h"
#include "evaluator/compile_parts.h"
#include "evaluator/diagnostics.h"
#include "evaluator/gpu_api.h"
#include "evaluator/profile_amd.h"
#include "evaluator/profile_nvidia.h"
#include "kernels/embedded.h"

#define MAX_HEADERS 8
#define MAX_FIXED 8
#define MAX_OPTIONS (1 + MAX_FIXED + 1 + BP_MAX_DEFINES)

/* Statuses of both compilers. */
enum { RTC_SUCCESS = 0, RTC_OUT_OF_MEMORY = 1, RTC_INVALID_OPTION = 5, RTC_COMPILATION = 6 };

static const struct {
    const char *title, *arch_option;
    const char *fixed[MAX_FIXED]; /* up to the first null */
} vendors[BP_GPU_KIND_COUNT] = {
    [BP_GPU_AMD] = {"hipRTC",
                    "--offload-arch=",
                    {"-std=c++17", "-O3", "-w", "-fno-color-diagnostics", "-ferror-limit=20"}},
    /* ptxas's report on each kernel: registers, spills, shared memory */
    [BP_GPU_NVIDIA] = {"NVRTC",
                       "--gpu-architecture=",
                       {"-std=c++17", "--disable-warnings", "--ptxas-options=-O3",
                        "--ptxas-options=-v"}},
};

static struct {
    bool opened;
    struct bp_gpu_api api;
} compilers[BP_GPU_KIND_COUNT];

struct options {
    char arch[BP_TEXT_SHORT + 32];
    char defines[BP_MAX_DEFINES][BP_COMPILE_DEFINE_TEXT];
    const char *list[MAX_OPTIONS];
    size_t count;
};

int bp_compile_gpu_open(enum bp_gpu_kind kind, struct bp_error *err)
{
    if (compilers[kind].opened)
        return 0;
    if (bp_gpu_api_open(kind, BP_GPU_COMPILER, &compilers[kind].api, err) < 0)
        return -1;
    compilers[kind].opened = true;
    return 0;
}

static int make_options(const struct bp_gpu_arch *arch,
                        const struct bp_msg_compile_request *request, struct options *options,
                        struct bp_error *err)
{
    options->count = 0;
    snprintf(options->arch, sizeof options->arch, "%s%s", vendors[arch->kind].arch_option,
             arch->name);
    options->list[options->count++] = options->arch;
    for (int i = 0; i < MAX_FIXED && vendors[arch->kind].fixed[i]; i++)
        options->list[options->count++] = vendors[arch->kind].fixed[i];
    return bp_compile_defines(request, options->defines, options->list, &options->count, err);
}

static void describe(enum bp_gpu_kind kind, const struct options *options,
                     struct bp_msg_compile_result *result)
{
    const struct bp_gpu_api *api = &compilers[kind].api;
    int major = 0, minor = 0;
    api->compiler_version(&major, &minor);
    snprintf(result->compiler, sizeof result->compiler, "%s %d.%d, %s", vendors[kind].title, major,
             minor, api->compiler_library);
    size_t room = sizeof result->command;
    size_t used = (size_t)snprintf(result->command, room, "%s", vendors[kind].title);
    for (size_t i = 0; i < options->count && used < room; i++)
        used += (size_t)snprintf(result->command + used, room - used, " %s", options->list[i]);
    if (used < room)
        snprintf(result->command + used, room - used, " %s", BP_COMPILE_SOURCE_NAME);
}

/* ---- the log ---- */

/* hipRTC copies sources to files "TMPDIR/comgr-123abc/input/CompileSource" and "…/include/gqa.h", and
 * its diagnostics name these. In place: what is put there is never longer. */
static void shorten_paths(char *text)
{
    static const char copy[] = "CompileSource";
    char *out = text;
    const char *in = text;
    while (*in) {
        size_t word = strcspn(in, " \n'\"(");
        const char *folder = memmem(in, word, "/comgr-", 7);
        const char *input = folder ? memmem(in, word, "/input/", 7) : NULL;
        const char *include = folder ? memmem(in, word, "/include/", 9) : NULL;
        const char *name = input ? input + 7 : include ? include + 9 : in;
        size_t left = word - (size_t)(name - in);
        if (input && strncmp(name, copy, sizeof copy - 1) == 0) {
            out = stpcpy(out, BP_COMPILE_SOURCE_NAME);
            name += sizeof copy - 1;
            left -= sizeof copy - 1;
        }
        memmove(out, name, left);
        out += left;
        in += word;
        if (*in)
            *out++ = *in++;
    }
    *out = '\0';
}

/* ptxas's report is not a diagnostic. In place. */
static void drop_report(char *text)
{
    char *out = text;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        length += line[length] == '\n';
        bool report = strncmp(line, "ptxas info", 10) == 0 || strncmp(line, "ptxas   ", 8) == 0;
        if (!report) {
            memmove(out, line, length);
            out += length;
        }
        line += length;
    }
    *out = '\0';
}

/* The log as the compiler gave it, with a NUL behind it; the caller frees it. */
static char *take_log(const struct bp_gpu_api *api, bp_gpu_program program, size_t *size)
{
    size_t bytes = 0;
    if (api->program_log_size(program, &bytes) != RTC_SUCCESS)
        bytes = 0;
    char *log = calloc(1, bytes + 1);
    if (log && bytes > 0 && api->program_log(program, log) != RTC_SUCCESS)
        log[0] = '\0';
    *size = log ? strlen(log) : 0;
    return log;
}

/* ---- one compile ---- */

struct job {
    const struct bp_gpu_arch *arch;
    const struct bp_gpu_api *api;
    const struct bp_msg_compile_request *request;
    bp_gpu_program program;
    int object_fd;
    struct bp_msg_compile_result *result;
};

static void judge_status(const struct job *job, int status, size_t log_bytes)
{
    struct bp_msg_compile_result *result = job->result;
    result->verdict = status == RTC_SUCCESS         ? BP_VERDICT_PASS
                      : status == RTC_COMPILATION   ? BP_VERDICT_COMPILE_ERROR
                      : status == RTC_OUT_OF_MEMORY ? BP_VERDICT_COMPILE_LIMIT
                                                    : BP_VERDICT_COMPILER_CRASH;
    if (result->verdict == BP_VERDICT_PASS)
        return;
    bp_diagnostics_first_error(result->diagnostics, result->message, sizeof result->message);
    if (bp_diagnostics_over_limit(result->diagnostics, result->message, sizeof result->message))
        result->verdict = BP_VERDICT_RESOURCE_LIMIT;
    else if (log_bytes > BP_COMPILE_LOG_MAX && !bp_weakened(BP_DEFENCE_diagnostics_cap))
        bp_compile_printed_too_much(result);
    else if (!result->message[0])
        snprintf(result->message, sizeof result->message, "the compiler answers %s",
                 job->api->compiler_error(status));
}

/* Only ever for the worse: a verdict that is no PASS stays where nothing is over a limit. */
static void check_profile(const struct job *job)
{
    struct bp_msg_compile_result *result = job->result;
    enum bp_verdict verdict =
        bp_profile_check(&result->profile, job->arch, job->request->spills_below, result->message,
                         sizeof result->message);
    if (verdict != BP_VERDICT_PASS)
        result->verdict = verdict;
}

/* A profile that cannot be had is no reason to refuse a kernel that compiles: the child's log says why. */
static void take_profile(const struct job *job, const void *code, size_t bytes, const char *log)
{
    struct bp_msg_compile_result *result = job->result;
    struct bp_error why;
    if (job->arch->kind == BP_GPU_NVIDIA)
        bp_profile_nvidia(log, &result->profile);
    else if (bp_profile_amd(job->api->comgr, code, bytes, &result->profile, &why) < 0)
        fprintf(stderr, "no profile: %s\n", why.msg);
    bp_profile_finish(&result->profile, job->arch);
    check_profile(job);
}

/* ptxas, asked for its report, gives no reason but in it for a kernel that takes too much. */
static void explain_silence(const struct job *job, const char *log)
{
    if (job->arch->kind != BP_GPU_NVIDIA || job->result->diagnostics[0])
        return;
    bp_profile_nvidia(log, &job->result->profile);
    bp_profile_finish(&job->result->profile, job->arch);
    check_profile(job);
}

static int take_code(const struct job *job, const char *log, struct bp_error *err)
{
    size_t bytes = 0;
    if (job->api->program_code_size(job->program, &bytes) != RTC_SUCCESS || bytes == 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the compiler made no code and did not say why");
    BP_AUTO_FREE char *code = malloc(bytes);
    if (!code)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an object of %zu bytes", bytes);
    if (job->api->program_code(job->program, code) != RTC_SUCCESS)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "the compiler does not hand out its code");
    take_profile(job, code, bytes, log);
    if (job->result->verdict != BP_VERDICT_PASS)
        return 0;
    return bp_compile_deliver(job->request, code, bytes, job->object_fd, job->result, err);
}

static int run_compiler(const struct job *job, const struct options *options, struct bp_error *err)
{
    struct bp_msg_compile_result *result = job->result;
    size_t log_bytes;
    int status = job->api->program_compile(job->program, (int)options->count, options->list);
    BP_AUTO_FREE char *log = take_log(job->api, job->program, &log_bytes);
    if (!log)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for the compiler's log");
    if (status == RTC_INVALID_OPTION)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s does not take the options: %.200s",
                       result->compiler, log);
    shorten_paths(log);
    bp_diagnostics_clean(log, strlen(log), result->diagnostics, sizeof result->diagnostics);
    drop_report(result->diagnostics);
    judge_status(job, status, log_bytes);
    if (result->verdict == BP_VERDICT_PASS)
        return take_code(job, log, err);
    explain_silence(job, log);
    return 0;
}

static int create(const struct bp_gpu_api *api, const char *source, bp_gpu_program *program)
{
    const char *headers[MAX_HEADERS], *names[MAX_HEADERS];
    int count = 0;
    for (const struct bp_embedded_file *h = bp_embedded_headers; h->name; h++) {
        headers[count] = h->text;
        names[count++] = h->name;
    }
    return api->program_create(program, source, BP_COMPILE_SOURCE_NAME, count, headers, names);
}

int bp_compile_gpu(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err)
{
    const struct bp_gpu_arch *arch = bp_gpu_arch_find(request->arch);
    struct options options;
    memset(result, 0, sizeof *result);
    if (!arch || request->gates != 0)
        return bp_fail(err, BP_ERR_PROTOCOL, "no GPU compile for arch '%s', gates %u",
                       request->arch, request->gates);
    struct job job = {.arch = arch,
                      .api = &compilers[arch->kind].api,
                      .request = request,
                      .object_fd = object_fd,
                      .result = result};
    if (bp_compile_gpu_open(arch->kind, err) < 0 || make_options(arch, request, &options, err) < 0)
        return -1;
    describe(arch->kind, &options, result);
    int status = create(job.api, source, &job.program);
    if (status != RTC_SUCCESS)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s cannot begin: %s", result->compiler,
                       job.api->compiler_error(status));
    int done = run_compiler(&job, &options, err);
    job.api->program_destroy(&job.program);
    return done;
}
