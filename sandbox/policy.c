#include "sandbox/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/filter.h"
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

#define DEVICE (BP_LANDLOCK_READ_FILE | BP_LANDLOCK_WRITE_FILE)

/* The libraries are loaded before Landlock; what comes after is how they find out about the machine,
 * and the compiler that AMD's carries for its own small kernels. */
static const struct bp_policy_path emulated_files[] = {
    {{"/sys/devices/system/cpu", "/sys/devices/system/node"}, TREE, false},
    {{"/etc/os-release", "/usr/lib/os-release"}, READ, false},
    {{"/dev/urandom"}, READ, false},
};

static const struct bp_policy_path amd_files[] = {
    {{"/dev/kfd"}, DEVICE, true},
    {{"/dev/dri/renderD128", "/dev/dri/renderD129", "/dev/dri/renderD130", "/dev/dri/renderD131",
      "/dev/dri/renderD132", "/dev/dri/renderD133", "/dev/dri/renderD134", "/dev/dri/renderD135"},
     DEVICE,
     true,
     true},
    {{"/sys/devices/virtual/kfd", "/sys/class/kfd", "/sys/module/amdgpu"}, TREE, true},
    {{"/sys/devices/system/cpu", "/sys/devices/system/node"}, TREE, false},
    {{"/proc/cpuinfo", "/proc/meminfo"}, READ, false},
    {{"/usr/share/libdrm", "/opt/amdgpu/share/libdrm"}, TREE, false},
    {{"/etc/os-release", "/usr/lib/os-release"}, READ, false},
    {{"/dev/urandom"}, READ, false},
};

/* CUDA names its threads in /proc/self/task, and fails (error 304) where it cannot. */
static const struct bp_policy_path nvidia_files[] = {
    {{"/dev/nvidiactl"}, DEVICE, true},
    {{"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia2", "/dev/nvidia3", "/dev/nvidia4",
      "/dev/nvidia5", "/dev/nvidia6", "/dev/nvidia7"},
     DEVICE,
     true,
     true},
    {{"/dev/nvidia-uvm"}, DEVICE, true},
    {{"/dev/nvidia-uvm-tools"}, DEVICE, false},
    {{"/proc/driver/nvidia", "/sys/module/nvidia", "/sys/bus/pci/devices"}, TREE, false},
    {{"/proc/self/task"}, TREE | BP_LANDLOCK_WRITE_FILE, true},
    {{"/proc/cpuinfo", "/proc/meminfo", "/proc/devices", "/proc/modules"}, READ, false},
    {{"/usr/lib/x86_64-linux-gnu", "/usr/lib64"}, TREE, false},
    {{"/sys/devices/system/cpu", "/sys/devices/system/node"}, TREE, false},
    {{"/dev/urandom"}, READ, false},
};

#define FILES(list) .files = list, .file_count = sizeof list / sizeof list[0]

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
            .candidate_filter = BP_FILTER_CANDIDATE_CPU,
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
    [BP_POLICY_RUN_EMULATED] =
        {
            .name = "run_emulated",
            FILES(emulated_files),
            .private_files = true,
            .threads = true,
            .writable_code = true,
            .candidate_filter = BP_FILTER_CANDIDATE_EMULATED,
            .defaults = {.file_bytes = 64 * MIB, .cpu_s = 1200},
            .descriptors = 256,
        },
    [BP_POLICY_RUN_AMD] =
        {
            .name = "run_amd",
            FILES(amd_files),
            .private_files = true,
            .threads = true,
            .writable_code = true,
            .candidate_filter = BP_FILTER_CANDIDATE_AMD,
            .defaults = {.file_bytes = 64 * MIB, .cpu_s = 1200},
            .descriptors = 1024,
        },
    [BP_POLICY_RUN_NVIDIA] =
        {
            .name = "run_nvidia",
            FILES(nvidia_files),
            .private_files = true,
            .threads = true,
            .writable_code = true,
            .candidate_filter = BP_FILTER_CANDIDATE_NVIDIA,
            .defaults = {.file_bytes = 64 * MIB, .cpu_s = 1200},
            .descriptors = 1024,
        },
};
/* clang-format on */

