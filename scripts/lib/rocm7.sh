# shellcheck shell=bash
# rocm7.sh: makes, enters and removes the root that scripts/rocm7 runs commands in. Sourced after
# packages.sh; the working directory is the project's root.
#
# A root is made under a temporary name and renamed when it is complete, so one that has its name is
# whole. All that mounts or works in a root does so in mount and process namespaces of its own: it
# ends as a whole, nothing stays mounted, and what is removed holds no mount of the host.

# What a root costs, for the announcement and the check of the disk; `scripts/rocm7` prints what it
# really was. The peak includes the archives of the packages, which are deleted at the end.
BP_ROCM7_PEAK_MB=1600
BP_ROCM7_FINAL_MB=1100
BP_ROCM7_DOWNLOAD_MB=300

# Holds the packages that were asked for; it also says that a folder is a root of ours.
BP_ROCM7_LIST=etc/bulletproof-packages

bp_rocm7_refuse() { # MESSAGE [STATUS]
    echo "scripts/rocm7: $1" >&2
    exit "${2:-1}"
}

# Exits with a reason unless roots can be made and entered here.
bp_rocm7_need_rights() {
    [ "$(id -u)" -eq 0 ] ||
        bp_rocm7_refuse 'needs root, to mount and to change the root: sudo scripts/rocm7 ...'
    unshare --mount true ||
        bp_rocm7_refuse 'may not make a mount namespace: this container lacks CAP_SYS_ADMIN'
}

# The packages of the root: those of packages.sh under the names they have in sid, and what entering
# needs. libamdhip64-dev comes from experimental and brings hipRTC, comgr and the HSA runtime.
bp_rocm7_packages() {
    local line
    echo mount
    while IFS= read -r line; do
        bp_package_fields "$line" || continue
        case $BP_PACKAGE in
            libclang-rt-14-dev) echo libclang-rt-dev ;;
            libamdhip64-5) echo libamdhip64-dev ;;
            *) echo "$BP_PACKAGE" ;;
        esac
    done <<<"$BP_BUILD_PACKAGES$BP_TEST_PACKAGES" | sort --unique
}

bp_rocm7_apart() { # COMMAND...
    unshare --mount --pid --fork --kill-child "$@"
}

# bp_rocm7_enter ROOT COMMAND...: runs it in the root, in the project's folder; its exit status.
bp_rocm7_enter() {
    local root=$1
    shift
    bp_rocm7_apart scripts/lib/rocm7_enter.sh "$root" "$PWD" "$@"
}

