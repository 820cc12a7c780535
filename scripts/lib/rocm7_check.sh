#!/usr/bin/env bash
# The release check, run inside the root of scripts/rocm7: builds the project with the root's
# compiler in /build, which lies in the root, and runs the tests that need ROCm.
set -euo pipefail
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh

export AMD_COMGR_CACHE=0 # a compile that is tested is a compile
bp_build /build --buildtype=release -Dtests=enabled
meson test -C /build --no-rebuild --print-errorlogs --suite rocm
for arch in gfx1100 gfx1201; do
    echo "== kernels on emu:$arch"
    python3 tests/integration/emulated.py /build/bulletproof . --arch "$arch"
done
