# shellcheck shell=bash
# packages.sh: every Debian 12 package the project needs, once, and the function that provides them.
# Sourced by the other scripts.
#
# A line is: package | probe | what for. On Debian 12 packages are looked up and installed by name; on
# another system the probe decides: `cmd NAME` a command, `pc NAME` a pkg-config module, `-` optional
# there (the tests that want it are skipped).
# shellcheck disable=SC2034 # the lists are used by those who source this

BP_BUILD_PACKAGES='
gcc               | cmd gcc          | compiles the project
libc6-dev         | cmd gcc          | C library headers
meson             | cmd meson        | configures the build
ninja-build       | cmd ninja        | runs the build
pkgconf           | cmd pkg-config   | finds the libraries below
clang             | cmd clang        | compiles kernels for the CPU device
lld               | cmd ld.lld       | links kernels for the CPU device
python3           | cmd python3      | embeds headers and the eager kernel; integration tests
libdw-dev         | pc libdw         | source lines in what the gates find
libseccomp-dev    | pc libseccomp    | system call filters of the sandbox
libmsgpack-dev    | pc msgpack       | frames between supervisor and workers
libyaml-dev       | pc yaml-0.1      | configs and kernel declarations
libsqlite3-dev    | pc sqlite3       | the record of a run
libjansson-dev    | pc jansson       | JSON artifacts
libarchive-dev    | pc libarchive    | failure bundles packed into one file
libsodium-dev     | pc libsodium     | hashes and keyed randomness
libsystemd-dev    | pc libsystemd    | telling a service manager that the run is alive
libhsa-runtime-dev | -               | headers of what the emulated AMD GPU replaces
'

BP_TEST_PACKAGES='
libcmocka-dev     | pc cmocka        | unit tests
libclang-rt-14-dev | -               | sanitizer and coverage runtimes for kernels on the CPU device
libamdhip64-5     | -                | hipRTC: compiles kernels for AMD GPUs, no GPU needed
sqlite3           | cmd sqlite3      | queries run.db in integration tests
jq                | cmd jq           | reads JSON in integration tests and the test summary
'

BP_ROCM7_PACKAGES='
debootstrap       | cmd debootstrap  | makes the root of scripts/rocm7
'

# The fields of a line, trimmed, in BP_PACKAGE, BP_PROBE and BP_PURPOSE; false for an empty line.
bp_package_fields() {
    local line=$1
    [ -n "$line" ] || return 1
    IFS='|' read -r BP_PACKAGE BP_PROBE BP_PURPOSE <<<"$line"
    read -r BP_PACKAGE <<<"$BP_PACKAGE"
    read -r BP_PROBE <<<"$BP_PROBE"
    read -r BP_PURPOSE <<<"$BP_PURPOSE"
}

bp_is_debian_12() {
    [ -r /etc/os-release ] && (
        # shellcheck disable=SC1091
        . /etc/os-release
        [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]
    )
}

bp_package_present() {
    if bp_is_debian_12; then
        local status
        status=$(dpkg-query --show --showformat='${db:Status-Status} ' "$BP_PACKAGE" 2>/dev/null) &&
            [[ " $status" == *' installed '* ]] # one word an architecture
        return
    fi
    case $BP_PROBE in
        -) return 0 ;;
        cmd\ *) command -v "${BP_PROBE#cmd }" >/dev/null ;;
        pc\ *) command -v pkg-config >/dev/null && pkg-config --exists "${BP_PROBE#pc }" ;;
    esac
}

# bp_need_packages LIST...: returns at once when everything is there. Otherwise installs on Debian 12
# (as root or through sudo), and elsewhere says what is missing and exits 1.
bp_need_packages() {
    local line missing=() reasons=()
    while IFS= read -r line; do
        bp_package_fields "$line" || continue
        if ! bp_package_present; then
            missing+=("$BP_PACKAGE")
            reasons+=("  $BP_PACKAGE: $BP_PURPOSE")
        fi
    done <<<"$(printf '%s\n' "$@")"
    [ ${#missing[@]} -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
    fi
    if ! bp_is_debian_12 || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
        {
            echo 'missing (names of Debian 12 packages):'
            printf '%s\n' "${reasons[@]}"
            if bp_is_debian_12; then
                echo "get them, as root, with: apt-get install ${missing[*]}"
            else
                echo "install your system's equivalents, then run this again"
            fi
        } >&2
        exit 1
    fi
    echo "installing: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
}
