#include "harness/evolve/gpus.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define ASK_MS 6000

static const struct vendor {
    const char *name, *device, *module;
    const char *version_file; /* of the kernel's driver */
    const char *nodes[2];     /* patterns; the first must be there */
    const char *sysfs_vendor; /* of a render node; null: every node that fits the pattern is its */
    const char *no_driver, *container;
} vendors[BP_GPU_KIND_COUNT] = {
    [BP_GPU_AMD] = {"amd",
                    "hip",
                    "/sys/module/amdgpu",
                    "/sys/module/amdgpu/version",
                    {"/dev/kfd", "/dev/dri/renderD*"},
                    "0x1002",
                    "modprobe amdgpu (where there is such a GPU; it is part of Linux)",
                    "in a container: start it with --device /dev/kfd --device /dev/dri"},
    [BP_GPU_NVIDIA] = {"nvidia",
                       "cuda",
                       "/sys/module/nvidia",
                       "/sys/module/nvidia/version",
                       {"/dev/nvidiactl", "/dev/nvidia[0-9]*"},
                       NULL,
                       "apt-get install nvidia-driver (from non-free; where there is such a GPU)",
                       "in a container: start it with --gpus all"},
};

/* Statuses as seen; both vendors number most of them alike. */
static const struct {
    enum bp_gpu_kind kind;
    int status;
    const char *meaning;
} meanings[] = {
    {BP_GPU_AMD, 100, "there is no GPU that this process may use"},
    {BP_GPU_AMD, 101,
     "HIP finds no GPU to begin with: none is there, amdgpu is not loaded, or /dev/kfd and "
     "/dev/dri/renderD* may not be opened"},
    {BP_GPU_AMD, 3, "HIP could not be initialised"},
    {BP_GPU_NVIDIA, 34,
     "this libcuda is the CUDA toolkit's stub, for linking only: NVIDIA's driver is not installed"},
    {BP_GPU_NVIDIA, 100, "there is no GPU that this process may use"},
    {BP_GPU_NVIDIA, 101, "no such GPU (CUDA_VISIBLE_DEVICES?)"},
    {BP_GPU_NVIDIA, 304, "a file that CUDA needs could not be opened"},
    {BP_GPU_NVIDIA, 802, "the GPU is not ready yet (its fabric manager?)"},
    {BP_GPU_NVIDIA, 803, "libcuda and the kernel's driver are of different versions: reboot"},
    {BP_GPU_NVIDIA, 999,
     "the driver fails: its device files may be missing (nvidia-modprobe makes them)"},
};

const char *bp_gpus_meaning(enum bp_gpu_kind kind, int status)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].kind == kind && meanings[i].status == status)
            return meanings[i].meaning;
    return NULL;
}

/* ---- files ---- */

static bool read_word(const char *path, char *text, size_t size)
{
    BP_AUTO_FILE FILE *file = fopen(path, "re");
    if (!file || !fgets(text, (int)size, file))
        return false;
    text[strcspn(text, "\n")] = '\0';
    return text[0] != '\0';
}

static void look_at_module(const struct vendor *vendor, struct bp_gpus *gpus)
{
    const char *name = strrchr(vendor->module, '/') + 1;
    char version[64];
    if (access(vendor->module, F_OK) < 0)
        return;
    bool versioned = read_word(vendor->version_file, version, sizeof version);
    snprintf(gpus->driver, sizeof gpus->driver, "%s%s%s", name, versioned ? " " : "",
             versioned ? version : "");
}

static bool is_vendors(const struct vendor *vendor, const char *path)
{
    char file[128], id[16];
    const char *name = strrchr(path, '/') + 1;
    if (!vendor->sysfs_vendor || strncmp(name, "renderD", 7) != 0)
        return true;
    snprintf(file, sizeof file, "/sys/class/drm/%s/device/vendor", name);
    return read_word(file, id, sizeof id) && strcmp(id, vendor->sysfs_vendor) == 0;
}

static void add_node(const char *path, struct bp_gpus *gpus)
{
    struct stat info;
    if (gpus->node_count == BP_GPUS_NODES || stat(path, &info) < 0)
        return;
    struct bp_gpu_node *node = &gpus->nodes[gpus->node_count++];
    const struct group *group = getgrgid(info.st_gid);
    snprintf(node->path, sizeof node->path, "%s", path);
    if (group)
        snprintf(node->group, sizeof node->group, "%s", group->gr_name);
    else
        snprintf(node->group, sizeof node->group, "%u", (unsigned)info.st_gid);
    node->open = access(path, R_OK | W_OK) == 0;
}

static void look_at_nodes(const struct vendor *vendor, struct bp_gpus *gpus)
{
    for (int i = 0; i < 2; i++) {
        glob_t paths = {0};
        if (glob(vendor->nodes[i], 0, NULL, &paths) == 0)
            for (size_t k = 0; k < paths.gl_pathc; k++)
                if (is_vendors(vendor, paths.gl_pathv[k]))
                    add_node(paths.gl_pathv[k], gpus);
        globfree(&paths);
    }
}

/* ---- libraries ---- */

static void take_gpu(const char *text, struct bp_gpus *gpus)
{
    unsigned long long mib = 0;
    int name = 0;
    if (gpus->count >= BP_GPUS_MAX)
        return;
    struct bp_gpu_found *found = &gpus->found[gpus->count];
    if (sscanf(text, "%31s %llu %n", found->arch, &mib, &name) != 2)
        return;
    found->memory_mib = mib;
    snprintf(found->name, sizeof found->name, "%s", text + name);
    gpus->count++;
}

