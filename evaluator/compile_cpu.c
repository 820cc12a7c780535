#include "evaluator/compile_cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/weaken.h"
#include "evaluator/compile_parts.h"
#include "evaluator/diagnostics.h"
#include "kernels/embedded.h"

#define INCLUDES_MAX (64 << 10) /* bytes of the compiler's list of files */
#define LOG_RESERVED (64 << 10) /* bytes on the private disk that only diagnostics may use */
#define MAX_ARGUMENTS (BP_MAX_DEFINES + 80)

static const char source_name[] = BP_COMPILE_SOURCE_NAME;
static const char code_name[] = "kernel.o";
static const char object_name[] = "object.so";
static const char log_name[] = "diagnostics.txt";
static const char includes_name[] = "includes.d";

/* clang -c and ld.lld by themselves: two processes where clang's driver for both makes three.
 * IEEE semantics are kept but for contraction, which GPU compilers do by default too. */
static const char *const clang_arguments[] = {"-c",
                                              "-x",
                                              "c++",
                                              "-std=c++17",
                                              "-O3",
                                              "-ffp-contract=fast",
                                              "-fno-math-errno",
                                              "-fno-exceptions",
                                              "-fno-rtti",
                                              "-fno-threadsafe-statics",
                                              "-fno-stack-protector",
                                              "-fno-asynchronous-unwind-tables",
                                              "-fno-ident",
                                              "-fPIC",
                                              "-fno-plt",
                                              "-fvisibility=hidden",
                                              "-nostdinc",
                                              "-w",
                                              "-fno-color-diagnostics",
                                              "-ferror-limit=20",
                                              "-fno-crash-diagnostics",
                                              "-MD",
                                              "-MF",
                                              includes_name,
                                              "-DGQA_CPU"};
/* Behind the arguments above where the object is for the gates. Clang's instrumentation as calls only,
 * whose other end is evaluator/gate.c: kernel-address calls out for accesses of every size (thread
 * knows powers of two only), thread for atomics. Options of the passes, not of the driver, which
 * would forbid the combination. Optimised, so that helpers are inlined and lines are the kernel's;
 * not vectorised, so that an access is one in the source. */
#define UNDEFINED                                                                                  \
    "signed-integer-overflow,shift-base,shift-exponent,integer-divide-by-zero,"                    \
    "float-cast-overflow,array-bounds,alignment,bool,unreachable,return"
static const char *const gate_arguments[] = {"-O2",
                                             "-g1",
                                             "-DGQA_GATES",
                                             "-fno-vectorize",
                                             "-fno-slp-vectorize",
                                             "-fno-optimize-sibling-calls"};
static const char *const memory_arguments[] = {
    "-Xclang", "-fsanitize=kernel-address,thread",
    "-Xclang", "-fsanitize-recover=kernel-address",
    "-mllvm",  "-asan-instrumentation-with-call-threshold=0",
    "-mllvm",  "-asan-stack=0",
    "-mllvm",  "-asan-globals=0",
    "-mllvm",  "-asan-opt-same-temp=0",
    "-mllvm",  "-asan-opt-globals=0",
    "-mllvm",  "-asan-instrument-atomics=0",
    "-mllvm",  "-tsan-instrument-memory-accesses=0",
    "-mllvm",  "-tsan-instrument-func-entry-exit=0",
    "-mllvm",  "-tsan-instrument-memintrinsics=0"};
static const char *const undefined_arguments[] = {"-Xclang", "-fsanitize=" UNDEFINED,
                                                  "-Xclang", "-fsanitize-recover=" UNDEFINED,
                                                  "-Xclang", "-fsanitize-minimal-runtime"};
static const char *const lld_arguments[] = {"-shared",
                                            "--hash-style=sysv",
                                            "--build-id=none",
                                            "--gc-sections",
                                            "--no-dynamic-linker",
                                            "--no-dependent-libraries",
                                            "-z",
                                            "now",
                                            "-z",
                                            "noexecstack",
                                            "-z",
                                            "relro",
                                            "-z",
                                            "max-page-size=4096",
                                            "--error-limit=20",
                                            code_name,
                                            "-o",
                                            object_name};

