/* identity.h: who the child is: user, groups and capabilities. */
#ifndef BP_SANDBOX_IDENTITY_H
#define BP_SANDBOX_IDENTITY_H

#include <sys/types.h>

#include "base/error.h"

/* What the real root becomes; Debian's nobody and nogroup. */
#define BP_IDENTITY_NOBODY 65534

/* The user and group this process will have after bp_identity_drop. In a user namespace only one
 * user is mapped, so there, and as an ordinary user, it stays who it is. */
uid_t bp_identity_uid(int in_user_namespace);
gid_t bp_identity_gid(int in_user_namespace);

/* Empties the bounding set, so that not even executing a file as user 0 of a namespace brings a capability
 * back; takes none that this process and its children have. Once, before the init forks the worker: it
 * takes a system call for each capability. */
int bp_identity_bound(struct bp_error *err) BP_MUST_CHECK;

/* Gives up groups, user and every capability. Then arranges for death_signal to come when the
 * parent dies, which a change of user would undo. *changed_user says whether there was one. */
int bp_identity_drop(int in_user_namespace, int death_signal, int *changed_user,
                     struct bp_error *err) BP_MUST_CHECK;

#endif
