#include "sandbox/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/identity.h"
#include "sandbox/mounts.h"
#include "sandbox/namespaces.h"
#include "sandbox/worker_fd.h"

#define DESCRIPTORS_SCANNED 1024
#define SEEN 160

static const struct {
    const char *name, *meaning;
    bool mandatory;
} layers[BP_LAYER_COUNT] = {
#define MANDATORY true
#define OPTIONAL false
#define ROW(name, need, meaning) {#name, meaning, need},
    BP_LAYER_LIST(ROW)
#undef ROW
#undef OPTIONAL
#undef MANDATORY
};

static const char *const act_names[BP_CANARY_ACT_COUNT] = {
#define ROW(name) #name,
    BP_CANARY_ACT_LIST(ROW)
#undef ROW
};

const char *bp_layer_name(enum bp_layer layer)
{
    return layers[layer].name;
}

const char *bp_layer_meaning(enum bp_layer layer)
{
    return layers[layer].meaning;
}

bool bp_layer_is_mandatory(enum bp_layer layer)
{
    return layers[layer].mandatory;
}

bool bp_layer_word(const char *word, size_t length, uint32_t *set)
{
    for (int i = 0; i < BP_LAYER_COUNT; i++) {
        const char *name = bp_layer_name((enum bp_layer)i);
        if (strlen(name) == length && memcmp(name, word, length) == 0) {
            *set = 1u << i;
            return true;
        }
    }
    return false;
}

const char *bp_canary_act_name(enum bp_canary_act act)
{
    return act_names[act];
}

/* ---- what can be seen without a filter ---- */

/* A check writes what it saw and returns whether that is as it should be. */
struct look {
    const struct bp_policy *policy;
    const struct bp_canary_facts *facts;
    char seen[SEEN];
};

static uint64_t namespace_of(const char *kind)
{
    char path[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    return stat(path, &status) < 0 ? 0 : status.st_ino;
}

void bp_canary_look(struct bp_canary_facts *facts)
{
    facts->pid_ns = namespace_of("pid");
    facts->mnt_ns = namespace_of("mnt");
    facts->net_ns = namespace_of("net");
    facts->ipc_ns = namespace_of("ipc");
    facts->root = geteuid() == 0;
}

static bool apart(struct look *look, uint64_t flag, const char *kind, uint64_t outside)
{
    uint64_t own = namespace_of(kind);
    snprintf(look->seen, SEEN, "the %s namespace is the supervisor's", kind);
    return !(look->facts->namespaces & flag) || (own != 0 && own != outside);
}

static bool pidns_holds(struct look *look)
{
    return apart(look, CLONE_NEWPID, "pid", look->facts->pid_ns);
}

static bool mntns_holds(struct look *look)
{
    return apart(look, CLONE_NEWNS, "mnt", look->facts->mnt_ns);
}

static bool netns_holds(struct look *look)
{
    return apart(look, CLONE_NEWNET, "net", look->facts->net_ns);
}

static bool ipcns_holds(struct look *look)
{
    return apart(look, CLONE_NEWIPC, "ipc", look->facts->ipc_ns);
}

static bool root_holds(struct look *look)
{
    static const char *const outside[] = {"/etc/passwd", "/root", "/home", "/var", "/boot"};
    bool none = true;
    for (size_t i = 0; i < sizeof outside / sizeof *outside && none; i++) {
        none = access(outside[i], F_OK) < 0 && errno == ENOENT;
        snprintf(look->seen, SEEN, "%s can be asked for", outside[i]);
    }
    return none || !(look->facts->namespaces & CLONE_NEWNS);
}

static bool readonly_holds(struct look *look)
{
    struct statvfs root;
    snprintf(look->seen, SEEN, "/ is not mounted read-only");
    return !(look->facts->namespaces & CLONE_NEWNS) ||
           (statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY));
}

static bool environment_holds(struct look *look)
{
    static const char *const fixed[] = {
        BP_NAMESPACES_VARIABLE "=",
        BP_IDENTITY_VARIABLE "=",
        BP_ROOT_VARIABLE "=",
        "TMPDIR=",
        "PATH=/usr/bin:/bin",
        "HOME=/nonexistent",
        "LANG=C",
        "LC_ALL=C",
        "AMD_COMGR_CACHE=0",
        "HSA_DISABLE_COREDUMP_ON_EXCEPTION=1",
        "ASAN_OPTIONS=",
        "BULLETPROOF_WEAKEN=",
    };
    for (char **entry = environ; *entry; entry++) {
        bool known = false;
        for (size_t i = 0; i < sizeof fixed / sizeof *fixed && !known; i++)
            known = strncmp(*entry, fixed[i], strlen(fixed[i])) == 0;
        if (!known) { /* its name only: the value may be a secret */
            snprintf(look->seen, SEEN, "inherited variable %.*s", (int)strcspn(*entry, "="),
                     *entry);
            return false;
        }
    }
    return true;
}

static bool descriptors_hold(struct look *look)
{
    for (int fd = BP_FD_STATUS; fd < DESCRIPTORS_SCANNED; fd++)
        if (fcntl(fd, F_GETFD) >= 0) {
            snprintf(look->seen, SEEN, "descriptor %d is open", fd);
            return false;
        }
    return true;
}