/* The tools, looked for once in a process. */
static struct {
    bool looked;
    char clang[64], lld[64];
    char version[BP_TEXT_LINE];
} tools;

struct arguments {
    char *list[MAX_ARGUMENTS + 1]; /* null-terminated; borrowed strings */
    size_t count;
};

static void add_argument(struct arguments *arguments, const char *text)
{
    arguments->list[arguments->count++] = (char *)(uintptr_t)text;
    arguments->list[arguments->count] = NULL;
}

static void add_arguments(struct arguments *arguments, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_argument(arguments, texts[i]);
}

/* Runs list[0] with nothing to read and all it prints in the log file; *status as of waitpid. */
static int run_tool(const struct arguments *arguments, int *status, struct bp_error *err)
{
    static char path[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C", temporary[] = "TMPDIR=.";
    /* A crash would else begin with a search for llvm-symbolizer. */
    static char no_symbolizer[] = "LLVM_DISABLE_SYMBOLIZATION=1";
    static char *const environment[] = {path, locale, temporary, no_symbolizer, NULL};
    BP_AUTO_FD int log = open(log_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0)
        return bp_fail_errno(err, "cannot create %s", log_name);
    /* So that a tool which fills the disk can still say so. Where it is full already, it cannot. */
    (void)!fallocate(log, FALLOC_FL_KEEP_SIZE, 0, LOG_RESERVED);
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        for (int fd = 0; rc == 0 && fd <= 2; fd++)
            rc = posix_spawn_file_actions_adddup2(&actions, log, fd);
        if (rc == 0)
            rc =
                posix_spawn(&pid, arguments->list[0], &actions, NULL, arguments->list, environment);
        posix_spawn_file_actions_destroy(&actions);
    }
    if (rc != 0) {
        errno = rc;
        return bp_fail_errno(err, "cannot start %s", arguments->list[0]);
    }
    while (waitpid(pid, status, 0) < 0) {
        if (errno != EINTR)
            return bp_fail_errno(err, "cannot wait for %s", arguments->list[0]);
    }
    return 0;
}

/* The log, cleaned, into text; *over says that there was more than BP_COMPILE_LOG_MAX. */
static int read_log(char text[BP_TEXT_DIAGNOSTICS], bool *over, struct bp_error *err)
{
    BP_AUTO_FD int log = open(log_name, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (log < 0 || fstat(log, &info) < 0)
        return bp_fail_errno(err, "cannot read %s", log_name);
    *over = info.st_size > BP_COMPILE_LOG_MAX && !bp_weakened(BP_DEFENCE_diagnostics_cap);
    /* More than the cap, as cleaning drops bytes. */
    char raw[2 * BP_TEXT_DIAGNOSTICS];
    size_t size = (size_t)info.st_size < sizeof raw ? (size_t)info.st_size : sizeof raw;
    if (bp_io_read_full(log, raw, size, err) < 0)
        return -1;
    bp_diagnostics_clean(raw, size, text, BP_TEXT_DIAGNOSTICS);
    return 0;
}

static bool find_tool(const char *name, char path[64])
{
    static const char *const directories[] = {"/usr/bin", "/usr/local/bin", "/usr/lib/llvm/bin"};
    static const char *const suffixes[] = {"",    "-14", "-19", "-18", "-17",
                                           "-16", "-15", "-20", "-21"};
    for (size_t d = 0; d < sizeof directories / sizeof *directories; d++) {
        for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
            snprintf(path, 64, "%s/%s%s", directories[d], name, suffixes[s]);
            if (access(path, X_OK) == 0)
                return true;
        }
    }
    return false;
}

