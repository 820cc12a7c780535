#!/usr/bin/env python3
"""A short evolution on the emulated GPU whose device fails in one of ten children: every fault is classified,
the device probed after it, and no candidate blamed, neither for its own nor for the one before it.

usage: emulated_faults.py BULLETPROOF SOURCE_ROOT [--built] [--arch ARCH]

Exits with 77 where there is no emulator or no libamdhip64, and in a build without fault injection.
"""
import argparse
import collections
import glob
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

from gpu import why_not

# A memory fault in every tenth run or probe child; in the one behind the first of them, which mostly is the
# probe, a queue fails; then a device cannot be opened, one is lost. What is tried again after one of them
# is over before the next: a candidate with two faults in a row would rightly be blamed.
FAULTS = ("gpu_memory_fault:10:every,gpu_queue_error:11:once,gpu_failing_reset:15:once,"
          "gpu_lost:25:once")
EVALUATIONS = 6
CONFIG = """kernel: {kernel}
device: emu:{arch}
suite: tiny_decode
parallel: 2
strategy: {{name: random}}
budget: {{evaluations: {evaluations}}}
timing: {{batch_ms: 1, warmup_batches: 1, batches: 5, match_rounds: 4, final_rounds: 4, ring_mb: 1}}
retry: {{base_ms: 20, cap_ms: 200}}
health: {{pause_ms: 100}}
"""


def evaluations_of(run):
    found = []
    for path in sorted(glob.glob(os.path.join(run, "**", "eval_*.json"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            found.append(json.load(file))
    return sorted(found, key=lambda one: one["number"])


def events_of(run):
    with sqlite3.connect(f"file:{run}/run.db?mode=ro", uri=True) as database:
        rows = database.execute("SELECT kind, json FROM event ORDER BY number").fetchall()
    return [(kind, json.loads(text)) for kind, text in rows]


def complaints_about(evaluations, events):
    complaints = []
    if [one["number"] for one in evaluations] != list(range(1, EVALUATIONS + 1)):
        complaints.append(f"evaluations {[one['number'] for one in evaluations]}")
    for one in evaluations:
        if one["verdict"] not in ("PASS", "INFRA") or one["blame"] not in ("none", "harness"):
            complaints.append(f"#{one['number']} is blamed: {one['verdict']}: {one['message']}")
    outcomes = collections.Counter(attempt["outcome"] for one in evaluations
                                   for attempt in one["attempts"])
    probes = [event["passed"] for kind, event in events if kind == "probe"]
    states = [event["to"] for kind, event in events if kind == "device"]
    print(f"attempts {dict(outcomes)}, probes {len(probes)}, of them passed {sum(probes)}, "
          f"device {collections.Counter(states)}")
    if not outcomes.keys() - {"PASS"} or set(outcomes) - {"PASS", "GPU_FAULT", "GPU_HANG", "INFRA"}:
        complaints.append("the faults are not classified as the device's")
    if not any(probes) or states[-1:] != ["healthy"]:
        complaints.append(f"no probe cleared the device: {states}")
    if any(event["failed"] for kind, event in events if kind in ("match", "final")):
        complaints.append("a side of a match is blamed")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("root")
    parser.add_argument("--arch", default="gfx1030")
    parser.add_argument("--built", action="store_true", help="faults are built in")
    arguments = parser.parse_args()
    reason = why_not(arguments.program)
    if not arguments.built:
        reason = "no fault injection (meson configure -Dfault_injection=true)"
    if reason:
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory(prefix="bulletproof-emulated-") as directory:
        config, run = f"{directory}/config.yaml", f"{directory}/run"
        kernel = os.path.abspath(os.path.join(arguments.root, "configs/faults/device.hip"))
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(kernel=kernel, arch=arguments.arch, evaluations=EVALUATIONS))
        done = subprocess.run([arguments.program, "evolve", config, "--out", run], text=True,
                              capture_output=True, check=False, timeout=280,
                              env=dict(os.environ, BULLETPROOF_FAULTS=FAULTS))
        complaints = [] if done.returncode == 0 else [f"exit status {done.returncode}"]
        complaints += complaints_about(evaluations_of(run), events_of(run))
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(done.stdout, done.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
