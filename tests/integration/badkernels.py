#!/usr/bin/env python3
"""Evaluates kernels through the whole pipeline and compares each verdict with the file's own account.

    // expected: VERDICT[|VERDICT...] [in STAGE[|STAGE...]] [: text that the message contains]
    // open: why the verdict is another one as yet; the test fails once it is the expected one
    // sanitized: what to expect in its place where the program is built with a sanitizer
    // emulated, nvidia: likewise on such a device
    // gates: N shapes, that the gates went through; or skipped: TEXT that the reason begins with
    // options: further options for `bulletproof eval`

After each it looks for processes, files and mounts that were left, at the time it took, and into the
bundle that it was asked for.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shlex
import sys
import tempfile

from supervised import Program, isolate, mounts

MARGIN_S = 4.0  # what an evaluation takes beside its deadlines, on a busy machine
SANITIZED_SLOWNESS = 3.0
OUTPUT_MAX = 1 << 20
EXPECTATION = re.compile(r"(?P<verdicts>[A-Z_|]+)(?: in (?P<stages>[a-z|]+))?(?:: (?P<text>.+))?$")
# What moves a cursor, or makes text read otherwise than it is, must not reach a terminal or a log.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")
RETRY = re.compile(r"^\S+ WARNING session: evaluation 0, attempt 1: GPU_.*; trying again\n", re.M)
EXIT_STATUS = {"PASS": 0, "INFRA": 20}
EXIT_CANDIDATE = 10
DEADLINES_S = {"--compile-seconds": 10.0, "--run-seconds": 5.0}


def gate_account(gate):
    """What a result says of the gates, in the words of a file's own account."""
    if not gate:
        return "none"
    if gate["skipped_because"]:
        return f"skipped: {gate['skipped_because']}"
    return f"{gate['shapes']} shapes, {gate['compile_ms']:.0f} ms compile, {gate['run_ms']:.0f} ms run"


def read_bundle(directory, kernel):
    """The evaluation that a bundle keeps, and what it has not got."""
    try:
        with open(kernel, "rb") as source, open(f"{directory}/kernel.hip", "rb") as copy:
            missing = [] if source.read() == copy.read() else ["the bundle has another source"]
        with open(f"{directory}/replay.json", encoding="utf-8") as file:
            json.load(file)
        with open(f"{directory}/evaluation.json", encoding="utf-8") as file:
            return json.load(file), missing
    except (OSError, ValueError) as problem:
        return None, [f"no whole bundle: {problem}"]