static int find_tools(struct bp_error *err)
{
    if (tools.looked)
        return 0;
    if (!find_tool("clang", tools.clang))
        return bp_fail(err, BP_ERR_UNAVAILABLE, "no clang found; apt-get install clang lld");
    if (!find_tool("ld.lld", tools.lld))
        return bp_fail(err, BP_ERR_UNAVAILABLE, "no ld.lld found; apt-get install lld");
    struct arguments arguments = {.count = 0};
    add_argument(&arguments, tools.clang);
    add_argument(&arguments, "--version");
    char text[BP_TEXT_DIAGNOSTICS];
    bool over;
    int status;
    if (run_tool(&arguments, &status, err) < 0 || read_log(text, &over, err) < 0)
        return -1;
    if (status != 0)
        return bp_fail(err, BP_ERR_UNAVAILABLE, "%s --version fails: %.*s", tools.clang,
                       (int)strcspn(text, "\n"), text);
    snprintf(tools.version, sizeof tools.version, "%.*s", (int)strcspn(text, "\n"), text);
    tools.looked = true;
    return 0;
}

/* -march wants a word like "native", "x86-64-v3", "haswell". */
static bool is_arch(const char *arch)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return *arch && *arch != '-' && arch[strspn(arch, allowed)] == '\0';
}

#define ADD(arguments, list) add_arguments(arguments, list, sizeof list / sizeof *list)

static void add_gates(struct arguments *arguments, uint32_t gates)
{
    if (gates != 0)
        ADD(arguments, gate_arguments);
    if (gates & BP_GATES_OF_MEMORY)
        ADD(arguments, memory_arguments);
    if (gates & 1u << BP_GATE_undefined)
        ADD(arguments, undefined_arguments);
}

static int clang_command(const struct bp_msg_compile_request *request, struct arguments *arguments,
                         char march[BP_TEXT_SHORT + 8],
                         char defines[BP_MAX_DEFINES][BP_COMPILE_DEFINE_TEXT], struct bp_error *err)
{
    const char *options[BP_MAX_DEFINES + 1];
    size_t count = 0;
    if (!is_arch(request->arch))
        return bp_fail(err, BP_ERR_PROTOCOL, "compile request with a bad arch");
    if (bp_compile_defines(request, defines, options, &count, err) < 0)
        return -1;
    add_argument(arguments, tools.clang);
    ADD(arguments, clang_arguments);
    add_gates(arguments, request->gates);
    snprintf(march, BP_TEXT_SHORT + 8, "-march=%s", request->arch);
    add_argument(arguments, march);
    add_arguments(arguments, options, count);
    add_argument(arguments, source_name);
    add_argument(arguments, "-o");
    add_argument(arguments, code_name);
    return 0;
}

static int write_file(const char *name, const void *data, size_t size, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return bp_fail_errno(err, "cannot create %s", name);
    return bp_io_write_full(fd, data, size, err);
}

static int write_inputs(const char *source, size_t size, struct bp_error *err)
{
    for (const struct bp_embedded_file *h = bp_embedded_headers; h->name; h++) {
        if (write_file(h->name, h->text, h->size, err) < 0)
            return -1;
    }
    return write_file(source_name, source, size, err);
}

