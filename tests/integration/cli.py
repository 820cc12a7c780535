#!/usr/bin/env python3
"""The command line as a user meets it: wrong input, help, `eval`, `evolve` and what a run leaves.

usage: cli.py BULLETPROOF SOURCE_ROOT
"""

import hashlib
import json
import math
import os
import pathlib
import pty
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from events import canonical
from supervised import BANNER

BULLETPROOF = ""
ROOT = pathlib.Path()

OPTIONS = {
    "eval": ["--knob", "--dtype", "--device", "--suite", "--gates", "--threads", "--compile-seconds",
             "--gate-seconds", "--run-seconds", "--ring-mb", "--compile-only", "--target",
             "--workspace-mb", "--unseen", "--bundle", "--sandbox-require",
             "--allow-degraded", "--json", "--verbose", "--help"],
    "evolve": ["--out", "--resume", "--replay-results", "--max-evaluations", "--max-seconds",
               "--seed", "--device",
               "--allow-degraded", "--json",
               "--verbose", "--help"],
    "replay": ["--times", "--gdb", "--sanitize", "--allow-degraded", "--json", "--verbose", "--help"],
    "export": ["--out", "--help"],
    "status": ["--json", "--help"],
    "clean": ["--older-than", "--keep", "--temp", "--dry-run", "--yes", "--json", "--help"],
    "config": ["--help"],
    "doctor": ["--json", "--measure", "--out", "--help"],
    "inject": ["--campaign", "--seed", "--occurrences", "--all", "--classes", "--device", "--keep",
               "--list", "--json", "--help"],
}
COLUMNS = ["impl", "avg_ms", "tflops", "gflops", "speedup_vs_eager", "speedup_vs_baseline",
           "tuning_time_s", "note"]

# The eager kernel with two more knobs: WIDTH changes the object, UNUSED does not.
KNOBS = "{BLOCK: [64, 128, 256, 512], WIDTH: [4, 8, 16], UNUSED: %s}"
SETTINGS = """
kernel: kernel.hip
suite: micro_generation
strategy: {name: random}
timing: {batch_ms: 1, batches: 3, match_rounds: 4, final_rounds: 4, ring_mb: 1}
"""