# Everything in ROOT that packages.sh asks for. Experimental's packages are taken only where named.
bp_rocm7_install() {
    local root=$1 packages
    mapfile -t packages < <(bp_rocm7_packages)
    # Experimental's index is signed but often past its date; only this root trusts it then.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90bulletproof"
    # shellcheck disable=SC2016 # expanded inside
    bp_rocm7_enter "$root" sh -euc '
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq --yes --no-install-recommends --target-release experimental \
            install libamdhip64-dev
        apt-get -qq --yes --no-install-recommends install "$@"
        apt-get clean
        rm -rf /var/lib/apt/lists/*' sh "${packages[@]}" || return
    printf '%s\n' "${packages[@]}" >"$root/$BP_ROCM7_LIST"
}

bp_rocm7_make() { # ROOT MIRROR
    local root=$1 mirror=$2
    bp_rocm7_apart debootstrap --variant=minbase sid "$root" "$mirror" || return
    printf 'deb %s %s main\n' "$mirror" sid "$mirror" experimental >"$root/etc/apt/sources.list"
    bp_rocm7_install "$root"
}

bp_rocm7_announce() {
    local root=$1 mirror=$2 available
    cat >&2 <<END
making a root with ROCm 7, once: $root
  from $mirror: $BP_ROCM7_DOWNLOAD_MB MB to download, $BP_ROCM7_FINAL_MB MB on disk ($BP_ROCM7_PEAK_MB MB meanwhile),
  some minutes, most of them the download; scripts/rocm7 --remove deletes it
END
    available=$(df --output=avail --block-size=1M "$(dirname "$root")" | tail -n 1)
    [ "$available" -ge "$BP_ROCM7_PEAK_MB" ] ||
        bp_rocm7_refuse "only $((available)) MB are free there; --root puts it elsewhere"
}

# bp_rocm7_logged LOG COMMAND...: with its output in LOG; when it fails, shows the end of that and
# exits. A job of its own, because bash delays traps while a command is in the foreground.
bp_rocm7_logged() {
    local log=$1
    shift
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    set +m
    BP_ROCM7_JOB=$!
    if ! wait "$BP_ROCM7_JOB"; then
        tail -n 15 "$log" >&2
        bp_rocm7_refuse "the root could not be made; the whole log is $log"
    fi
    BP_ROCM7_JOB=
}

# Whatever ends the making of PARTIAL: ends its processes and deletes it.
bp_rocm7_give_up() {
    local partial=$1
    if [ -n "${BP_ROCM7_JOB:-}" ]; then
        kill -KILL -- "-$BP_ROCM7_JOB" 2>/dev/null || true
    fi
    # The first may meet the last writes of processes that are dying.
    rm -rf --one-file-system "$partial" 2>/dev/null ||
        { sleep 1 && rm -rf --one-file-system "$partial"; }
}

# bp_rocm7_lock ROOT --shared|--exclusive: ROOT.lock, until the script and what it runs have ended, or
# until it is locked otherwise. The file is never deleted: another may be waiting for it.
bp_rocm7_lock() {
    local root=$1 how=$2
    if [ -z "${BP_ROCM7_LOCK:-}" ]; then
        exec {BP_ROCM7_LOCK}>>"$root.lock"
    fi
    if ! flock --nonblock "$how" "$BP_ROCM7_LOCK"; then
        echo "waiting for another scripts/rocm7 on $root" >&2
        flock "$how" "$BP_ROCM7_LOCK"
    fi
}

bp_rocm7_need_ours() { # ROOT
    if [ -e "$1" ] && [ ! -e "$1/$BP_ROCM7_LIST" ]; then
        bp_rocm7_refuse "$1 exists and is not a root of this script"
    fi
}

bp_rocm7_make_whole() { # ROOT MIRROR
    local root=$1 mirror=$2 begin=$SECONDS
    bp_need_packages "$BP_ROCM7_PACKAGES"
    bp_rocm7_announce "$root" "$mirror"
    # shellcheck disable=SC2064 # now
    trap "bp_rocm7_give_up ${root@Q}.partial" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    rm -rf --one-file-system "$root.partial"
    bp_rocm7_logged "$root.log" bp_rocm7_make "$root.partial" "$mirror"
    mv --no-target-directory "$root.partial" "$root"
    trap - EXIT INT TERM HUP
    echo "made: $(du --summarize --block-size=1M "$root" | cut -f 1) MB in $((SECONDS - begin)) s" >&2
}

# Whether the root is there and has every package that is asked for.
bp_rocm7_current() { # ROOT
    [ -e "$1/$BP_ROCM7_LIST" ] && bp_rocm7_packages | cmp --silent - "$1/$BP_ROCM7_LIST"
}

# Makes the root where there is none, adds packages that were not asked for when it was made, and
# returns with the lock shared. What an earlier call left when it was killed is deleted first.
bp_rocm7_provide() { # ROOT MIRROR
    local root=$1 mirror=$2
    bp_rocm7_need_ours "$root"
    mkdir -p "$(dirname "$root")"
    bp_rocm7_lock "$root" --shared
    if bp_rocm7_current "$root"; then
        return
    fi
    bp_rocm7_lock "$root" --exclusive
    if [ ! -e "$root" ]; then
        bp_rocm7_make_whole "$root" "$mirror"
    elif ! bp_rocm7_current "$root"; then
        echo "adding the packages that are new in scripts/lib/packages.sh to $root" >&2
        bp_rocm7_logged "$root.log" bp_rocm7_install "$root"
    fi
    bp_rocm7_lock "$root" --shared
}

# Deletes the root and what an unfinished one left.
bp_rocm7_remove() { # ROOT
    local root=$1
    bp_rocm7_need_ours "$root"
    [ -e "$root" ] || [ -e "$root.partial" ] || bp_rocm7_refuse "there is no root in $root"
    bp_rocm7_lock "$root" --exclusive
    rm -rf --one-file-system "$root" "$root.partial" "$root.log"
}
