#!/usr/bin/env bash
# Compiles every public header alone: the C ones as the project's C, gqa_abi.h also as plain C11 and
# as C++14, which is what the run-time compilers see. gqa.h and gqa_simt.h are device code and are
# compiled with the seeds.
# usage: headers.sh SOURCE_ROOT CC CXX
set -euo pipefail

root=$1 cc=$2 cxx=$3
warnings=(-Wall -Wextra -Wpedantic -Werror)
failed=0
count=0

check() { # check LABEL COMMAND...
    local label=$1
    shift
    count=$((count + 1))
    if ! "$@"; then
        echo "FAILED $label"
        failed=$((failed + 1))
    fi
}

has_hsa=no
if "$cc" -fsyntax-only -x c - <<<'#include <hsa/hsa_ext_amd.h>' 2>/dev/null; then
    has_hsa=yes
fi

while IFS= read -r header; do
    case $header in
        */gqa.h | */gqa_simt.h) continue ;;
    esac
    if [ $has_hsa = no ] && grep -q '^#include <hsa/' "$header"; then
        echo "not compiled, for want of AMD's headers (libhsa-runtime-dev): $header"
        continue
    fi
    # Included from a file of one line, as its users do; twice, to try the guard.
    include="#include \"${header#"$root"/}\""
    check "$header" "$cc" -std=gnu17 -D_GNU_SOURCE "${warnings[@]}" -fsyntax-only -I "$root" \
        -x c - <<<"$include
$include"
done < <(find "$root"/{base,sandbox,evaluator,harness,kernels/include} -name '*.h' | sort)

abi=$root/kernels/include/gqa_abi.h
check "gqa_abi.h as C11" "$cc" -std=c11 "${warnings[@]}" -fsyntax-only -x c "$abi"
check "gqa_abi.h as C++14" "$cxx" -std=c++14 "${warnings[@]}" -fsyntax-only -x c++ "$abi"

echo "$count compiled, $failed failed"
[ "$failed" -eq 0 ] && [ "$count" -gt 2 ]
