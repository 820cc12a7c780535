#!/usr/bin/env python3
"""Which defence catches what: each is turned off, and what it held comes through.

usage: attribution.py BULLETPROOF SOURCE_ROOT RULES_TEST [--sanitized]

BULLETPROOF is one that can be weakened (-Dweakening=true), RULES_TEST unit test judge/weakened. Every
switch of base/weaken.h has rows in the tables below: an attack, what it gets while the defence is on, what
it gets without it. Both are seen, and docs/attribution.md must have the rows that this prints.
"""
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time

import unseen
from canary import names

BULLETPROOF = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(sys.argv[2]).resolve()
RULES_TEST = os.path.abspath(sys.argv[3])
SANITIZED = "--sanitized" in sys.argv
SLOWNESS = 3.0 if SANITIZED else 1.0

NO_VERDICT = "no end"       # within the time below
DEAD = "the supervisor dies"
NO_END_S = 5.0 * SLOWNESS
ENDS_S = 60.0 * SLOWNESS
LOG_MIB = 12                # of the 16 that pipe_log_flood prints: memory that only its log explains


@dataclasses.dataclass
class Row:
    """One attack on one defence. `beside` is off in both evaluations: another defence that would stop
    the same attack."""
    defence: str
    attack: str
    held: str
    without: str
    beside: str = ""
    see: str = "verdict"    # how an evaluation is summed up: a name of SEEING
    suite: str = "odd_17"
    tries: int = 1          # where attack and defence race
    compiled: str = ""      # why a build with sanitizers has not got the defence


ROWS = [
    Row("candidate_filter", "call_openat", "POLICY", "WRONG_RESULT"),
    Row("seccomp", "call_socket_needed", "WRONG_RESULT", "PASS", beside="candidate_filter"),
    Row("listener", "call_socket", "POLICY: socket", "POLICY: read", see="call"),
    Row("root", "compile_include_absolute", "COMPILE_ERROR", "WRONG_RESULT",
        beside="landlock,includes"),
    Row("landlock", "compile_include_absolute", "COMPILE_ERROR", "WRONG_RESULT",
        beside="root,includes"),
    Row("includes", "compile_include_absolute", "COMPILE_ERROR", "WRONG_RESULT",
        beside="root,landlock"),
    Row("rlimits", "limit_mmap", "CRASH", "WRONG_RESULT", compiled="no limit of address space"),
    Row("address_space", "limit_mmap", "CRASH", "WRONG_RESULT",
        compiled="no limit of address space"),
    Row("deadlines", "hang_loop", "RUN_TIMEOUT", NO_VERDICT),
    Row("deadlines", "compile_unroll", "COMPILE_TIMEOUT", NO_VERDICT),
    Row("log_cap", "pipe_log_flood", "PASS, small", "PASS, large", see="memory"),
    Row("diagnostics_cap", "compile_long_errors", "COMPILE_LIMIT", "COMPILE_ERROR"),
    Row("constructors", "object_constructor", "LAUNCH_ERROR", "WRONG_RESULT"),
    Row("ifuncs", "object_ifunc", "LAUNCH_ERROR", "CRASH"),
    Row("imports", "object_import_abort", "LAUNCH_ERROR", "CRASH"),
    Row("plan_limits", "plan_no_grid", "LAUNCH_ERROR", "CRASH or POLICY"),
    Row("frame_limit", "pipe_huge_length", "PROTOCOL", "RUN_TIMEOUT"),
    Row("prescan", "forged_trailing", "PROTOCOL", "WRONG_RESULT", beside="second_call"),
    Row("nonce", "forged_nonce", "PROTOCOL", "WRONG_RESULT", beside="second_call"),
    Row("sequence", "forged_sequence", "PROTOCOL", "WRONG_RESULT", beside="second_call"),
    Row("answer_table", "forged_type", "PROTOCOL", DEAD),
    Row("one_result", "forged_twice", "PROTOCOL or WRONG_RESULT", "INFRA", beside="second_call"),
    Row("claims", "forged_infra", "PROTOCOL", "INFRA"),
    Row("freeze", "forged_goes_on", "WRONG_RESULT", "TAMPER", tries=4),
    Row("second_call", "again_address", "NONDETERMINISTIC", "PASS"),
    Row("scrub", "attacks/stale", "WRONG_RESULT", "PASS",
        beside="output_poison,permutation,second_call,unseen"),
    Row("output_poison", "attacks/stale", "WRONG_RESULT", "PASS",
        beside="scrub,permutation,second_call,unseen"),
    Row("output_poison", "wrong_masked_rows_left", "WRONG_RESULT", "PASS"),
    Row("permutation", "attacks/stale", "WRONG_RESULT", "PASS",
        beside="scrub,output_poison,second_call,unseen"),
    Row("workspace_poison", "wrong_workspace", "NONFINITE or WRONG_RESULT", "PASS"),
    Row("guards", "tamper_past_output", "TAMPER", "PASS"),
    Row("inputs_unchanged", "tamper_input_judged", "TAMPER", "PASS", beside="second_call"),
    Row("fresh_inputs", "later_learns", "WRONG_RESULT", "PASS", beside="second_call"),
    Row("judged_row", "later_garbage", "WRONG_RESULT", "PASS"),
    Row("floor", "later_idle", "TAMPER", "PASS", beside="judged_row", suite="odd_333"),
    Row("unseen", "special_lengths", "WRONG_RESULT", "PASS, the best"),
    Row("unseen", "special_refuses", "UNSUPPORTED", "PASS"),
    Row("finite", "wrong_nan", "NONFINITE", "WRONG_RESULT"),
    Row("rule_max", "wrong_one_element", "WRONG_RESULT", "PASS"),
    Row("rule_rms", "wrong_noise", "WRONG_RESULT", "PASS"),
    Row("rule_pooled", "judge/weakened", "WRONG_RESULT", "PASS"),
    Row("rule_scale", "judge/weakened", "WRONG_RESULT", "PASS"),
    Row("rule_exact", "wrong_exact_element", "WRONG_RESULT", "PASS"),
]

