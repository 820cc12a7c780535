#!/usr/bin/env bash
# The release check, run inside the root of scripts/rocm7: builds the project with the root's
# compiler in /build and, with fault injection, /build-faults, which lie in the root, and runs the tests
# that need ROCm.
set -euo pipefail
# shellcheck source=scripts/lib/build.sh
. scripts/lib/build.sh

export AMD_COMGR_CACHE=0 # a compile that is tested is a compile
bp_build /build --buildtype=release -Dtests=enabled
meson test -C /build --no-rebuild --print-errorlogs --suite rocm
for arch in gfx1100 gfx1201; do
    echo "== kernels on emu:$arch"
    python3 tests/integration/gpu.py /build/bulletproof . --device "emu:$arch"
done
# Under ROCm 5 a failure of the device ends the process, under ROCm 7 every later call answers it: the same
# faults must come to the same.
echo "== faults of emu:gfx1100"
bp_build /build-faults --buildtype=release -Dtests=disabled -Dfault_injection=true
classes=$(sed -n 's/^  \(gpu_[a-z_]*\):.*/\1/p' configs/faults.yaml | paste --serial --delimiters=,)
/build-faults/bulletproof inject --campaign configs/faults.yaml --device emu:gfx1100 --occurrences 1 \
    --classes "$classes"
