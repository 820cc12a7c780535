#!/usr/bin/env python3
"""Compiles every seed for GPUs, with its default knobs, and prints what it takes of each: registers, spills,
LDS, scratch. No GPU is needed. Targets are those that the installed compilers know; of dtypes the first
that a seed declares, or all of them where all targets are known, as in the root of scripts/rocm7.

    seed_profiles.py PROGRAM SEEDS

Fails when a seed does not compile for a target it is for, or spills there; and unless a seed for matrix
units uses them and refuses a target without. Exit status 77 (skipped) without any compiler.
"""
import json
import os
import re
import subprocess
import sys

PROGRAM, SEEDS = (os.path.abspath(path) for path in sys.argv[1:3])
SKIPPED = 77

# Targets by what a seed's head calls the vendor. The first is known to every version of its compiler;
# hipRTC 5 does not reject the other ones of AMD, it aborts.
TARGETS = {"amd": ["gfx90a", "gfx1030", "gfx1201", "gfx1100", "gfx942", "gfx950"],
           "nvidia": ["sm_90", "sm_89"]}
TARGETS_OF_HIPRTC_5 = ["gfx90a", "gfx1030"]
MATRIX_SEEDS = {"matrix_flash"}
WITHOUT_MATRIX_UNITS = {"gfx1030"}
COLUMNS = ("vgpr", "agpr", "sgpr", "spills", "lds_bytes", "scratch_bytes")


def compile_for(seed, dtype, targets):
    """The rows of `eval --compile-only`, one a target."""
    command = [PROGRAM, "eval", os.path.join(SEEDS, f"{seed}.hip"), "--dtype", dtype, "--json",
               "--compile-only", "--target", ",".join(targets)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=300, check=False)
    if not result.stdout:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return json.loads(result.stdout)["targets"]


def known_targets():
    """What can be compiled for here, by vendor; says what is missing."""
    known = {}
    for vendor, targets in TARGETS.items():
        row = compile_for("eager", "f32", targets[:1])[0]
        compiler = row["compiler"]
        if row["verdict"] == "INFRA":
            print(f"not compiled for {', '.join(targets)}: {row['message']}")
        elif compiler and "libamdhip64.so.5" in compiler:
            known[vendor] = TARGETS_OF_HIPRTC_5
            left = [target for target in targets if target not in TARGETS_OF_HIPRTC_5]
            print(f"not compiled for {', '.join(left)}: unknown to {compiler}; see docs/rocm7.md")
        else:
            known[vendor] = targets
    return known


def head_list(text, key):
    """A list such as `targets: [cpu, amd]` of a seed's declaration."""
    return re.search(rf"^{key}: \[([^\]]*)\]", text, re.MULTILINE)[1].replace(" ", "").split(",")


def fault_of(seed, row):
    """What is wrong with a row, or None."""
    if seed in MATRIX_SEEDS and row["target"] in WITHOUT_MATRIX_UNITS:
        refused = row["verdict"] == "COMPILE_ERROR" and "needs" in row["message"]
        return None if refused else "must say that it needs matrix units"
    if row["verdict"] != "PASS":
        return row["message"]
    spills = sum(kernel["spills"] for kernel in row["profile"])
    if spills > 0:
        return f"{spills} vector registers spill"
    mixes = [kernel["mix"] for kernel in row["profile"] if kernel["mix"]]
    if mixes and (seed in MATRIX_SEEDS) != any(mix["matrix"] for mix in mixes):
        return "matrix instructions where none belong, or none"
    return None


def print_row(seed, dtype, row):
    label = f"{seed:<13} {dtype:<5} {row['target']:<8}"
    if row["verdict"] != "PASS":
        print(f"{label} {row['verdict']}: {row['message']}")
        return
    for kernel in row["profile"]:
        if kernel["kernel"] != "gqa_plan":
            print(f"{label} {kernel['kernel']:<12}", *(f"{kernel[name]:>7}" for name in COLUMNS),
                  f"{kernel['occupancy']:>4} of {kernel['occupancy_max']:>2}")


def main():
    known = known_targets()
    if not known:
        print("skipped: no run-time compiler of a GPU is installed")
        return SKIPPED
    everything = known.get("amd") == TARGETS["amd"]
    print(f"{'seed':<13} {'dtype':<5} {'target':<8} {'kernel':<12}   vgpr    agpr    sgpr  spills"
          "     lds scratch   waves  (lds: static)")
    rows, faults = 0, []
    for name in sorted(os.listdir(SEEDS)):
        if not name.endswith(".hip"):
            continue
        seed = name[:-len(".hip")]
        with open(os.path.join(SEEDS, name), encoding="utf-8") as file:
            text = file.read()
        targets = [target for vendor in head_list(text, "targets") for target in known.get(vendor, [])]
        dtypes = head_list(text, "dtypes")
        for dtype in (dtypes if everything else dtypes[:1]) if targets else []:
            for row in compile_for(seed, dtype, targets):
                rows += 1
                print_row(seed, dtype, row)
                fault = fault_of(seed, row)
                if fault:
                    faults.append(f"{seed} {dtype} {row['target']}: {fault}")
    print("\n".join(faults + [f"{rows} compiled, {len(faults)} failed"]))
    return 1 if faults or rows == 0 else 0


sys.exit(main())
