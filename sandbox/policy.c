#include "sandbox/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/landlock.h"

#define MIB (1024ULL * 1024)
#define GIB (1024ULL * MIB)

#define READ BP_LANDLOCK_READ_FILE
#define TREE (BP_LANDLOCK_READ_FILE | BP_LANDLOCK_READ_DIR)
#define PROGRAM (BP_LANDLOCK_READ_FILE | BP_LANDLOCK_EXECUTE)

/* No headers: a candidate includes those of the contract, which the worker carries.
 * The kernel checks EXECUTE on the dynamic loader too. A loader that may be run can map any program
 * that may be read, which is why no directory of programs is readable here. */
static const struct bp_policy_path compile_files[] = {
    {{"/usr/bin/clang", "/usr/bin/clang-14"}, PROGRAM, true},
    {{"/usr/bin/ld.lld", "/usr/bin/ld.lld-14"}, PROGRAM, true},
    {{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}, PROGRAM, true},
    {{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"}, TREE, true},
    {{"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64"}, TREE, false},
    {{"/usr/lib/llvm-14/lib", "/usr/lib/llvm-15/lib", "/usr/lib/llvm-16/lib",
      "/usr/lib/llvm-17/lib", "/usr/lib/llvm-18/lib", "/usr/lib/llvm-19/lib",
      "/usr/lib/llvm-20/lib", "/usr/lib/llvm-21/lib"},
     TREE,
     false},
    {{"/etc/ld.so.cache"}, READ, false},
    {{"/sys/devices/system/cpu"}, TREE, false},
    {{"/dev/null"}, READ | BP_LANDLOCK_WRITE_FILE, true},
    {{"/dev/urandom"}, READ, false},
};

/* clang-format off: a table */
static const struct bp_policy policies[BP_POLICY_COUNT] = {
    [BP_POLICY_PREPARE] =
        {
            .name = "prepare",
            .threads = true,
            .listener = true,
            .defaults = {.memory_bytes = 16 * GIB, .cpu_s = 600},
            .descriptors = 64,
        },
    [BP_POLICY_COMPILE_CPU] =
        {
            .name = "compile_cpu",
            .files = compile_files,
            .file_count = sizeof compile_files / sizeof compile_files[0],
            .private_files = true,
            .listener = true,
            .defaults = {.memory_bytes = 4 * GIB, .file_bytes = 64 * MIB, .cpu_s = 120},
            .descriptors = 256,
            .processes = 1024,
        },
    [BP_POLICY_COMPILE_GPU] =
        {
            .name = "compile_gpu",
            .private_files = true,
            .threads = true,
            .listener = true,
            .defaults = {.memory_bytes = 4 * GIB, .file_bytes = 64 * MIB, .cpu_s = 120},
            .descriptors = 256,
        },
    /* No listener: a process can have only one, and the candidate's filter needs it. */
    [BP_POLICY_RUN_CPU] =
        {
            .name = "run_cpu",
            .threads = true,
            .defaults = {.memory_bytes = 16 * GIB, .cpu_s = 600},
            .descriptors = 64,
        },
    [BP_POLICY_JUDGE] =
        {
            .name = "judge",
            .threads = true,
            .listener = true,
            .defaults = {.memory_bytes = 16 * GIB, .cpu_s = 600},
            .descriptors = 64,
        },
    [BP_POLICY_PROBE_CPU] =
        {
            .name = "probe_cpu",
            .threads = true,
            .listener = true,
            .defaults = {.memory_bytes = 1 * GIB, .cpu_s = 60},
            .descriptors = 64,
        },
};
/* clang-format on */

const struct bp_policy *bp_policy_get(enum bp_policy_id id)
{
    return &policies[id];
}

const char *bp_policy_name(enum bp_policy_id id)
{
    return id < BP_POLICY_COUNT ? policies[id].name : "unknown";
}

static int parse_number(const char *text, uint64_t max, uint64_t *value)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -1;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (errno || *end || parsed > max)
        return -1;
    *value = parsed;
    return 0;
}

int bp_policy_limits_parse(int argc, char *const argv[], enum bp_policy_id *policy,
                           struct bp_policy_limits *limits, struct bp_error *err)
{
    if (argc != BP_POLICY_ARGC)
        return bp_fail(err, BP_ERR_USAGE, "the worker takes %d arguments, got %d",
                       BP_POLICY_ARGC - 1, argc - 1);
    unsigned id = 0;
    while (id < BP_POLICY_COUNT && strcmp(policies[id].name, argv[2]) != 0)
        id++;
    if (id == BP_POLICY_COUNT)
        return bp_fail(err, BP_ERR_USAGE, "no policy is named '%s'", argv[2]);

    uint64_t memory_bytes, file_bytes, cpu_s;
    if (parse_number(argv[3], UINT64_MAX, &memory_bytes) < 0 ||
        parse_number(argv[4], UINT64_MAX, &file_bytes) < 0 ||
        parse_number(argv[5], UINT32_MAX, &cpu_s) < 0)
        return bp_fail(err, BP_ERR_USAGE, "limits '%s %s %s' are not numbers", argv[3], argv[4],
                       argv[5]);
    *policy = (enum bp_policy_id)id;
    *limits = (struct bp_policy_limits){memory_bytes, file_bytes, (uint32_t)cpu_s};
    return 0;
}