/* Runs one tool and sets result's verdict and texts from how it ended. */
static int run_step(const struct arguments *arguments, struct bp_msg_compile_result *result,
                    struct bp_error *err)
{
    int status;
    bool over;
    if (run_tool(arguments, &status, err) < 0 || read_log(result->diagnostics, &over, err) < 0)
        return -1;
    result->verdict = bp_diagnostics_verdict(status, result->diagnostics);
    result->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bp_diagnostics_first_error(result->diagnostics, result->message, sizeof result->message);
    if (over) {
        bp_compile_printed_too_much(result);
    } else if (result->verdict != BP_VERDICT_PASS && !result->message[0]) {
        if (WIFSIGNALED(status))
            snprintf(result->message, sizeof result->message, "the compiler died of signal %d: %s",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            snprintf(result->message, sizeof result->message, "the compiler exited with %d",
                     WEXITSTATUS(status));
    }
    return 0;
}

static bool is_own_file(const char *name, size_t length)
{
    if (length == strlen(source_name) && memcmp(name, source_name, length) == 0)
        return true;
    for (const struct bp_embedded_file *h = bp_embedded_headers; h->name; h++) {
        if (length == strlen(h->name) && memcmp(name, h->name, length) == 0)
            return true;
    }
    return false;
}

/* -nostdinc leaves absolute paths: the compiler's own list of what it read, a make rule "kernel.o:
 * file file \", must name no other file. */
static int check_includes(struct bp_msg_compile_result *result, struct bp_error *err)
{
    struct bp_buffer rule;
    struct stat info;
    if (stat(includes_name, &info) < 0)
        return bp_fail_errno(err, "the compiler left no %s", includes_name);
    if (info.st_size > INCLUDES_MAX) { /* our own files, once each, are a few hundred bytes */
        result->verdict = BP_VERDICT_COMPILE_ERROR;
        snprintf(result->message, sizeof result->message,
                 "%s: includes too much; only gqa.h may be included", source_name);
        return 0;
    }
    bp_buffer_init(&rule, INCLUDES_MAX);
    if (bp_io_read_file(includes_name, &rule, err) < 0) {
        bp_buffer_free(&rule);
        return -1;
    }
    const char *name = bp_buffer_text(&rule);
    name += strcspn(name, ":") + (strchr(name, ':') != NULL);
    while (*(name += strspn(name, " \\\n"))) {
        size_t length = strcspn(name, " \n");
        if (!is_own_file(name, length) && !bp_weakened(BP_DEFENCE_includes)) {
            result->verdict = BP_VERDICT_COMPILE_ERROR;
            snprintf(result->message, sizeof result->message,
                     "%s: includes %.*s; only gqa.h may be included", source_name,
                     (int)(length < 200 ? length : 200), name);
            break;
        }
        name += length;
    }
    bp_buffer_free(&rule);
    return 0;
}

/* object.so into the memfd, unless it is over the request's limit: then it is not even read. */
static int deliver(const struct bp_msg_compile_request *request, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err)
{
    struct bp_buffer object;
    bp_buffer_init(&object, request->object_max_bytes);
    struct stat info;
    if (stat(object_name, &info) < 0)
        return bp_fail_errno(err, "the linker left no %s", object_name);
    if ((uint64_t)info.st_size > request->object_max_bytes)
        return bp_compile_deliver(request, NULL, (size_t)info.st_size, object_fd, result, err);
    int rc = bp_io_read_file(object_name, &object, err);
    if (rc == 0)
        rc = bp_compile_deliver(request, object.data, object.size, object_fd, result, err);
    bp_buffer_free(&object);
    return rc;
}

/* "clang … && ld.lld …", for the record. */
static void describe_command(const struct arguments *clang, const struct arguments *lld, char *text,
                             size_t size)
{
    const struct arguments *steps[] = {clang, lld};
    size_t used = 0;
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < steps[s]->count && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%s",
                                     i   ? " "
                                     : s ? " && "
                                         : "",
                                     steps[s]->list[i]);
}

int bp_compile_cpu(const struct bp_msg_compile_request *request, const char *source, int object_fd,
                   struct bp_msg_compile_result *result, struct bp_error *err)
{
    struct arguments clang = {.count = 0}, lld = {.count = 0};
    char march[BP_TEXT_SHORT + 8], defines[BP_MAX_DEFINES][BP_COMPILE_DEFINE_TEXT];
    memset(result, 0, sizeof *result);
    if (find_tools(err) < 0 || clang_command(request, &clang, march, defines, err) < 0 ||
        write_inputs(source, request->source_bytes, err) < 0)
        return -1;
    snprintf(result->compiler, sizeof result->compiler, "%s", tools.version);
    add_argument(&lld, tools.lld);
    ADD(&lld, lld_arguments);
    describe_command(&clang, &lld, result->command, sizeof result->command);
    if (run_step(&clang, result, err) < 0)
        return -1;
    if (result->verdict == BP_VERDICT_PASS && check_includes(result, err) < 0)
        return -1;
    if (result->verdict == BP_VERDICT_PASS && run_step(&lld, result, err) < 0)
        return -1;
    return result->verdict == BP_VERDICT_PASS ? deliver(request, object_fd, result, err) : 0;
}
