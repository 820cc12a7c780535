#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/weaken.h"

/* struct landlock_ruleset_attr of ABI 6; the kernel accepts any prefix it knows. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

#define FILE_RIGHTS                                                                                \
    (BP_LANDLOCK_EXECUTE | BP_LANDLOCK_WRITE_FILE | BP_LANDLOCK_READ_FILE | BP_LANDLOCK_TRUNCATE)
#define PRIVATE_RIGHTS                                                                             \
    (BP_LANDLOCK_READ_FILE | BP_LANDLOCK_READ_DIR | BP_LANDLOCK_WRITE_FILE |                       \
     BP_LANDLOCK_REMOVE_DIR | BP_LANDLOCK_REMOVE_FILE | BP_LANDLOCK_MAKE_DIR |                     \
     BP_LANDLOCK_MAKE_REG | BP_LANDLOCK_REFER | BP_LANDLOCK_TRUNCATE)

int bp_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}

/* Every right an ABI can handle is handled, so that what no rule allows is denied. */
static struct ruleset handled_by(int abi, size_t *size)
{
    static const unsigned file_bits[] = {0, 13, 14, 15, 15, 16}; /* index: ABI, last one onwards */
    unsigned bits = file_bits[abi < 5 ? abi : 5];
    struct ruleset set = {.files = (1ULL << bits) - 1};
    *size = sizeof set.files;
    if (abi >= 4) { /* bind and connect of TCP */
        set.network = 3;
        *size = sizeof set.files + sizeof set.network;
    }
    if (abi >= 6) { /* abstract unix sockets, signals */
        set.scopes = 3;
        *size = sizeof set;
    }
    return set;
}

/* Returns 1 when the rule was added, 0 when there is no such path. */
static int allow_path(int ruleset, const char *path, uint64_t rights, struct bp_error *err)
{
    BP_AUTO_FD int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : bp_fail_errno(err, "open %s", path);
    struct stat status;
    if (fstat(fd, &status) < 0)
        return bp_fail_errno(err, "stat %s", path);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = S_ISDIR(status.st_mode) ? rights : rights & FILE_RIGHTS,
        .parent_fd = fd,
    };
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return bp_fail_errno(err, "Landlock rule for %s", path);
    return 1;
}

static int allow_files(int ruleset, const struct bp_policy *policy, uint64_t handled,
                       struct bp_error *err)
{
    for (unsigned i = 0; i < policy->file_count; i++) {
        const struct bp_policy_path *row = &policy->files[i];
        int found = 0;
        for (unsigned k = 0; k < BP_POLICY_ALTERNATIVES && row->any[k]; k++) {
            int added = allow_path(ruleset, row->any[k], row->rights & handled, err);
            if (added < 0)
                return -1;
            found += added;
        }
        if (!found && row->required)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "policy %s needs %s, which is not installed",
                           policy->name, row->any[0]);
    }
    return 0;
}

int bp_landlock_restrict(const struct bp_policy *policy, const char *directory,
                         struct bp_error *err)
{
    int abi = bp_landlock_abi();
    if (abi < 1)
        return bp_fail(err, BP_ERR_UNAVAILABLE,
                       "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock,…)");
    size_t size;
    struct ruleset handled = handled_by(abi, &size);
    BP_AUTO_FD int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    if (ruleset < 0)
        return bp_fail_errno(err, "landlock_create_ruleset");
    if (allow_files(ruleset, policy, handled.files, err) < 0)
        return -1;
    if (policy->private_files) {
        int added = allow_path(ruleset, directory, PRIVATE_RIGHTS & handled.files, err);
        if (added < 0)
            return -1;
        if (!added)
            return bp_fail(err, BP_ERR_UNAVAILABLE, "private directory %s is missing", directory);
    }
    if (bp_weakened(BP_DEFENCE_landlock))
        return 0;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return bp_fail_errno(err, "landlock_restrict_self");
    return 0;
}
