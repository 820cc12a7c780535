/* identity.h: who the child is: user, groups and capabilities. */
#ifndef BP_SANDBOX_IDENTITY_H
#define BP_SANDBOX_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Children of the real root become users that nobody else is: RLIMIT_NPROC counts all processes of a
 * user, so that with one for all a fork bomb in one child would take the processes of its neighbours. The
 * range is one that no system hands out (systemd's UIDS-GIDS); a supervisor's pid chooses its part. */
#define BP_IDENTITY_FIRST 0x70000000u
#define BP_IDENTITY_COUNT 0x0fffffffu
#define BP_IDENTITY_CHILDREN 64u /* of one supervisor, before numbers come again */
/* Where the supervisor's own user namespace has no such users: Debian's nobody and nogroup. */
#define BP_IDENTITY_NOBODY 65534

/* The variable of the worker's fixed environment that tells a child of the real root its number. */
#define BP_IDENTITY_VARIABLE "BULLETPROOF_USER"

/* For the supervisor: the user, and group, of its nth child. */
uid_t bp_identity_of_child(pid_t supervisor, uint32_t n);

/* For a child that is the real root: the number it was told, or 0 when there is none to become. */
uid_t bp_identity_told(void);

/* The user and group this process will have after bp_identity_drop. In a user namespace only one
 * user is mapped, so there, and as an ordinary user, it stays who it is. */
uid_t bp_identity_uid(int in_user_namespace);
gid_t bp_identity_gid(int in_user_namespace);

/* Empties the bounding set, so that not even executing a file as user 0 of a namespace brings a capability
 * back; takes none that this process and its children have. Once, before the init forks the worker: it
 * takes a system call for each capability. */
int bp_identity_bound(struct bp_error *err) BP_MUST_CHECK;

/* For a supervisor that is root: the same for itself, so that what it executes starts with an empty one and,
 * as root, all the capabilities it has now. bp_identity_bound then only looks; where this cannot be had it
 * does the work. */
void bp_identity_bound_children(void);

/* Gives up groups but those given, user and every capability. Then arranges for death_signal to come when the
 * parent dies, which a change of user would undo. *changed_user says whether there was one. */
int bp_identity_drop(int in_user_namespace, const gid_t *groups, unsigned group_count,
                     int death_signal, int *changed_user, struct bp_error *err) BP_MUST_CHECK;

#endif
