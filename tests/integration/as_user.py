#!/usr/bin/env python3
"""Becomes an ordinary user and executes a program.

usage: as_user.py --user|--bare PROGRAM [ARGUMENT...]

--user: user 65534 without groups. --bare: the same where the administrator forbids user namespaces, so
that no namespace is granted at all. Exit status 77, with the reason, where that cannot be had.
"""

import ctypes
import os
import struct
import sys

NOBODY = 65534
PR_SET_DUMPABLE = 4
CLONE_NEWUSER = 0x10000000
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}[os.uname().machine]
CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(77)


def become_nobody():
    if os.geteuid() != 0:
        skip("only root can become another user")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # a login's processes are


def write(path, text):
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        skip(f"{path}: {error.strerror}")


def forbid_namespaces():
    """A user namespace that permits no further one, left without any capability in it."""
    if libc.unshare(CLONE_NEWUSER) != 0:
        skip(f"user namespaces are forbidden: {os.strerror(ctypes.get_errno())}")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{NOBODY} {NOBODY} 1")
    write("/proc/self/gid_map", f"{NOBODY} {NOBODY} 1")
    write("/proc/sys/user/max_user_namespaces", "0")
    if libc.syscall(SYS_CAPSET, struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24)) != 0:
        skip("capabilities cannot be dropped")


def main():
    given = [path for path in sys.argv[2:] if os.path.exists(path)]
    become_nobody()
    for path in given:
        if not os.access(path, os.R_OK):
            skip(f"user {NOBODY} may not read {path}; /root, for one, is closed to others")
    if sys.argv[1] == "--bare":
        forbid_namespaces()
    try:
        os.execv(sys.argv[2], sys.argv[2:])
    except OSError as error:
        skip(f"user {NOBODY} cannot execute {sys.argv[2]}: {error.strerror}")


if __name__ == "__main__":
    main()