def run(*args, **options):
    """The program with these arguments; standard output and error as text."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run([BULLETPROOF, *map(str, args)], text=True, timeout=240, check=False,
                          **options)
    done.stderr = BANNER.sub("", done.stderr or "")
    return done


def write_kernel(path, unused="[0]"):
    """A small kernel that compiles fast, with 12 points for each value of UNUSED."""
    text = (ROOT / "kernels/seeds/eager.hip").read_text()
    knobs, default = "knobs: {BLOCK: [64, 128, 256, 512]}", "default: {BLOCK: 128}"
    width = "SLICE = 8;"
    assert text.count(knobs) == text.count(default) == text.count(width) == 1
    text = text.replace(knobs, "knobs: " + KNOBS % unused)
    text = text.replace(default, "default: {BLOCK: 128, WIDTH: 8, UNUSED: 0}")
    path.write_text(text.replace(width, "SLICE = WIDTH;"))


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bulletproof-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.seed = ROOT / "kernels/seeds/cpu_flash.hip"

    def refused(self, pattern, *args, **options):
        """The command ends with 2 and one line, which matches, and leaves no new file."""
        before = sorted(self.dir.rglob("*"))
        done = run(*args, cwd=self.dir, **options)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Abulletproof: [^\n]+\n\Z")
        self.assertRegex(done.stderr, pattern)
        self.assertEqual(sorted(self.dir.rglob("*")), before)

    def no_kernel(self, pattern, name):
        """`eval` gives the file a verdict, which matches, whichever way it is printed."""
        done = run("eval", name, cwd=self.dir)
        self.assertEqual(done.returncode, 10, done.stderr)
        self.assertRegex(done.stdout, r"\AINVALID_SOURCE  - \(f16\)\n  stage validate: ")
        self.assertRegex(done.stdout, pattern)
        result = json.loads(run("eval", name, "--json", cwd=self.dir).stdout)
        self.assertEqual((result["verdict"], result["stage"], result["blame"], result["attempts"]),
                         ("INVALID_SOURCE", "validate", "candidate", []))
        self.assertRegex(result["message"], pattern)

    def config(self, text, name="run.yaml"):
        path = self.dir / name
        path.write_text(text)
        return path


class CommandLine(Case):
    def test_no_verb_prints_the_usage(self):
        done = run()
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        for verb in OPTIONS:
            self.assertRegex(done.stderr, r"(?m)^  %s " % verb)

    def test_help(self):
        self.assertIn("usage: bulletproof VERB", run("--help").stdout)
        for verb, options in OPTIONS.items():
            done = run(verb, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertEqual(done.stderr, "")
            named = re.findall(r"(?m)^  (--[a-z-]+)", done.stdout)
            self.assertEqual(named, options)

    def test_a_page_explains_every_command_and_option(self):
        page = (ROOT / "docs/commands.md").read_text()
        sections = dict(re.findall(r"(?ms)^## `(\w+)`\n(.*?)(?=^## |\Z)", page))
        verbs = re.findall(r"(?m)^  (\w+) ", run("--help").stdout.split("verbs:\n")[1])
        self.assertEqual(list(sections), verbs)
        for verb, section in sections.items():
            told = run(verb, "--help").stdout
            options = re.findall(r"(?m)^  (--\S+(?:, -\w)?(?: \S+)?)  +(.*)", told)
            rows = re.findall(r"(?m)^\| `(--[^`]+)` \| (.*) \|$", section)
            self.assertEqual([name for name, _ in rows], [name for name, _ in options[:-1]], verb)
            for (name, doc), (_, row) in zip(options, rows):
                for default in re.findall(r"default:? (\w+)\b", doc):
                    self.assertIn(default, row, f"{verb} {name}")
        verdicts = run("eval", "--help").stdout.split("verdicts:\n")[1].split("\n\n")[0]
        self.assertEqual(re.findall(r"(?m)^\| ([A-Z_]+) \| (.*) \|$", sections["eval"]),
                         re.findall(r"(?m)^  ([A-Z_]+) +(.*)$", verdicts))

    def test_help_of_eval_names_every_shape(self):
        shapes = run("eval", "--help").stdout.split("shapes:\n")[1].split()
        self.assertIn("micro_generation", shapes)
        for shape in shapes:
            done = run("eval", self.seed, "--suite", shape, "--knob", "BM=0")
            self.assertEqual(done.returncode, 10, done.stderr)

    def test_version(self):
        done = run("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Abulletproof \d+\.\d+\.\d+( \(fault injection\))?\n\Z")

    def test_wrong_words(self):
        self.refused(r"unknown verb 'evlove' \(valid: eval, evolve, ", "evlove")
        self.refused(r"an argument is missing \(usage: bulletproof eval SOURCE", "eval")
        self.refused(r"unexpected argument 'b'", "eval", "a", "b")
        for verb, options in OPTIONS.items():
            self.refused(r"unknown option '--nope' \(valid: %s\)" % ", ".join(options), verb,
                         "--nope")
        self.refused(r"--suite needs SUITE", "eval", self.seed, "--suite")
        self.refused(r"--json takes no value", "eval", self.seed, "--json=1")

    def test_wrong_numbers(self):
        config = ROOT / "configs/quickstart.yaml"
        for wrong in ["0", "-3", "1e3", "many", "", "99999999999999999999"]:
            self.refused(r"--max-evaluations needs a whole number from 1 to 1000000000, not '%s'"
                         % wrong, "evolve", config, "--max-evaluations", wrong)
        for wrong in ["-1", "nan", "inf", "1s", ""]:
            self.refused(r"--max-seconds needs a number from 0 to 1000000000, not '%s'" % wrong,
                         "evolve", config, "--max-seconds", wrong)
        self.refused(r"--seed needs a whole number", "evolve", config, "--seed", "1.5")
        for wrong in ["BM", "BM=", "=3", "BM=x", "BM=3x", "BM=99999999999999999999"]:
            self.refused(r"--knob needs NAME=INTEGER, not '%s'" % wrong, "eval", self.seed,
                         "--knob", wrong)

    def test_unknown_names_list_the_valid_ones(self):
        self.refused(r"unknown suite 'quik' \(valid: quick, full, tiny, bench, or the name of one shape",
                     "eval", self.seed, "--suite", "quik")
        self.refused(r"--gates needs 'all' or names of gates with commas between, not 'race,bound' "
                     r"\(valid: all, race, bounds, uninitialised, barrier, undefined\)",
                     "eval", self.seed, "--gates", "race,bound")
        self.refused(r"unknown dtype 'f64' \(valid: f16, bf16, f32\)", "eval", self.seed,
                     "--dtype", "f64")
        self.refused(r"no device is named 'gpu' \(valid: auto, cpu, hip:N, cuda:N, emu:ARCH", "eval",
                     self.seed, "--device", "gpu")
        self.refused(r"no device is named 'gpu' \(valid: auto, cpu, hip:N, cuda:N, emu:ARCH", "evolve",
                     ROOT / "configs/quickstart.yaml", "--device", "gpu")

    @unittest.skipIf(os.geteuid() != 0, "only root is told too late that /proc takes no folder")
    def test_a_bundle_that_fails_later_costs_no_verdict(self):
        done = run("eval", self.seed, "--suite", "odd_17", "--bundle", "/proc/bundle")
        self.assertEqual(done.returncode, 20, done.stderr)
        self.assertTrue(done.stdout.startswith("PASS "), done.stdout)
        self.assertIn("cannot create /proc/bundle.tmp", done.stderr)

    def test_a_bundle_that_cannot_be_made(self):
        self.refused(r"eval: --bundle .*/none/bundle cannot be made: No such file or directory", "eval",
                     self.seed, "--bundle", self.dir / "none/bundle")

    def test_options_that_need_others(self):
        self.refused(r"doctor: --out needs --measure", "doctor", "--out", self.dir / "ceilings")
        self.refused(r"--compile-only and --target need each other", "eval", self.seed, "--target",
                     "gfx1030")

    def test_a_knob_is_refused_without_a_device(self):
        done = run("eval", ROOT / "kernels/seeds/tiled.hip", "--compile-only", "--target", "gfx1030",
                   "--knob", "NONE=1")
        self.assertEqual(done.returncode, 10, done.stderr)
        self.assertEqual(done.stdout.splitlines()[0], "INVALID_CONFIG  tiled (f16)")

    def test_an_architecture_that_nobody_emulates(self):
        for wrong in ["gfx9999", "gfx90a"]:
            self.refused(rf"no GPU '{wrong}' is emulated \(valid: emu:gfx1030, emu:gfx1100, ", "eval",
                         ROOT / "kernels/seeds/tiled.hip", "--device", "emu:" + wrong)

    def test_a_reader_that_leaves_is_no_failure(self):
        write_kernel(self.dir / "kernel.hip")
        config = self.config(SETTINGS)
        evaluation = ["eval", self.dir / "kernel.hip", "--suite", "odd_single"]
        for args in [["config"], evaluation, [*evaluation, "--json"],
                     ["evolve", config, "--max-evaluations", 3, "--out", self.dir / "out"]]:
            reader, writer = os.pipe()
            os.close(reader)
            done = run(*args, stdout=writer, stderr=writer)
            os.close(writer)
            self.assertEqual(done.returncode, 0, args)

    def test_output_that_is_lost_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full, \
                open("/dev/null", encoding="ascii") as read_only:
            for out in [full, read_only]:
                done = run("config", stdout=out)
                self.assertEqual(done.returncode, 20)
                self.assertIn("cannot write all of the output", done.stderr)


class WrongInput(Case):
    def test_configs(self):
        kernel = f"kernel: {self.seed}\n"
        for pattern, text in [
                (r":2: unknown key 'kernal'; did you mean 'kernel'\? \(valid: ", "kernal: x"),
                (r":3: unknown key 'evaluation' in 'budget'; .*valid: evaluations, seconds",
                 "budget:\n  evaluation: 3"),
                (r":2: 'evaluations': expected a decimal integer \(1 to 10000000\), found",
                 "budget: {evaluations: many}"),
                (r":2: 'budget': expected keys with values", "budget: 3"),
                (r":2: 'evaluations' is out of range: 0 \(valid: 1 to 10000000\)",
                 "budget: {evaluations: 0}"),
                (r":4: knob 'BM' has an empty list", "space:\n  knobs:\n    BM: []"),
                (r":3: constraints: no choice of knobs satisfies every constraint",
                 "space:\n  constraints: [BM < 64, BM > 64]"),
                (r":2: unknown suite 'quik'; did you mean 'quick'\?", "suite: quik"),
                (r":2: unknown dtype 'f61' \(valid: f16, bf16, f32\)", "dtype: f61"),
                (r":2: unknown device 'gpu' \(valid: auto, cpu, ", "device: gpu"),
                (r":2: .*'loca'; did you mean 'local'\? \(valid: random, local\)",
                 "strategy: {name: loca}"),
                (r":2: key 'kernel' is given twice", kernel),
                (r":2: unknown knob 'BX'; .*valid: BM, BN", "baseline: {BX: 3}"),
                (r":2: BM=3 is not one of its values \(32, 64", "baseline: {BM: 3}"),
                (r":\d: not YAML", "seed: ["),
                (r":\d: not YAML", "suite: qu\0ick")]:
            with self.subTest(text):
                config = self.config(kernel + text + "\n")
                self.refused(r"run\.yaml" + pattern, "evolve", config, "--out", "out")
        self.refused(r"run\.yaml:1: 'kernel' is required", "evolve", self.config("seed: 1\n"))
        self.refused(r"cannot read none\.yaml: No such file", "evolve", "none.yaml")

    def test_kernels(self):
        (self.dir / "big.hip").write_bytes(b"x" * 10_000_000)
        (self.dir / "nul.hip").write_bytes(self.seed.read_bytes() + b"\na\0b\n")
        (self.dir / "folder").mkdir()
        lines = self.seed.read_bytes().count(b"\n") + 2
        for name, judged, pattern in [
                ("none.hip", False, r"cannot read \S*none\.hip: No such file or directory"),
                ("folder", False, r"folder is a directory, not a file"),
                ("/dev/zero", False, r"/dev/zero is not a regular file"),
                ("big.hip", True, r"big\.hip is larger than 1048576 bytes"),
                ("nul.hip", True, r"nul\.hip:%d: a NUL byte in the source" % lines)]:
            with self.subTest(name):
                if judged:
                    self.no_kernel(pattern, name)
                else:
                    self.refused(pattern, "eval", name)
                config = self.config(f"seed: 1\nkernel: {name}\n")
                self.refused(pattern, "evolve", config, "--out", "out")

    def test_declarations(self):
        for pattern, text in [
                (r":3: unknown key 'target' in the declaration; did you mean 'targets'\?",
                 "name: k\ntarget: [cpu]\ndtypes: [f16]"),
                (r":2: the declaration lacks 'dtypes'", "name: k\ntargets: [cpu]"),
                (r":3: unknown target 'gpu'; .*\(valid: cpu, amd, nvidia\)",
                 "name: k\ntargets: [gpu]\ndtypes: [f16]")]:
            (self.dir / "k.hip").write_text("/*! bulletproof\n" + text + "\n*/\n")
            self.no_kernel(r"k\.hip" + pattern, "k.hip")
        self.refused(r"unknown dtype 'f64'", "eval", "k.hip", "--dtype", "f64")
        done = run("eval", "k.hip", "--compile-only", "--target", "gfx1030", cwd=self.dir)
        self.assertEqual(done.returncode, 10)
        self.assertRegex(done.stdout, r"\AINVALID_SOURCE  - \(f16\)\n  stage validate: k\.hip:3: unknown target")

    def test_output_directory(self):
        config = ROOT / "configs/quickstart.yaml"
        (self.dir / "used").mkdir()
        (self.dir / "used/file").write_text("")
        self.refused(r"the output directory used is not empty: name another with --out", "evolve",
                     config, "--out", "used")
        self.refused(r"output directory used/file/out: Not a directory", "evolve", config, "--out", "used/file/out")
        self.refused(r"the output directory's name is empty", "evolve", config, "--out", "")

    def test_permissions(self):
        plain = {}
        if os.geteuid() == 0:
            plain = {"user": 65534, "group": 65534, "extra_groups": []}
            try:
                subprocess.run([BULLETPROOF, "--version"], check=True, **plain,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            except (OSError, subprocess.CalledProcessError):
                self.skipTest("the build folder is closed to ordinary users")
        self.dir.chmod(0o755)
        kernel = self.dir / "kernel.hip"
        shutil.copy(self.seed, kernel)
        config = self.config("kernel: kernel.hip\n")
        (self.dir / "closed").mkdir(mode=0o555)
        self.refused(r"cannot create the output directory closed/out: Permission denied", "evolve",
                     config, "--out", "closed/out", **plain)
        self.refused(r"closed: Permission denied", "evolve", config, "--out", "closed", **plain)
        kernel.chmod(0)
        self.refused(r"cannot read kernel\.hip: Permission denied", "eval", "kernel.hip", **plain)
        self.refused(r"run\.yaml:1: 'kernel': cannot read \S*kernel\.hip: Permission denied",
                     "evolve", config, "--out", "out", **plain)

    def test_no_compiler(self):
        # In a mount namespace of its own, where the program is something that cannot be run.
        hide = """
            for program in /usr/bin/"$1"*; do mount --bind /dev/null "$program" || exit 99; done
            shift; exec "$@"
        """
        for name in ["clang", "ld.lld"]:
            unshare = ["unshare", "--mount", "sh", "-c", hide, "sh", name]
            try:
                probe = subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL)
            except FileNotFoundError:
                self.skipTest("no unshare command to hide a program with")
            if probe.returncode != 0:
                self.skipTest("mounts are not allowed: no program can be hidden")
            for args in [["eval", self.seed],
                         ["evolve", ROOT / "configs/quickstart.yaml", "--out", self.dir / "out"]]:
                done = subprocess.run([*unshare, BULLETPROOF, *map(str, args)], text=True,
                                      check=False, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(BANNER.sub("", done.stderr),
                                 f"bulletproof: the CPU device needs /usr/bin/{name}, which cannot "
                                 "be used (apt-get install clang lld)\n")
            self.assertFalse((self.dir / "out").exists())


class Eval(Case):
    def evaluate(self, *args):
        done = run("eval", *args, "--json")
        self.assertEqual(done.stderr, "")
        return done.returncode, json.loads(done.stdout)

    def test_pass(self):
        write_kernel(self.dir / "kernel.hip")
        status, result = self.evaluate(self.dir / "kernel.hip", "--suite", "micro_generation",
                                       "--knob", "WIDTH=16", "--dtype", "bf16")
        self.assertEqual(status, 0)
        self.assertEqual(result["verdict"], "PASS")
        self.assertIsNone(result["score"])
        self.assertIsNone(result["profile"])
        self.assertEqual(result["flags"], [])
        self.assertEqual(result["dtype"], "bf16")
        self.assertEqual(result["knobs"], {"BLOCK": 128, "WIDTH": 16, "UNUSED": 0})
        self.assertEqual(set(result["device"]), {"name", "kind", "arch", "driver"})
        self.assertIn("clang", result["device"]["driver"])
        self.assertEqual([set(attempt) for attempt in result["attempts"]],
                         [{"outcome", "stage", "message", "duration_ms"}])
        self.assertEqual([plan["shape"] for plan in result["plan"]], ["micro_generation"])
        self.assertEqual(len(result["plan"][0]["launches"]), 3)
        for name in ["source_hash", "object_hash"]:
            self.assertRegex(result[name], r"\A[0-9a-f]{64}\Z")
        self.check_figures(result)

    def check_figures(self, result):
        timing = result["timing"][0]
        self.assertLessEqual({"shape", "median_ms", "ci_low_ms", "ci_high_ms", "gflops", "gbps",
                              "roofline"}, set(timing))
        self.assertLessEqual(timing["ci_low_ms"], timing["median_ms"])
        self.assertLessEqual(timing["median_ms"], timing["ci_high_ms"])
        # 16 heads, one query, 23 keys, head_dim 128; k and v have 8 heads; two bytes an element
        self.assertAlmostEqual(timing["gflops"] * timing["median_ms"] * 1e6 / (4 * 16 * 23 * 128),
                               1, 6)
        moved = 2 * 128 * (2 * 16 + 2 * 8 * 23)
        self.assertAlmostEqual(timing["gbps"] * timing["median_ms"] * 1e6 / moved, 1, 6)
        self.assertGreater(len(result["correctness"]), 3)
        for case in result["correctness"]:
            self.assertLessEqual({"shape", "family", "max_ratio", "rms_ratio", "rows"}, set(case))
            self.assertEqual(case["rows"], 16)
            self.assertLessEqual(case["max_ratio"], 1)
        self.assertEqual(result["safety"]["safety_score"], 100)
        self.assertEqual(set(result["duration_ms"]),
                         {"prepare", "compile", "run", "judge", "time", "overhead", "total"})

    def test_text(self):
        write_kernel(self.dir / "kernel.hip")
        done = run("eval", self.dir / "kernel.hip", "--suite", "micro_generation")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\APASS  eager \(f16, .*, suite micro_generation\)\n")
        self.assertRegex(done.stdout, r"(?m)^  judged: \d+ cases, \d+ rows, largest error 0\.\d\d")
        self.assertRegex(done.stdout, r"(?m)^  micro_generation +[\d.]+ ms \[")

    def test_compile_error(self):
        kernel = self.dir / "kernel.hip"
        write_kernel(kernel)
        kernel.write_text(kernel.read_text() + "\nint broken = nowhere;\n")
        line = kernel.read_text().count("\n")
        done = run("eval", kernel, "--suite", "micro_generation")
        self.assertEqual(done.returncode, 10)
        self.assertRegex(done.stdout, r"\ACOMPILE_ERROR  eager ")
        self.assertRegex(done.stdout, r"(?m)^  stage compile: kernel\.hip:%d:14: .*'nowhere'" % line)
        status, result = self.evaluate(kernel, "--suite", "micro_generation")
        self.assertEqual((status, result["verdict"], result["stage"]),
                         (10, "COMPILE_ERROR", "compile"))
        self.assertIn("nowhere", result["diagnostics"])
        self.assertIsNone(result["object_hash"])

    def test_invalid_config_is_never_compiled(self):
        for knobs, message in [
                (["BM=33"], r"BM=33 is not one of its values \(32, 64, 96"),
                (["BM=64", "PANEL=48"], r"BM % PANEL"),
                (["NOPE=1"], r"kernel cpu_flash has no knob 'NOPE' \(it has: BM, BN, ")]:
            options = [word for knob in knobs for word in ("--knob", knob)]
            status, result = self.evaluate(self.seed, *options)
            self.assertEqual((status, result["verdict"], result["stage"]),
                             (10, "INVALID_CONFIG", "validate"))
            self.assertRegex(result["message"], message)
            self.assertEqual(result["attempts"], [])
            self.assertEqual(result["duration_ms"]["compile"], 0)
            self.assertIsNone(result["source_hash"])
            self.assertIsNone(result["object_hash"])
            self.assertEqual(result["safety"]["safety_score"], 100)
        self.assertEqual(result["knobs"]["BM"], 64)

    def test_shape_that_the_kernel_does_not_support(self):
        self.refused(r"kernel decode_split does not support shape prefill_1024 of suite quick "
                     r"\(its 'supports': ", "eval", ROOT / "kernels/seeds/decode_split.hip")


class Evolve(Case):
    def evolve(self, *args, name="out", unused="[0]", settings="", **options):
        write_kernel(self.dir / "kernel.hip", unused)
        out = self.dir / name
        done = run("evolve", self.config(SETTINGS + settings), "--out", out, *args, **options)
        return done, out

    def evaluations(self, out):
        return [json.loads(path.read_text()) for path in sorted(out.glob("eval_*.json"))]

    def test_run_directory(self):
        done, out = self.evolve("--max-evaluations", 8)
        self.assertEqual(done.returncode, 0, done.stderr)
        evaluations = self.evaluations(out)
        summary = json.loads((out / "tuning_summary.json").read_text())
        history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
        self.assertEqual([e["number"] for e in evaluations], list(range(1, 9)))
        self.assertEqual([e["origin"] for e in evaluations], ["eager", "baseline"] + 6 * ["search"])
        self.assertEqual([e["number"] for e in history], list(range(1, 9)))
        self.assertEqual(summary["evaluations"], 8)
        self.assertEqual(summary["status"], "finished")
        self.assertEqual(summary["suite"], "micro_generation")
        self.assertEqual(summary["mask"], "full")
        self.assertIn("clang", summary["driver"])
        self.assertEqual((out / "config.yaml").read_text(), SETTINGS)
        self.check_programs(out, evaluations)
        self.check_database(out, evaluations)
        self.check_table(out, done.stdout, evaluations, summary)
        self.check_best(out, evaluations, summary)

    def check_programs(self, out, evaluations):
        for evaluation in evaluations:
            program = evaluation["program"]
            data = (out / program["file"]).read_bytes()
            self.assertEqual(len(data), program["bytes"])
            self.assertEqual(hashlib.sha256(data).hexdigest(), program["sha256"])

    def check_database(self, out, evaluations):
        database = sqlite3.connect(out / "run.db")
        self.addCleanup(database.close)
        rows = database.execute(
            "SELECT number, verdict, source_hash FROM evaluation ORDER BY number").fetchall()
        self.assertEqual(rows, [(e["number"], e["verdict"], e["source_hash"]) for e in evaluations])

    def check_table(self, out, text, evaluations, summary):
        lines = [[cell.strip() for cell in line.strip("|").split("|")]
                 for line in (out / "results.md").read_text().splitlines() if line.startswith("|")]
        self.assertEqual(lines[0], COLUMNS)
        table = {line[0]: dict(zip(COLUMNS, line)) for line in lines[2:]}
        self.assertEqual(list(table), ["eager", "baseline", "evolved"])
        # With a final comparison, times of baseline and evolved are from its rounds.
        own = {"eager": evaluations[0]}
        if not summary["best"]["improvement_ci"]:
            own |= {"baseline": evaluations[1], "evolved": evaluations[1]}
        for impl, evaluation in own.items():
            mean = geometric_mean([t["median_ms"] for t in evaluation["timing"]])
            self.assert_close(table[impl]["avg_ms"], mean)
        eager, baseline, evolved = (float(table[impl]["avg_ms"]) for impl in table)
        for impl, row in table.items():
            # 16 heads, one query, 23 keys, head_dim 128, no mask
            self.assert_close(row["gflops"], 4 * 16 * 23 * 128 / float(row["avg_ms"]) * 1e-6)
            self.assert_close(row["tflops"], float(row["gflops"]) / 1000)
            self.assert_close(row["speedup_vs_eager"], eager / float(row["avg_ms"]))
            for column in COLUMNS[1:]:
                self.assertIn(row[column], text, impl)
        self.assert_close(table["baseline"]["speedup_vs_baseline"], 1)
        self.assert_close(table["evolved"]["speedup_vs_baseline"].split()[0], baseline / evolved)

    def assert_close(self, cell, expected):
        self.assertAlmostEqual(float(cell) / expected, 1, 2)

    def check_best(self, out, evaluations, summary):
        best = json.loads((out / "best/result.json").read_text())
        number = summary["best"]["number"]
        self.assertEqual(best["number"], number)
        self.assertEqual(best["source_hash"], evaluations[number - 1]["source_hash"])
        knobs = (out / "best/knobs.yaml").read_text().replace(": ", "=").split()
        options = [word for knob in knobs for word in ("--knob", knob)]
        done = run("eval", out / "best/kernel.hip", *options, "--suite", "micro_generation",
                   "--json")
        again = json.loads(done.stdout)
        self.assertEqual((done.returncode, again["verdict"]), (0, "PASS"))
        self.assertEqual(again["source_hash"], best["source_hash"])
        self.assertEqual(again["object_hash"], best["object_hash"])

    def test_same_seed_same_proposals(self):
        proposals = []
        for name, seed in [("one", 7), ("two", 7), ("other", 8)]:
            done, out = self.evolve("--max-evaluations", 9, "--seed", seed, name=name)
            self.assertEqual(done.returncode, 0, done.stderr)
            knobs = [tuple(e["knobs"].values()) for e in self.evaluations(out)[2:]]
            self.assertEqual(len(knobs), 7)
            self.assertEqual(len(set(knobs)), 7)
            proposals.append(knobs)
        self.assertEqual(proposals[0], proposals[1])
        self.assertNotEqual(proposals[0], proposals[2])

    def test_ends_when_the_space_is_used_up(self):
        done, out = self.evolve("--max-evaluations", 500, unused="[0, 1]",
                                settings="space: {knobs: {BLOCK: [128], WIDTH: [8]}}\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        eager, baseline, duplicate = self.evaluations(out)
        self.assertEqual((duplicate["knobs"]["UNUSED"], duplicate["flags"],
                          duplicate["duplicate_of"]), (1, ["duplicate"], 2))
        self.assertEqual(duplicate["object_hash"], baseline["object_hash"])
        # the eager kernel has the same object here, but no score that could be passed on
        self.assertEqual(duplicate["object_hash"], eager["object_hash"])
        self.assertEqual((eager["score"], duplicate["score"]), (None, 1))

    def test_max_seconds(self):
        started = time.monotonic()
        values = ", ".join(map(str, range(50)))
        done, out = self.evolve("--max-evaluations", 600, "--max-seconds", 1.5, "--json",
                                unused=f"[{values}]")
        wall = time.monotonic() - started
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = json.loads(done.stdout)
        self.assertEqual(summary["status"], "finished")
        self.assertGreaterEqual(summary["elapsed_s"], 1.5)
        self.assertLessEqual(summary["elapsed_s"], wall)
        self.assertLess(summary["evaluations"], 600)
        self.assertEqual(summary["evaluations"], len(self.evaluations(out)))

    def test_a_baseline_that_fails_fails_the_run(self):
        write_kernel(self.dir / "kernel.hip")
        kernel = self.dir / "broken.hip"
        kernel.write_text((self.dir / "kernel.hip").read_text() + "\nint broken = nowhere;\n")
        config = self.config(SETTINGS.replace("kernel.hip", "broken.hip"))
        done = run("evolve", config, "--out", self.dir / "out")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^bulletproof: the baseline config is not usable: "
                                      r"COMPILE_ERROR: .*'nowhere'")
        summary = json.loads((self.dir / "out/tuning_summary.json").read_text())
        self.assertEqual((summary["status"], summary["best"]), ("failed", None))
        self.assertEqual([row["measured"] for row in summary["results"]], [True, False, False])

    def test_progress_without_a_terminal(self):
        done, out = self.evolve("--max-evaluations", 4)
        lines = done.stderr.splitlines()
        self.assertNotIn("\r", done.stderr)
        self.assertEqual(lines[0], f"run directory {out}")
        for number, line in enumerate(lines[1:5], 1):
            self.assertRegex(line, r"\A%d/4 PASS %d.*  ETA \d+ s\Z" % (number, number))

    def test_progress_on_a_terminal(self):
        write_kernel(self.dir / "kernel.hip")
        config = self.config(SETTINGS)
        terminal, side = pty.openpty()
        with subprocess.Popen([BULLETPROOF, "evolve", config, "--max-evaluations", "4", "--out",
                               self.dir / "out"], stderr=side, stdout=subprocess.DEVNULL) as child:
            os.close(side)
            shown = self.read_terminal(terminal)
        self.assertEqual(child.returncode, 0)
        for number in range(1, 5):
            self.assertRegex(shown, r"\r\x1b\[K%d/4 PASS %d[^\n]*\r\x1b\[K" % (number, number))
        self.assertIn("\r\x1b[Kpreparing inputs and references 1/", shown)
        # Whether there is a match depends on the times; where there is one it is said on the line.
        for match in re.findall(r"match of[^\r\n]*", shown):
            self.assertRegex(match, r"\Amatch of #[34] and #[23]\Z")

    def read_terminal(self, terminal):
        shown = b""
        while True:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # EIO: the other side is closed
                chunk = b""
            if not chunk:
                os.close(terminal)
                return shown.decode()
            shown += chunk


class Inherited(Case):
    """What a login, a service manager or a script may leave to the program."""

    def evaluate(self, prepare):
        return run("eval", ROOT / "tests/bench/trivial.hip", "--suite", "odd_17", "--json",
                   preexec_fn=prepare)

    def test_neither_umask_nor_signals_weaken_the_sandbox(self):
        def prepare():
            os.umask(0o077)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        usual, odd = self.evaluate(None), self.evaluate(prepare)
        self.assertEqual((usual.returncode, odd.returncode), (0, 0), odd.stderr)
        self.assertEqual(json.loads(usual.stdout)["sandbox"], json.loads(odd.stdout)["sandbox"])

    def test_closed_standard_descriptors_become_no_others(self):
        def prepare():
            os.closerange(0, 3)
        done = self.evaluate(prepare)
        self.assertEqual((done.returncode, done.stdout), (20, ""))

    def test_a_limit_of_file_size_is_an_error(self):
        def prepare():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        done = self.evaluate(prepare)
        self.assertEqual(done.returncode, 20)
        self.assertIn("File too large", done.stderr)


class Resume(Case):
    """What `--resume` and `--replay-results` do with directories as they are found."""

    @classmethod
    def setUpClass(cls):
        """A finished run, of which each test gets a copy."""
        cls.finished = pathlib.Path(tempfile.mkdtemp(prefix="bulletproof-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.finished, ignore_errors=True)
        write_kernel(cls.finished / "kernel.hip", "[0, 1]")
        (cls.finished / "run.yaml").write_text(SETTINGS)
        run("evolve", cls.finished / "run.yaml", "--out", cls.finished / "out", "--max-evaluations",
            6)

    def setUp(self):
        super().setUp()
        self.settings = self.finished / "run.yaml"
        self.out = self.dir / "out"
        shutil.copytree(self.finished / "out", self.out)

    def rows(self, sql, out=None):
        database = sqlite3.connect((out or self.out) / "run.db")
        self.addCleanup(database.close)
        return database.execute(sql).fetchall()

    def test_a_finished_run_says_so_and_goes_on_with_a_raised_budget(self):
        events = self.rows("SELECT * FROM event")
        done = run("evolve", "--resume", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\Athe run in \S+ is finished: 6 of 6 evaluations \(")
        self.assertIn("speedup_vs_baseline", done.stdout)
        self.assertRegex(done.stdout, r"(?m)^driver: .*clang")
        self.assertNotIn("to go on", done.stderr)
        self.assertEqual(self.rows("SELECT * FROM event"), events)
        done = run("evolve", self.settings, "--resume", self.out, "--max-evaluations", 9)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^resumed at evaluation 6 of 9$")
        self.assertRegex(done.stderr, r"(?m)^7/9 PASS 7")
        self.assertEqual(self.rows("SELECT number FROM evaluation"), [(n,) for n in range(1, 10)])
        self.assertEqual(self.rows("SELECT value FROM meta WHERE name = 'sessions'"), [(2,)])
        points = self.rows("SELECT count(*), count(DISTINCT source_hash) FROM evaluation")
        self.assertEqual(points, [(9, 9)])
        history = (self.out / "history.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line)["number"] for line in history], list(range(1, 10)))
        # the last budget stays in force
        done = run("evolve", "--resume", self.out)
        self.assertIn("is finished: 9 of 9 evaluations", done.stderr)

    def test_what_a_killed_writer_left_is_put_right(self):
        last = json.loads((self.out / "eval_00006.json").read_text())
        history = (self.out / "history.jsonl").read_text().splitlines(keepends=True)
        (self.out / "history.jsonl").write_text("".join(history[:-1]) + history[-1][:20])
        (self.out / "eval_00006.json").rename(self.out / "eval_00006.json.tmp")
        (self.out / "eval_00006.hip").unlink()
        shutil.rmtree(self.out / "best")
        done = run("evolve", "--resume", self.out, "--max-evaluations", 7)
        self.assertEqual(done.returncode, 0, done.stderr)
        again = (self.out / "history.jsonl").read_text().splitlines(keepends=True)
        self.assertEqual((again[:6], len(again)), (history, 7))
        self.assertEqual(json.loads((self.out / "eval_00006.json").read_text()), last)
        self.assertEqual(list(self.out.glob("*.tmp")), [])
        self.assertTrue((self.out / "best/result.json").exists())

    def test_a_kernel_that_was_edited_is_not_used(self):
        kernel = self.finished / "kernel.hip"
        self.addCleanup(kernel.write_text, kernel.read_text())
        kernel.write_text("no kernel at all\n")
        done = run("evolve", "--resume", self.out, "--max-evaluations", 7)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"(?m)^bulletproof: \S+/kernel\.hip has changed; the run goes "
                                      r"on with the source it began with$")
        self.assertEqual(self.rows("SELECT DISTINCT verdict FROM evaluation"), [("PASS",)])

    def test_refusals(self):
        """Each with one line that says why, and nothing changed."""
        other = self.config(SETTINGS + "seed: 3\n", "other.yaml")
        (self.dir / "empty").mkdir()
        self.refused(r"other\.yaml is not the config that the run in \S+/out began with", "evolve",
                     other, "--resume", self.out)
        for option, value in [("--seed", 1), ("--device", "cpu"), ("--out", "x")]:
            self.refused(r"keeps its directory, seed and device: leave out %s" % option, "evolve",
                         "--resume", self.out, option, value)
        self.refused(r"needs a CONFIG, or a run to --resume", "evolve")
        self.refused(r"none holds no record of a run: run\.db: No such file", "evolve", "--resume",
                     "none")
        self.refused(r"none holds no record of a run: run\.db: No such file", "evolve", self.settings,
                     "--out", "x", "--replay-results", "none")

    def test_a_run_in_use(self):
        with subprocess.Popen([BULLETPROOF, "evolve", "--resume", self.out, "--max-evaluations",
                               "24"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              text=True) as first:
            said = first.stderr.readline()
            if BANNER.match(said):
                said = first.stderr.readline()
            self.assertIn("resumed", said)
            second = run("evolve", "--resume", self.out)
            self.assertEqual(second.returncode, 2)
            self.assertRegex(second.stderr, r"another bulletproof \(pid %d\) is using" % first.pid)
            first.terminate()
            first.communicate()
            self.assertEqual(first.returncode, 130)
        self.assertEqual(json.loads((self.out / "tuning_summary.json").read_text())["status"],
                         "interrupted")

    def test_a_damaged_record(self):
        for suffix in ("-wal", "-shm"):
            (self.out / f"run.db{suffix}").unlink(missing_ok=True)
        data = bytearray((self.out / "run.db").read_bytes())
        data[4096:8192] = os.urandom(4096)
        (self.out / "run.db").write_bytes(data)
        done = run("evolve", "--resume", self.out)
        self.assertEqual(done.returncode, 20, done.stderr)
        self.assertRegex(done.stderr, r"\Abulletproof: [^\n]*run\.db is damaged[^\n]*\n\Z")
        self.assertEqual((self.out / "run.db").read_bytes(), data)

    def test_replayed_results(self):
        again = self.dir / "again"
        done = run("evolve", self.settings, "--out", again, "--max-evaluations", 6,
                   "--replay-results", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(canonical(again), canonical(self.out))
        log = (again / "log.txt").read_text()
        self.assertNotIn("namespaces for children", log)
        done = run("evolve", self.settings, "--out", self.dir / "more", "--max-evaluations", 8,
                   "--replay-results", self.out)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"(?m)^bulletproof: \S+/out has no recorded result for "
                                      r"evaluation 7: eager BLOCK=\d+ WIDTH=\d+ UNUSED=\d, source ")
        self.assertEqual(self.rows("SELECT count(*) FROM evaluation", self.dir / "more"), [(6,)])


if __name__ == "__main__":
    BULLETPROOF = str(pathlib.Path(sys.argv[1]).resolve())
    ROOT = pathlib.Path(sys.argv[2]).resolve()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
