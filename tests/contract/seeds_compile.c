/* Compiles every seed kernel with a vendor's run-time compiler: in each dtype with its default
 * knobs, and at a few random points of its space. Nothing is run, so no GPU is needed.
 *
 * seeds_compile hiprtc|nvrtc <seeds folder> <include folder>; exit 77 (skipped) without the
 * library. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/random.h"
#include "harness/config/kernel_head.h"
#include "tests/contract/runtime_compiler.h"

#define SKIPPED 77
#define RANDOM_POINTS 2
#define COMPILE_LIMIT_S 120
#define SEED 20221
#define MAX_TEXT_BYTES (16u << 20)

/* Seeds that refuse to compile for an architecture without matrix units. */
static const char *const matrix_seeds[] = {"matrix_flash"};

struct job {
    enum bp_runtime runtime;
    const char *arch;
    const char *name;
    const char *source;
    const struct bp_runtime_header *headers;
    size_t header_count;
    const struct bp_space *space;
    const struct bp_point *point;
    enum bp_dtype dtype;
};

struct tally {
    unsigned compiled, failed;
};

static void read_text(const char *folder, const char *name, struct bp_buffer *text)
{
    char path[4096];
    struct bp_error err;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    bp_buffer_init(text, MAX_TEXT_BYTES);
    if (bp_io_read_file(path, text, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        exit(2);
    }
}

/* In the child: the exit status is 0 when the code object holds the kernels a contract asks for. */
static int compile(const struct job *job)
{
    char texts[BP_MAX_KNOBS][BP_KNOB_NAME + 32];
    const char *options[BP_MAX_KNOBS + 2];
    size_t count = 0;
    options[count++] = "-std=c++17";
    options[count++] = bp_dtype_define(job->dtype);
    for (uint32_t n = 0; n < job->space->knob_count; n++) {
        snprintf(texts[n], sizeof(texts[n]), "-D%s=%" PRId64, job->space->knobs[n].name,
                 bp_space_value(job->space, job->point, n));
        options[count++] = texts[n];
    }

    const char *reason;
    const struct bp_runtime_compiler *compiler = bp_runtime_open(job->runtime, &reason);
    struct bp_buffer code, log;
    bp_buffer_init(&code, MAX_TEXT_BYTES);
    bp_buffer_init(&log, MAX_TEXT_BYTES);
    if (!compiler || !bp_runtime_compile(compiler, job->arch, job->source, job->headers,
                                         job->header_count, options, count, &code, &log)) {
        printf("%s\n", compiler ? bp_buffer_text(&log) : reason);
        return 1;
    }
    const char *const kernels[] = {"gqa_plan", "gqa_kernel0"};
    for (size_t n = 0; n < sizeof(kernels) / sizeof(kernels[0]); n++)
        if (!bp_code_object_defines(&code, kernels[n])) {
            printf("the code object does not define %s\n", kernels[n]);
            return 1;
        }
    return 0;
}

/* The compilers are known to abort: each compile has a process of its own. */
static void compile_apart(const struct job *job, struct tally *tally)
{
    char knobs[1024];
    bp_space_describe(job->space, job->point, knobs, sizeof(knobs));
    const uint64_t begin = bp_clock_ns();
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(COMPILE_LIMIT_S);
        const int status = compile(job);
        fflush(stdout);
        /* exit() would run the libraries' destructors, and the leak checker on them. */
        _exit(status);
    }
    int status = -1;
    const bool ok = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    printf("%s %s %s %s %s: %.2f s\n", ok ? "ok    " : "FAILED", job->name, job->arch,
           bp_dtype_name(job->dtype), knobs, bp_ns_to_ms(bp_clock_ns() - begin) * 1e-3);
    if (!ok && WIFSIGNALED(status))
        printf("       the compiler died: %s\n", strsignal(WTERMSIG(status)));
    tally->compiled++;
    tally->failed += !ok;
}