def texts_of(value):
    """Every text in a result, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def conditions(arguments):
    """Lines of a file that hold in place of `expected`, the last that it has."""
    device = re.search(r"--device (\w+)", arguments.options)
    found = {"emu": ["emulated"], "cuda": ["nvidia"]}.get(device[1] if device else "", [])
    return found + ["sanitized"] * arguments.sanitized


class Kernel:
    def __init__(self, path, arguments):
        self.path = os.path.abspath(path)
        self.name = os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        lines = dict(re.findall(r"^// (\w+): (.*)$", text, re.MULTILINE))
        targets = re.search(r"^targets: \[(.*)\]", text, re.MULTILINE)
        self.targets = re.findall(r"\w+", targets[1]) if targets else []
        self.expected = arguments.expected or lines.get("expected", "")
        for condition in conditions(arguments):
            self.expected = lines.get(condition, self.expected)
        self.expectation = EXPECTATION.match(self.expected)
        if not self.expectation:
            raise SystemExit(f"{path}: cannot read 'expected: {self.expected}'")
        self.open = lines.get("open")
        self.gates = arguments.gates or lines.get("gates")
        self.options = shlex.split(lines.get("options", "") + " " + arguments.options)

    def matches(self, result):
        wanted = self.expectation
        return (result["verdict"] in wanted["verdicts"].split("|")
                and (not wanted["stages"] or result["stage"] in wanted["stages"].split("|"))
                and (not wanted["text"] or wanted["text"] in result["message"]))


class Case:
    """One kernel on one suite in one dtype."""

    def __init__(self, kernel, suite, dtype, slowness):
        self.kernel = kernel
        self.label = kernel.name
        options = list(kernel.options)
        self.allowed_s = MARGIN_S * slowness
        for name, fallback in DEADLINES_S.items():
            seconds = fallback
            if name in options:
                at = options.index(name)
                seconds = float(options[at + 1])
                del options[at:at + 2]
            options += [name, str(seconds * slowness)]
            self.allowed_s += seconds * slowness
        self.options = ["--suite", suite, "--dtype", dtype, "--json"] + options

    def evaluate(self, program):
        """What was seen, as a line, and the list of complaints."""
        with tempfile.TemporaryDirectory(prefix="bulletproof-bundle-") as bundle:
            run = Program([program, "eval", self.kernel.path, "--bundle", bundle + "/kept"]
                          + self.options)
            status = run.wait(self.allowed_s + 10)
            complaints = run.leftovers()
            run.remove()
            kept, missing = read_bundle(bundle + "/kept", self.kernel.path)
        if run.seconds > self.allowed_s:
            complaints.append(f"took {run.seconds:.1f} s, allowed {self.allowed_s:.1f}")
        try:
            result = json.loads(run.output)
        except ValueError:
            return "no result", complaints + [f"exit status {status}, no JSON: {run.errors[:300]}"]
        seen = f"{result['verdict']} in {result['stage']}: {result['message']}"
        if result["gate"] and result["stage"] != "gate":
            seen = f"{result['verdict']} in {result['stage']}, gates: {gate_account(result['gate'])}"
        complaints += self.complaints_about(result, status) + missing
        if not missing and kept["verdict"] != result["verdict"]:
            complaints.append(f"the bundle has the verdict {kept['verdict']}")
        if len(run.output) > OUTPUT_MAX:
            complaints.append(f"{len(run.output)} bytes of JSON")
        if "root:" in run.output + run.errors:
            complaints.append("a file of the system is in the output")
        if any(CONTROL.search(text) for text in texts_of(result)):
            complaints.append("control characters in a text of the result")
        if CONTROL.search(run.output):
            complaints.append("control characters in the output")
        # A suspected fault of the device is tried once more, and said so.
        errors = RETRY.sub("", run.errors).strip()
        if errors:
            complaints.append(f"standard error: {errors[:300]}")
        return f"{seen[:100]:100} {run.seconds:5.2f} s", complaints

    def complaints_about(self, result, status):
        complaints = []
        if self.kernel.gates and not gate_account(result["gate"]).startswith(self.kernel.gates):
            complaints.append(f"expected of the gates: {self.kernel.gates}; "
                              f"seen: {gate_account(result['gate'])}")
        if self.kernel.open and self.kernel.matches(result):
            complaints.append("the verdict is the expected one now: remove the 'open' line")
        elif not self.kernel.open and not self.kernel.matches(result):
            complaints.append(f"expected {self.kernel.expected}")
        if status != EXIT_STATUS.get(result["verdict"], EXIT_CANDIDATE):
            complaints.append(f"exit status {status} with {result['verdict']}")
        if min(result["duration_ms"].values()) < 0:
            complaints.append(f"a negative duration: {result['duration_ms']}")
        return complaints


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("kernels", nargs="+", help="files, or directories of them")
    parser.add_argument("--suites", default="odd_17", help="names with commas between")
    parser.add_argument("--dtypes", default="f16", help="names with commas between")
    parser.add_argument("--options", default="", help="further options for eval, of every kernel")
    parser.add_argument("--gates", help="in place of the files' own lines")
    parser.add_argument("--expected", help="in place of the files' own lines")
    parser.add_argument("--sanitized", action="store_true", help="built with a sanitizer: slower")
    parser.add_argument("--target", default="", help="leave out kernels that do not declare it")
    parser.add_argument("--jobs", type=int, default=2, help="evaluations at once")
    return parser.parse_args()


def make_cases(arguments):
    slowness = SANITIZED_SLOWNESS if arguments.sanitized else 1.0
    cases = []
    for argument in arguments.kernels:
        directory = os.path.isdir(argument)
        paths = sorted(glob.glob(os.path.join(argument, "*.hip"))) if directory else [argument]
        kernels = [Kernel(path, arguments) for path in paths]
        for kernel in [one for one in kernels if arguments.target in one.targets or not arguments.target]:
            for suite in arguments.suites.split(","):
                for dtype in arguments.dtypes.split(","):
                    cases.append(Case(kernel, suite, dtype, slowness))
                    if "," in arguments.suites + arguments.dtypes:
                        cases[-1].label += f" {suite} {dtype}"
    return cases


def show(case, seen, complaints, width):
    word = "FAIL" if complaints else "open" if case.kernel.open else "ok"
    print(f"{word:4} {case.label:{width}} {seen}", flush=True)
    if case.kernel.open:
        print(f"       expected {case.kernel.expected}; {case.kernel.open}")
    for complaint in complaints:
        print(f"       {complaint}")


def main():
    arguments = parse_arguments()
    program = os.path.abspath(arguments.program)
    cases = make_cases(arguments)
    width = max((len(case.label) for case in cases), default=0)
    isolate()
    mounts_before = mounts()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = pool.map(lambda case: case.evaluate(program), cases)
        for case, (seen, complaints) in zip(cases, results):
            show(case, seen, complaints, width)
            failed += bool(complaints)
    if mounts() != mounts_before:
        print(f"{mounts() - mounts_before} mounts are left")
        failed += 1
    print(f"{len(cases)} evaluations, {failed} failed, "
          f"{sum(bool(case.kernel.open) for case in cases)} open")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
