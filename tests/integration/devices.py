#!/usr/bin/env python3
"""Two emulated GPUs as the devices of one run: both are used, and every evaluation, match and event says which.
Where faults are built in, one of them is lost in every child: the run ends on the other, with nothing lost and
nobody blamed; one that does not answer at the start is done without; and when both fail, an evaluation waits
until one is well again.

usage: devices.py BULLETPROOF SOURCE_ROOT [--built]

Exits with 77 where there is no emulator or no libamdhip64.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from gpu import why_not
from emulated_faults import evaluations_of, events_of

FIRST, SECOND = "emu:gfx1030", "emu:gfx1030:1"
CONFIG = """kernel: {kernel}
devices: [%s, %s]
suite: tiny_decode
parallel: 1
strategy: {{name: random}}
budget: {{evaluations: {evaluations}}}
timing: {{batch_ms: 1, warmup_batches: 1, batches: 3, match_rounds: 4, final_rounds: 4, ring_mb: 1}}
retry: {{base_ms: 1, cap_ms: 1}}
health: {{pause_ms: 100}}
""" % (FIRST, SECOND)
# Each child after the other, of whichever device: those that ran a kernel, their probes, probes in quarantine.
BOTH = ("gpu_lost:1:once,gpu_queue_error:2:once,gpu_ecc:3:once,gpu_memory_fault:4:once,"
        "gpu_failing_reset:5:once,gpu_illegal:6:once")


def evolve(arguments, directory, evaluations, environment):
    kernel = os.path.abspath(os.path.join(arguments.root, "configs/faults/device.hip"))
    config, run = f"{directory}/config.yaml", f"{directory}/run"
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(kernel=kernel, evaluations=evaluations))
    done = subprocess.run([arguments.program, "evolve", config, "--out", run], text=True,
                          capture_output=True, check=False, timeout=280,
                          env=dict(os.environ, **environment))
    complaints = [] if done.returncode == 0 else [f"exit status {done.returncode}:\n{done.stderr}"]
    if "(emu:gfx1030,emu:gfx1030:1)" not in done.stdout:
        complaints.append(f"the results do not name the devices:\n{done.stdout}")
    found, events = evaluations_of(run), events_of(run)
    return complaints + complaints_about_run(evaluations, found, events), done, found, events


def complaints_about_run(wanted, evaluations, events):
    complaints = []
    numbers = [one["number"] for one in evaluations]
    recorded = [event["number"] for kind, event in events if kind == "evaluation"]
    if numbers != list(range(1, wanted + 1)) or recorded != numbers:
        complaints.append(f"evaluations {numbers}, recorded in the order {recorded}")
    for one in evaluations:
        if one["verdict"] != "PASS" or one["blame"] != "none":
            complaints.append(f"#{one['number']}: {one['verdict']}: {one['message']}")
    for kind, event in events:
        if kind in ("match", "final") and (event["failed"] or event["device"] not in (FIRST, SECOND)):
            complaints.append(f"{kind} on device {event['device']}, failed: {event['failed']}")
    return complaints


def both_are_used(arguments, directory):
    complaints, _, evaluations, events = evolve(arguments, directory, 3, {})
    used = [one["device"]["kind"] for one in evaluations]
    if used != [FIRST, SECOND, FIRST]:
        complaints.append(f"devices of the evaluations: {used}")
    if any(kind in ("device", "probe") for kind, _ in events):
        complaints.append("a device was suspected without a fault")
    return complaints


def one_is_lost(arguments, directory):
    complaints, done, evaluations, events = evolve(
        arguments, directory, 2,
        {"BULLETPROOF_FAULTY_DEVICE": SECOND, "BULLETPROOF_FAULTS": "gpu_lost:1:every"})
    used = {one["device"]["kind"] for one in evaluations}
    if used != {FIRST}:
        complaints.append(f"an evaluation passed on {used}")
    if not any(len(one["attempts"]) > 1 for one in evaluations):
        complaints.append("no evaluation met the lost device")
    changes = [event for kind, event in events if kind == "device"]
    probes = [event for kind, event in events if kind == "probe"]
    if {event["device"] for event in changes + probes} != {SECOND}:
        complaints.append(f"events name the devices {[event['device'] for event in changes + probes]}")
    if [event["to"] for event in changes[:3]] != ["suspect", "probing", "quarantined"]:
        complaints.append(f"the lost device went through {[event['to'] for event in changes]}")
    if any(event["passed"] for event in probes):
        complaints.append("a probe of the lost device passed")
    if f"device {SECOND} is quarantined (" not in done.stderr:
        complaints.append(f"nothing was said of it:\n{done.stderr}")
    return complaints


def evaluate(arguments, device, environment):
    kernel = os.path.join(arguments.root, "kernels/seeds/eager.hip")
    return subprocess.run(
        [arguments.program, "eval", kernel, "--device", device, "--suite", "tiny_decode", "--json"],
        text=True, capture_output=True, check=False, timeout=280, env=dict(os.environ, **environment))


def one_does_not_answer(arguments, _):
    absent = {"BULLETPROOF_ABSENT_DEVICE": FIRST}
    complaints = []
    done = evaluate(arguments, f"{FIRST},{SECOND}", absent)
    if done.returncode != 0 or json.loads(done.stdout)["device"]["kind"] != SECOND:
        complaints.append(f"exit status {done.returncode}:\n{done.stdout}{done.stderr}")
    if f"device {FIRST} does not answer" not in done.stderr:
        complaints.append(f"nothing was said of it:\n{done.stderr}")
    done = evaluate(arguments, FIRST, absent)
    if done.returncode != 20 or f"no device {FIRST}: " not in done.stderr:
        complaints.append(f"alone: exit status {done.returncode}:\n{done.stdout}{done.stderr}")
    return complaints


def both_fail_for_a_while(arguments, _):
    done = evaluate(arguments, f"{FIRST},{SECOND}", {"BULLETPROOF_FAULTS": BOTH})
    if done.returncode != 0:
        return [f"exit status {done.returncode}:\n{done.stdout}{done.stderr}"]
    result = json.loads(done.stdout)
    complaints = []
    if result["verdict"] != "PASS" or len(result["attempts"]) != 3:
        complaints.append(f"{result['verdict']} after {result['attempts']}")
    if "no device is healthy; device emu:gfx1030" not in done.stderr:
        complaints.append(f"it did not say that it waits:\n{done.stderr}")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("root")
    parser.add_argument("--built", action="store_true", help="faults are built in")
    arguments = parser.parse_args()
    reason = why_not(arguments.program)
    if reason:
        print(f"skipped: {reason}")
        return 77
    failed = False
    faulty = [one_is_lost, one_does_not_answer, both_fail_for_a_while]
    for check in faulty if arguments.built else [both_are_used]:
        with tempfile.TemporaryDirectory(prefix="bulletproof-devices-") as directory:
            complaints = check(arguments, directory)
        print(f"{check.__name__}: {'; '.join(complaints) or 'ok'}")
        failed = failed or bool(complaints)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