static void compile_seed(struct job *job, const struct bp_kernel_head *head, struct tally *tally)
{
    struct bp_key key;
    struct bp_random random;
    struct bp_error err;
    enum bp_dtype dtypes[BP_DTYPE_COUNT];
    unsigned dtype_count = 0;
    for (unsigned dtype = 0; dtype < BP_DTYPE_COUNT; dtype++)
        if (head->dtypes[dtype])
            dtypes[dtype_count++] = (enum bp_dtype)dtype;

    job->space = &head->space;
    job->point = &head->default_point;
    for (unsigned n = 0; n < dtype_count; n++) {
        job->dtype = dtypes[n];
        compile_apart(job, tally);
    }
    bp_key_from_seed(SEED, &key);
    bp_random_start(&random, &key);
    for (unsigned n = 0; n < RANDOM_POINTS; n++) {
        struct bp_point point;
        if (bp_space_random(&head->space, &random, &point, &err) != 0) {
            printf("FAILED %s: %s\n", job->name, err.msg);
            tally->failed++;
            return;
        }
        job->point = &point;
        job->dtype = dtypes[n % dtype_count];
        compile_apart(job, tally);
    }
}

static const char *arch_for(enum bp_runtime runtime, const char *seed)
{
    enum bp_runtime_units units = BP_RUNTIME_VECTOR;
    for (size_t n = 0; n < sizeof(matrix_seeds) / sizeof(matrix_seeds[0]); n++)
        if (strcmp(seed, matrix_seeds[n]) == 0)
            units = BP_RUNTIME_MATRIX;
    return bp_runtime_arch(runtime, units);
}

static int is_seed(const struct dirent *entry)
{
    const char *suffix = strrchr(entry->d_name, '.');
    return suffix && strcmp(suffix, ".hip") == 0;
}

static bool library_present(enum bp_runtime runtime)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const char *reason;
        const struct bp_runtime_compiler *compiler = bp_runtime_open(runtime, &reason);
        if (!compiler)
            printf("skipped: %s\n", reason);
        fflush(stdout);
        _exit(compiler ? 0 : SKIPPED);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s hiprtc|nvrtc SEEDS INCLUDE\n", argv[0]);
        return 2;
    }
    const bool amd = strcmp(argv[1], "hiprtc") == 0;
    struct job job = {.runtime = amd ? BP_RUNTIME_HIPRTC : BP_RUNTIME_NVRTC};
    if (!library_present(job.runtime))
        return SKIPPED;

    struct bp_buffer gqa, abi;
    read_text(argv[3], "gqa.h", &gqa);
    read_text(argv[3], "gqa_abi.h", &abi);
    const struct bp_runtime_header headers[] = {{"gqa.h", gqa.data}, {"gqa_abi.h", abi.data}};
    job.headers = headers;
    job.header_count = 2;

    struct dirent **files;
    const int file_count = scandir(argv[2], &files, is_seed, alphasort);
    struct tally tally = {0, 0};
    for (int n = 0; n < file_count; n++) {
        struct bp_buffer source;
        struct bp_kernel_head head;
        struct bp_error err;
        read_text(argv[2], files[n]->d_name, &source);
        if (bp_kernel_head_parse(files[n]->d_name, source.data, source.size, &head, &err) != 0) {
            printf("FAILED %s\n", err.msg);
            tally.failed++;
        } else {
            job.name = head.name;
            job.arch = arch_for(job.runtime, head.name);
            job.source = source.data;
            if (head.targets & (amd ? BP_TARGET_AMD : BP_TARGET_NVIDIA))
                compile_seed(&job, &head, &tally);
            bp_kernel_head_free(&head);
        }
        bp_buffer_free(&source);
        free(files[n]);
    }
    free(files);
    bp_buffer_free(&gqa);
    bp_buffer_free(&abi);
    printf("%u compiled, %u failed\n", tally.compiled, tally.failed);
    return tally.failed > 0 || tally.compiled == 0;
}
