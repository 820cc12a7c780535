#include "sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/weaken.h"

/* Whether all our numbers mean somebody in the present user namespace: lines of "first there count". */
static bool maps(const char *path)
{
    unsigned long long first, outside, count;
    bool mapped = false;
    FILE *file = fopen(path, "re");
    while (file && !mapped && fscanf(file, "%llu %llu %llu", &first, &outside, &count) == 3)
        mapped =
            first <= BP_IDENTITY_FIRST && first + count >= BP_IDENTITY_FIRST + BP_IDENTITY_COUNT;
    if (file)
        fclose(file);
    return mapped;
}

uid_t bp_identity_of_child(pid_t supervisor, uint32_t n)
{
    static enum { UNKNOWN, OWN, NOBODY } kind;
    if (kind == UNKNOWN)
        kind = maps("/proc/self/uid_map") && maps("/proc/self/gid_map") ? OWN : NOBODY;
    uint32_t place = (uint32_t)supervisor * BP_IDENTITY_CHILDREN + n % BP_IDENTITY_CHILDREN;
    return kind == OWN ? BP_IDENTITY_FIRST + place % BP_IDENTITY_COUNT : BP_IDENTITY_NOBODY;
}

uid_t bp_identity_told(void)
{
    const char *text = getenv(BP_IDENTITY_VARIABLE);
    return text ? (uid_t)strtoul(text, NULL, 10) : 0;
}

uid_t bp_identity_uid(int in_user_namespace)
{
    uid_t uid = geteuid();
    return uid == 0 && !in_user_namespace ? bp_identity_told() : uid;
}

gid_t bp_identity_gid(int in_user_namespace)
{
    return geteuid() == 0 && !in_user_namespace ? bp_identity_told() : getegid();
}

/* EPERM is the ordinary user's case: without CAP_SETPCAP there is nothing to lose but what a
 * set-user-ID program gives, and no_new_privs stops that. */
int bp_identity_bound(struct bp_error *err)
{
    if (bp_weakened(BP_DEFENCE_caps))
        return 0;
    for (int capability = 0; capability <= 63; capability++) {
        int held = prctl(PR_CAPBSET_READ, capability);
        if (held < 0 && errno == EINVAL)
            break;
        if (held == 0 || prctl(PR_CAPBSET_DROP, capability) == 0)
            continue;
        if (errno == EPERM && geteuid() != 0)
            break;
        return bp_fail_errno(err, "dropping capability %d", capability);
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return bp_fail_errno(err, "clearing ambient capabilities");
    return 0;
}

/* Exec as root gives what is inheritable or in the bounding set: with all of the former, children start
 * with what they need and the latter empty. The order counts: what is not in the bounding set cannot
 * become inheritable. */
void bp_identity_bound_children(void)
{
    struct bp_error err;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3];
    if (geteuid() != 0 || bp_weakened(BP_DEFENCE_caps) || syscall(SYS_capget, &header, held) < 0)
        return;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        held[i].inheritable |= held[i].permitted;
    if (syscall(SYS_capset, &header, held) < 0 || bp_identity_bound(&err) < 0)
        bp_log(BP_LOG_INFO, "launch", "children empty their bounding sets themselves");
}

static int drop_capabilities(struct bp_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capset, &header, none) < 0)
        return bp_fail_errno(err, "dropping capabilities");
    struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3];
    header.pid = 0;
    if (syscall(SYS_capget, &header, left) < 0)
        return bp_fail_errno(err, "reading capabilities back");
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (left[i].permitted | left[i].effective | left[i].inheritable)
            return bp_fail(err, BP_ERR_STATE, "capabilities are left after dropping them all");
    return 0;
}

int bp_identity_drop(int in_user_namespace, const gid_t *groups, unsigned group_count,
                     int death_signal, int *changed_user, struct bp_error *err)
{
    uid_t uid = bp_identity_uid(in_user_namespace);
    gid_t gid = bp_identity_gid(in_user_namespace);
    if (uid == 0 && !in_user_namespace && !bp_weakened(BP_DEFENCE_user))
        return bp_fail(err, BP_ERR_STATE, "root, and no other user to become was given");
    *changed_user = uid != geteuid() && !bp_weakened(BP_DEFENCE_user);
    if (*changed_user) {
        if (setgroups(group_count, groups) < 0)
            return bp_fail_errno(err, "giving up groups");
        if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
            return bp_fail_errno(err, "becoming user %u", (unsigned)uid);
    }
    if (!bp_weakened(BP_DEFENCE_caps) && drop_capabilities(err) < 0)
        return -1;
    if (bp_weakened(BP_DEFENCE_pdeathsig))
        death_signal = 0;
    if (prctl(PR_SET_PDEATHSIG, death_signal) < 0)
        return bp_fail_errno(err, "PR_SET_PDEATHSIG");
    return 0;
}
