#!/usr/bin/env python3
"""Kernels on a GPU, which is the emulated one unless --device names another: bad ones get each its verdict,
seeds pass, also behind the last of the faults, and on the emulated one tell how many instructions they
executed. Matrix units are of gfx11 and later there. `scripts/gpu` does all this and more, and keeps figures.

Exits with 77 where there is no emulator or no libamdhip64.
"""
import argparse
import ctypes.util
import json
import os
import subprocess
import sys

EMULATOR = "libhsa-runtime64.so.1"
CLASSES = {"salu", "valu", "matrix", "lds", "vmem", "smem", "wait", "branch", "other"}
SEEDS, MATRIX_SEED = ["eager.hip", "tiled.hip"], "matrix_flash.hip"
FOLDERS = ["evaluator/emulator", "emulator", "."]


def why_not(program, device="emu"):
    """Why the device cannot be had here; None where it can. Of a real one the program itself says so."""
    if not device.startswith("emu"):
        return None
    folder = os.path.dirname(os.path.abspath(program))
    if not any(os.path.exists(os.path.join(folder, place, EMULATOR)) for place in FOLDERS):
        return f"no {EMULATOR} beside {program}: the emulator was not built (libhsa-runtime-dev)"
    if not ctypes.util.find_library("amdhip64"):
        return "no libamdhip64 (apt-get install libamdhip64-5)"
    return None


def vendor_of(device):
    """What a kernel's head calls the maker of the device."""
    return "nvidia" if device.startswith("cuda") else "amd"


def complaints_about_counters(program, kernel, device):
    """What an evaluation says of the instructions that it executed, and of its times."""
    command = [program, "eval", kernel, "--device", device, "--suite", "tiny_decode"]
    results = [json.loads(subprocess.run(command + ["--json"], capture_output=True, check=True).stdout)
               for _ in range(2)]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    counters = results[0]["counters"]
    complaints = []
    if counters != results[1]["counters"]:
        complaints.append("two evaluations executed different instructions")
    if set(counters) != CLASSES or min(counters[name] for name in ["salu", "valu", "vmem"]) == 0:
        complaints.append(f"no counts of instructions: {counters}")
    if f" valu {counters['valu']} " not in text or "\n  emulated: times mean nothing\n" not in text:
        complaints.append(f"counts and warning are not in the text:\n{text}")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("root")
    parser.add_argument("--device", default="emu:gfx1030")
    parser.add_argument("--sanitized", action="store_true")
    arguments = parser.parse_args()
    reason = why_not(arguments.program, arguments.device)
    if reason:
        print(f"skipped: {reason}")
        return 77
    here = os.path.dirname(os.path.abspath(__file__))
    driver = [sys.executable, os.path.join(here, "badkernels.py"), arguments.program]
    common = ["--options", f"--device {arguments.device}", "--target", vendor_of(arguments.device)]
    common += ["--sanitized"] if arguments.sanitized else []
    emulated = arguments.device.startswith("emu:")
    names = SEEDS + ([] if arguments.device.startswith("emu:gfx10") else [MATRIX_SEED])
    seeds = [os.path.join(arguments.root, "kernels/seeds", name) for name in names]
    bad = os.path.join(arguments.root, "tests/badkernels-gpu")
    failed = subprocess.call(driver + [bad, "--suites", "tiny_decode"] + common)
    failed |= subprocess.call(driver + seeds + ["--suites", "tiny", "--expected", "PASS"] + common)
    if not emulated:
        return failed
    for complaint in complaints_about_counters(arguments.program, seeds[0], arguments.device):
        print(complaint)
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
