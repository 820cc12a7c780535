# shellcheck shell=bash
# build.sh: configures and builds a folder. Sourced; the working directory is the project's root.

# Runs a command quietly; what it printed is shown only when it fails.
bp_quietly() {
    local output status=0
    output=$("$@" 2>&1) || status=$?
    if [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" >&2
    fi
    return "$status"
}

# bp_build FOLDER OPTION...: meson setup, or a new configuration of a folder that exists, then ninja.
# Returns non-zero when either fails, also where errexit is off.
bp_build() {
    local folder=$1 again=()
    shift
    if [ -f "$folder/build.ninja" ]; then
        again=(--reconfigure)
    fi
    echo "building $folder/"
    bp_quietly meson setup "${again[@]}" "$folder" "$@" && bp_quietly ninja -C "$folder"
}

# bp_build_fuzzers FOLDER: the libFuzzer targets alone, with clang.
bp_build_fuzzers() {
    local folder=$1 again=()
    if [ -f "$folder/build.ninja" ]; then
        again=(--reconfigure)
    fi
    echo "building $folder/"
    CC=clang bp_quietly meson setup "${again[@]}" "$folder" -Dfuzzing=true -Dtests=enabled \
        -Db_lundef=false && bp_quietly ninja -C "$folder" fuzz_targets
}
