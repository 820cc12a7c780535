/* namespaces.h: which namespaces this machine grants us; mounts.h is what a child does inside. */
#ifndef BP_SANDBOX_NAMESPACES_H
#define BP_SANDBOX_NAMESPACES_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The variable of the worker's fixed environment that names the namespaces it was cloned into,
 * comma separated ("pidns,mntns"); empty when there are none. */
#define BP_NAMESPACES_VARIABLE "BULLETPROOF_NAMESPACES"
#define BP_NAMESPACES_TEXT 64

/* The richest set of CLONE_NEW* flags with which a child can be cloned and mount a tmpfs here; 0
 * when there is none. Tries them with short-lived children: about 1 ms each. */
uint64_t bp_namespaces_probe(void);

void bp_namespaces_format(uint64_t flags, char text[BP_NAMESPACES_TEXT]);
uint64_t bp_namespaces_parse(const char *text);

/* The maps of a user namespace in which the present user is 0; made before clone, because writing
 * numbers is not async-signal-safe. */
struct bp_user_map {
    char uid[32], gid[32];
};
void bp_user_map_make(struct bp_user_map *map);

/* In the child, first thing after clone with CLONE_NEWUSER; async-signal-safe. The result is 0 or
 * an errno value. */
int bp_user_map_write(const struct bp_user_map *map);

/* A namespace of a process, kind as in /proc/PID/ns: a descriptor that is the caller's, or -1. */
int bp_namespaces_open_of(pid_t pid, const char *kind, struct bp_error *err) BP_MUST_CHECK;

/* Namespaces that all children of one supervisor share, where they can be entered: making one takes as long
 * as much else of a sandbox, and what has no call for sockets, System V IPC and message queues leaves nothing
 * in them. */
#define BP_NAMESPACES_SHARED (CLONE_NEWNET | CLONE_NEWIPC)
struct bp_shared_namespaces {
    int network_fd; /* nothing in it but a loopback device that is down */
    int ipc_fd;
};

/* Makes them; needs the capabilities of the real root. On failure both are -1. */
int bp_namespaces_open_shared(struct bp_shared_namespaces *shared, struct bp_error *err)
    BP_MUST_CHECK;
void bp_namespaces_close_shared(struct bp_shared_namespaces *shared);

/* In a child, those of them that are wanted (CLONE_NEW*); async-signal-safe. 0, or -1 and errno. */
int bp_namespaces_enter_shared(const struct bp_shared_namespaces *shared, uint64_t wanted)
    BP_MUST_CHECK;

#endif
