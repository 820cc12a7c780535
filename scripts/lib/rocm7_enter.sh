#!/usr/bin/env bash
# rocm7_enter.sh ROOT PROJECT COMMAND...: makes ROOT the root of the mount namespace it is called in,
# which is the caller's to make, with PROJECT at its own path, and runs COMMAND there. It is process 1
# of a namespace, so it stays, to reap.
set -euo pipefail
root=$1 project=$2
shift 2

cp --dereference /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true # not needed offline
mount --bind "$root" "$root" # pivot_root takes only mount points
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root$project"
mount --bind "$project" "$root$project"

# Not chroot alone: in a chroot nobody may make a user namespace, which the sandbox needs.
cd "$root"
pivot_root . mnt
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umount --lazy /mnt
cd "$project"
status=0
env --ignore-environment PATH="$PATH" HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@" || status=$?
exit "$status"