# What the start-up check catches: acts of its own, as what is behind these is seen by no kernel while
# the filters are on. `integration/canary` turns each off.
OF_THE_CANARY = ["pidns", "mntns", "netns", "ipcns", "root", "readonly", "environment", "descriptors",
                 "rlimits", "user", "caps", "pdeathsig", "dumpable", "no_new_privs", "landlock",
                 "seccomp", "candidate_filter"]

STALE = """
kernel: {root}/tests/integration/attacks/stale.hip
suite: odd_17
budget: {{evaluations: 2}}
timing: {{batches: 3, ring_mb: 1}}
"""


class Run:
    """The program in a directory of its own, with the switches `off`."""

    def __init__(self, arguments, off, limit_s):
        self.peak_kib = 0
        environment = dict(os.environ, BULLETPROOF_WEAKEN=off)
        with tempfile.TemporaryDirectory(prefix="bulletproof-attribution-") as directory:
            environment["TMPDIR"] = directory
            process = subprocess.Popen(arguments, cwd=directory, env=environment, text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            watcher = threading.Thread(target=self._watch, args=(process,))
            watcher.start()
            try:
                self.output, self.errors = process.communicate(timeout=limit_s)
                self.ended = True
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                self.output, self.errors = process.communicate()
                self.ended = False
            self.status = process.returncode
            watcher.join()

    def _watch(self, process):
        while process.poll() is None:
            try:
                with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                    self.peak_kib = max([self.peak_kib] + [
                        int(size) for size in re.findall(r"VmHWM:\s+(\d+)", file.read())])
            except (OSError, ValueError):
                pass
            time.sleep(0.02)


def see_verdict(result, _):
    return result["verdict"]


def see_call(result, _):
    return f"{result['verdict']}: {result['message'].split('(')[0]}"


def see_memory(result, run):
    return f"{result['verdict']}, {run.peak_kib >> 10} MiB"


SEEING = {"verdict": see_verdict, "call": see_call, "memory": see_memory}


def evaluate_kernel(row, off):
    path = ROOT / "tests/badkernels" / f"{row.attack}.hip"
    own = re.search(r"^// options: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    seconds = 1.0 * SLOWNESS
    options = ["--suite", row.suite, "--run-seconds", str(seconds), "--json", "--allow-degraded"]
    if row.attack == "compile_fill":
        options += ["--compile-seconds", str(seconds)]
    elif own:
        options += shlex.split(own[1])
    limit_s = NO_END_S if row.without == NO_VERDICT and row.defence in off else ENDS_S
    run = Run([BULLETPROOF, "eval", str(path)] + options, off, limit_s)
    if not run.ended:
        return NO_VERDICT
    try:
        result = json.loads(run.output)
    except ValueError:
        return DEAD if run.status not in (0, 10, 20) else f"exit status {run.status}: {run.errors}"
    return SEEING[row.see](result, run)


def evolve_stale(_, off):
    with tempfile.TemporaryDirectory(prefix="bulletproof-attribution-") as name:
        directory = pathlib.Path(name)
        (directory / "stale.yaml").write_text(STALE.format(root=ROOT), encoding="utf-8")
        Run([BULLETPROOF, "evolve", str(directory / "stale.yaml"), "--out", str(directory / "run")],
            off, ENDS_S)
        return json.loads((directory / "run/eval_00002.json").read_text())["verdict"]


def evolve_special(_, off):
    with tempfile.TemporaryDirectory(prefix="bulletproof-attribution-") as name:
        directory = pathlib.Path(name)
        unseen.start(ROOT, directory)
        run, ended = unseen.evolve(BULLETPROOF, directory, "run", off=off)
        if ended.returncode != 0:
            return f"exit status {ended.returncode}: {ended.stderr}"
        best, special = unseen.champion(run)
        return special["verdict"] + (", the best" if best == special["number"] else "")


def judge_rules(row, off):
    run = Run([RULES_TEST], "", ENDS_S)
    seen = re.search(rf"^{row.defence}: [^:]*: (\w+): (\w+)$", run.output, re.MULTILINE)
    if run.status != 0 or not seen:
        return f"exit status {run.status}: {run.output} {run.errors}"
    return seen[2 if row.defence in off else 1]


WAYS = {"attacks/stale": evolve_stale, "special_lengths": evolve_special,
        "judge/weakened": judge_rules}


def look(row, off):
    return WAYS.get(row.attack, evaluate_kernel)(row, ",".join(filter(None, off)))


def as_expected(row, held, without):
    if row.see == "memory":
        sizes = [int(re.search(r"(\d+) MiB", seen)[1]) if "MiB" in seen else 0
                 for seen in (held, without)]
        return sizes[0] > 0 and sizes[1] - sizes[0] >= LOG_MIB
    return held in row.held.split(" or ") and without in row.without.split(" or ")


def try_row(row):
    """What was seen with the defence and without, and whether it was as the table has it."""
    if SANITIZED and row.compiled:
        return row, "", "", None
    for _ in range(row.tries):
        held = look(row, [row.beside])
        without = look(row, [row.beside, row.defence])
        good = as_expected(row, held, without)
        if good:
            break
    return row, held, without, good


def markdown(row):
    beside = row.beside.replace(",", ", ") or "-"
    return f"| {row.defence} | {row.attack} | {beside} | {row.held} | {row.without} |"


def main():
    failed = 0
    documented = (ROOT / "docs/attribution.md").read_text(encoding="utf-8").splitlines()
    print("| defence | attack | off in both | held | without |\n|---|---|---|---|---|")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for row, held, without, good in pool.map(try_row, ROWS):
            print(markdown(row), flush=True)
            if good is None:
                print(f"skipped: with sanitizers there is {row.compiled}")
            elif not good:
                failed += 1
                print(f"FAIL seen: held {held}, without {without}")
            if markdown(row) not in documented:
                failed += 1
                print("FAIL docs/attribution.md has no such row")
    attributed = {row.defence for row in ROWS} | set(OF_THE_CANARY)
    for defence in names("base/weaken.h", "BP_DEFENCE_LIST", ROOT):
        if defence not in attributed:
            failed += 1
            print(f"FAIL nothing is attributed to {defence}")
    print(f"{len(ROWS)} attacks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