static bool rlimits_hold(struct look *look)
{
    struct rlimit core, descriptors, file;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &descriptors) < 0 ||
        getrlimit(RLIMIT_FSIZE, &file) < 0)
        return false;
    snprintf(look->seen, SEEN, "limits of core files %llu, descriptors %llu, file size %llu",
             (unsigned long long)core.rlim_max, (unsigned long long)descriptors.rlim_max,
             (unsigned long long)file.rlim_max);
    return core.rlim_max == 0 && descriptors.rlim_max <= look->policy->descriptors &&
           file.rlim_max <= look->policy->defaults.file_bytes;
}

static bool user_holds(struct look *look)
{
    gid_t groups[BP_POLICY_GROUPS];
    int kept = (int)bp_policy_device_groups(look->policy, groups);
    snprintf(look->seen, SEEN, "still user %u, or in its groups", (unsigned)getuid());
    return !look->facts->root ||
           (getuid() != 0 && getuid() == bp_identity_told() && getgroups(0, NULL) == kept);
}

static bool caps_hold(struct look *look)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3] = {{0}};
    bool none = syscall(SYS_capget, &header, left) == 0;
    bool bounded = look->facts->root || (look->facts->namespaces & CLONE_NEWUSER);
    for (int capability = 0; bounded && none && capability <= CAP_LAST_CAP; capability++)
        none = prctl(PR_CAPBSET_READ, capability) != 1;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        none = none && !(left[i].permitted | left[i].effective | left[i].inheritable);
    snprintf(look->seen, SEEN, "capabilities 0x%x%08x, or some in the bounding set",
             left[1].permitted, left[0].permitted);
    return none;
}

static bool pdeathsig_holds(struct look *look)
{
    int number = 0;
    snprintf(look->seen, SEEN, "no signal comes with the supervisor's death");
    return prctl(PR_GET_PDEATHSIG, &number) == 0 && number == SIGKILL;
}

static bool dumpable_holds(struct look *look)
{
    snprintf(look->seen, SEEN, "the process is dumpable");
    return prctl(PR_GET_DUMPABLE) == 0;
}

static bool no_new_privs_holds(struct look *look)
{
    snprintf(look->seen, SEEN, "no_new_privs is not set");
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* World-readable, and listed by no policy; the first and the last are in every root. */
static bool landlock_holds(struct look *look)
{
    static const char *const forbidden[] = {"/proc/self/status", "/etc/passwd", "/"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        int fd = open(forbidden[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            close(fd);
        else if (errno == EACCES || errno == ENOENT)
            continue;
        snprintf(look->seen, SEEN, "%s can be opened", forbidden[i]);
        return false;
    }
    return true;
}

static bool (*const checks[BP_LAYER_COUNT])(struct look *look) = {
    [BP_LAYER_pidns] = pidns_holds,
    [BP_LAYER_mntns] = mntns_holds,
    [BP_LAYER_netns] = netns_holds,
    [BP_LAYER_ipcns] = ipcns_holds,
    [BP_LAYER_root] = root_holds,
    [BP_LAYER_readonly] = readonly_holds,
    [BP_LAYER_environment] = environment_holds,
    [BP_LAYER_descriptors] = descriptors_hold,
    [BP_LAYER_rlimits] = rlimits_hold,
    [BP_LAYER_user] = user_holds,
    [BP_LAYER_caps] = caps_hold,
    [BP_LAYER_pdeathsig] = pdeathsig_holds,
    [BP_LAYER_dumpable] = dumpable_holds,
    [BP_LAYER_no_new_privs] = no_new_privs_holds,
    [BP_LAYER_landlock] = landlock_holds,
};

uint32_t bp_canary_check(enum bp_policy_id policy, const struct bp_canary_facts *facts, char *why,
                         size_t size)
{
    uint32_t missing = 0;
    size_t used = 0;
    why[0] = '\0';
    for (int layer = 0; layer < BP_LAYER_COUNT; layer++) {
        struct look look = {.policy = bp_policy_get(policy), .facts = facts};
        if (!checks[layer] || checks[layer](&look))
            continue;
        missing |= 1u << layer;
        if (used < size)
            used += (size_t)snprintf(why + used, size - used, "%s%s", used ? "; " : "", look.seen);
    }
    return missing;
}

/* ---- what only a filter stops ---- */

static long commit_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long commit_fork_user(void)
{
    long pid = syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long commit_executable(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static long commit_trace(void)
{
    return ptrace(PTRACE_TRACEME, 0, 0, 0);
}

/* Signal 0 is delivered to nobody: where there is no filter it does no harm. */
static long commit_signal(void)
{
    return kill(0, 0);
}

static long commit_session(void)
{
    return syscall(SYS_getsid, 0);
}

/* i386's getpid. */
static long commit_old_call(void)
{
    long result = -1;
#if defined(__x86_64__)
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
#endif
    return result;
}

int bp_canary_commit(enum bp_canary_act act)
{
    static long (*const acts[BP_CANARY_ACT_COUNT])(void) = {
#define ROW(name) commit_##name,
        BP_CANARY_ACT_LIST(ROW)
#undef ROW
    };
    errno = 0;
    if (acts[act]() >= 0)
        return 0;
    return errno ? errno : EPERM;
}