const struct bp_policy *bp_policy_get(enum bp_policy_id id)
{
    return &policies[id];
}

_Static_assert(sizeof amd_files / sizeof *amd_files <= BP_POLICY_FILES &&
                   sizeof nvidia_files / sizeof *nvidia_files <= BP_POLICY_FILES,
               "room in struct bp_policy_narrowed");

const struct bp_policy *bp_policy_narrow(enum bp_policy_id id, uint32_t device,
                                         struct bp_policy_narrowed *room)
{
    const struct bp_policy *policy = &policies[id];
    if (device == 0 || policy->file_count > BP_POLICY_FILES)
        return policy;
    *room = (struct bp_policy_narrowed){.policy = *policy};
    room->policy.files = room->files;
    for (unsigned i = 0; i < policy->file_count; i++) {
        room->files[i] = policy->files[i];
        if (!policy->files[i].numbered)
            continue;
        const char *first = policy->files[i].any[0];
        snprintf(room->node, sizeof room->node, "%.*s%u", (int)strcspn(first, "0123456789"), first,
                 device - 1);
        memset(room->files[i].any, 0, sizeof room->files[i].any);
        room->files[i].any[0] = room->node;
    }
    return &room->policy;
}

const char *bp_policy_name(enum bp_policy_id id)
{
    return id < BP_POLICY_COUNT ? policies[id].name : "unknown";
}

/* A device must be writable too, and so it is asked for here. */
static bool is_there(const struct bp_policy_path *row)
{
    int mode = row->rights & BP_LANDLOCK_EXECUTE ? X_OK : F_OK;
    if (row->rights == DEVICE)
        mode = R_OK | W_OK;
    for (int i = 0; i < BP_POLICY_ALTERNATIVES && row->any[i]; i++)
        if (access(row->any[i], mode) == 0)
            return true;
    return false;
}

const char *bp_policy_missing(const struct bp_policy *policy)
{
    for (unsigned i = 0; i < policy->file_count; i++)
        if (policy->files[i].required && !is_there(&policy->files[i]))
            return policy->files[i].any[0];
    return NULL;
}

static unsigned add_group(gid_t groups[BP_POLICY_GROUPS], unsigned count, gid_t group)
{
    for (unsigned i = 0; i < count; i++)
        if (groups[i] == group)
            return count;
    if (group != 0 && count < BP_POLICY_GROUPS)
        groups[count++] = group;
    return count;
}

unsigned bp_policy_device_groups(const struct bp_policy *policy, gid_t groups[BP_POLICY_GROUPS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < policy->file_count; i++) {
        const struct bp_policy_path *row = &policy->files[i];
        for (int k = 0; row->rights == DEVICE && k < BP_POLICY_ALTERNATIVES && row->any[k]; k++) {
            struct stat node;
            if (stat(row->any[k], &node) == 0 && S_ISCHR(node.st_mode))
                count = add_group(groups, count, node.st_gid);
        }
    }
    return count;
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

    uint64_t memory_bytes, file_bytes, cpu_s, device;
    if (parse_number(argv[3], UINT64_MAX, &memory_bytes) < 0 ||
        parse_number(argv[4], UINT64_MAX, &file_bytes) < 0 ||
        parse_number(argv[5], UINT32_MAX, &cpu_s) < 0 ||
        parse_number(argv[6], UINT32_MAX, &device) < 0)
        return bp_fail(err, BP_ERR_USAGE, "limits '%s %s %s %s' are not numbers", argv[3], argv[4],
                       argv[5], argv[6]);
    *policy = (enum bp_policy_id)id;
    *limits =
        (struct bp_policy_limits){memory_bytes, file_bytes, (uint32_t)cpu_s, (uint32_t)device};
    return 0;
}