static void take_line(const char *line, struct bp_gpus *gpus)
{
    const struct {
        const char *key;
        char *text;
    } texts[] = {{"library ", gpus->library},
                 {"no_library ", gpus->no_library},
                 {"compiler ", gpus->compiler},
                 {"no_compiler ", gpus->no_compiler}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strncmp(line, texts[i].key, strlen(texts[i].key)) == 0)
            snprintf(texts[i].text, BP_GPUS_TEXT, "%s", line + strlen(texts[i].key));
    if (sscanf(line, "init %d %63s", &gpus->init_status, gpus->init_name) == 2)
        gpus->asked = true;
    sscanf(line, "count %*d %d %63s", &gpus->count_status, gpus->count_name);
    sscanf(line, "driver %d", &gpus->library_version);
    if (strncmp(line, "gpu ", 4) == 0)
        take_gpu(line + 4, gpus);
}

static pid_t start(const char *worker, const char *vendor, int out, struct bp_error *err)
{
    /* That of the children that will use the libraries: what only a variable leads to they do not find. */
    static char path[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C",
                order[] = "CUDA_DEVICE_ORDER=PCI_BUS_ID";
    static char *const environment[] = {path, locale, order, NULL};
    static char look[] = "look";
    char *argv[] = {(char *)(uintptr_t)worker, look, (char *)(uintptr_t)vendor, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (rc == 0)
            rc =
                posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (rc == 0)
            rc = posix_spawn(&pid, worker, &actions, NULL, argv, environment);
        posix_spawn_file_actions_destroy(&actions);
    }
    errno = rc;
    return rc == 0 ? pid : bp_fail_errno(err, "cannot start %s", worker);
}

/* Until it closes its end, or for as long as it may take. */
static void read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    uint64_t deadline = bp_clock_ns() + (uint64_t)ASK_MS * 1000000;
    while (used + 1 < size) {
        uint64_t now = bp_clock_ns();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (now >= deadline || poll(&wait, 1, (int)((deadline - now) / 1000000) + 1) <= 0)
            break;
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
}

static int ask(const struct vendor *vendor, const char *worker, struct bp_gpus *gpus,
               struct bp_error *err)
{
    char text[8192], *place = NULL;
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return bp_fail_errno(err, "pipe");
    BP_AUTO_FD int in = ends[0];
    pid_t pid = start(worker, vendor->name, ends[1], err);
    close(ends[1]);
    if (pid < 0)
        return -1;
    read_all(in, text, sizeof text);
    kill(pid, SIGKILL); /* it has said all, or hangs */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
        take_line(line, gpus);
    return 0;
}

/* ---- what is in the way, the first thing first ---- */

BP_PRINTF(2, 3)
static void because(struct bp_gpus *gpus, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(gpus->why, sizeof gpus->why, format, args);
    va_end(args);
}

static const struct bp_gpu_node *closed_node(const struct bp_gpus *gpus)
{
    for (uint32_t i = 0; i < gpus->node_count; i++)
        if (!gpus->nodes[i].open)
            return &gpus->nodes[i];
    return NULL;
}

static void blame_node(const struct bp_gpu_node *node, struct bp_gpus *gpus)
{
    const struct passwd *user = getpwuid(geteuid());
    because(gpus, "%s may not be opened by this user; it is group %s's", node->path, node->group);
    snprintf(gpus->fix, sizeof gpus->fix, "usermod -aG %s %s, then log in again", node->group,
             user ? user->pw_name : "USER");
}

static void blame_status(const char *call, int status, const char *name, struct bp_gpus *gpus)
{
    const char *meaning = bp_gpus_meaning(gpus->kind, status);
    because(gpus, "%s answers %d (%s)%s%s", call, status, name, meaning ? ": " : "",
            meaning ? meaning : "");
}

static void judge(const struct vendor *vendor, struct bp_gpus *gpus)
{
    const struct bp_gpu_node *closed = closed_node(gpus);
    if (!gpus->driver[0] && gpus->node_count == 0) {
        because(gpus, "no such GPU: its driver, %s, is not loaded",
                strrchr(vendor->module, '/') + 1);
        snprintf(gpus->fix, sizeof gpus->fix, "%s", vendor->no_driver);
    } else if (access(vendor->nodes[0], F_OK) < 0) {
        because(gpus, "%s is not there", vendor->nodes[0]);
        snprintf(gpus->fix, sizeof gpus->fix, "%s", vendor->container);
    } else if (closed) {
        blame_node(closed, gpus);
    } else if (!gpus->library[0]) {
        because(gpus, "%s", gpus->no_library);
    } else if (!gpus->asked) {
        because(gpus, "%s did not come back from its start within %d s, or died in it",
                gpus->library, ASK_MS / 1000);
    } else if (gpus->init_status != 0) {
        blame_status("init", gpus->init_status, gpus->init_name, gpus);
    } else if (gpus->count_status != 0 || gpus->count == 0) {
        blame_status("counting", gpus->count_status, gpus->count_name, gpus);
    } else if (!gpus->compiler[0]) {
        because(gpus, "%s", gpus->no_compiler);
    } else {
        gpus->usable = true;
    }
}

int bp_gpus_look(enum bp_gpu_kind kind, const char *worker_path, struct bp_gpus *gpus,
                 struct bp_error *err)
{
    const struct vendor *vendor = &vendors[kind];
    *gpus = (struct bp_gpus){.kind = kind, .device = vendor->device};
    look_at_module(vendor, gpus);
    look_at_nodes(vendor, gpus);
    if (ask(vendor, worker_path, gpus, err) < 0)
        return -1;
    judge(vendor, gpus);
    return 0;
}
