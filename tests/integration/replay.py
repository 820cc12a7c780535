#!/usr/bin/env python3
"""Saved failures seen again: `eval --bundle` of bad kernels of every class, each replayed; then what
else a bundle must stand: packing, tampering, a debugger, failures of a run and of a match.

usage: replay.py BULLETPROOF SOURCE_ROOT [--count N] [--sanitized]
"""
import argparse
import collections
import concurrent.futures
import functools
import io
import json
import math
import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest

from supervised import BANNER

ARGUMENTS = None
SAME, DIFFERENT, USAGE, INTERRUPTED = 0, 11, 2, 130
MIN_CLASSES = 10
MIN_SHARE = 0.99
FILES = {"replay.json", "kernel.hip", "knobs.yaml", "evaluation.json", "evidence.json",
         "object.bin", "frames.msgpack", "log.txt", "backtrace.txt"}


def run(*args, **options):
    options.setdefault("env", None)
    done = subprocess.run([ARGUMENTS.program, *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=300,
                          check=False, **options)
    done.stderr = BANNER.sub("", done.stderr)
    return done


def bad_kernels():
    """Kernels that fail, one of each expected verdict after the other."""
    classes = collections.OrderedDict()
    for path in sorted((ARGUMENTS.root / "tests/badkernels").glob("*.hip")):
        lines = dict(re.findall(r"^// (\w+): (.*)$", path.read_text(errors="replace"), re.MULTILINE))
        expected = lines["sanitized"] if ARGUMENTS.sanitized and "sanitized" in lines \
            else lines["expected"]
        verdict = re.match("[A-Z_]+", expected)[0]
        if verdict != "PASS" and "open" not in lines:
            classes.setdefault(verdict, []).append((path, shlex.split(lines.get("options", ""))))
    kernels = []
    while any(classes.values()):
        kernels += [queue.pop(0) for queue in classes.values() if queue]
    return kernels


def save_and_replay(job):
    """Name, verdict then, verdict now, exit status of the replay."""
    (path, options), directory = job
    slow = 3 if ARGUMENTS.sanitized else 1
    options = list(options)
    for name in ("--run-seconds", "--compile-seconds"):
        if name not in options:
            options += [name, str((1 if name == "--run-seconds" else 10) * slow)]
    saved = run("eval", path, "--suite", "odd_17", "--bundle", directory, "--json", *options)
    then = json.loads(saved.stdout)
    replayed = run("replay", directory, "--json")
    if not replayed.stdout:
        return path.name, then["verdict"], replayed.stderr.strip(), replayed.returncode
    now = json.loads(replayed.stdout)
    assert now["then"]["verdict"] == then["verdict"]
    assert now["same"] == (replayed.returncode == SAME)
    assert now["differences"] == [], now["differences"]
    return path.name, then["verdict"], now["now"]["verdict"], replayed.returncode


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bulletproof-replay-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def save(self, name, *options):
        bundle = self.dir / name
        path = ARGUMENTS.root / f"tests/badkernels/{name}.hip"
        done = run("eval", path, "--suite", "odd_17", "--bundle", bundle, "--json", *options)
        return bundle, json.loads(done.stdout)

    def refused(self, pattern, *args, **options):
        done = run(*args, **options)
        self.assertEqual(done.returncode, USAGE, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Abulletproof: [^\n]+\n\Z")
        self.assertRegex(done.stderr, pattern)


class Failures(Case):
    def test_failures_of_every_class_replay(self):
        kernels = bad_kernels()
        jobs = [(kernels[i % len(kernels)], self.dir / str(i)) for i in range(ARGUMENTS.count)]
        results = []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for result in pool.map(save_and_replay, jobs):
                results.append(result)
                if result[3] != SAME:
                    print("%s: %s then, %s now, exit status %d" % result, flush=True)
        classes = collections.Counter(result[1] for result in results)
        same = sum(result[3] == SAME for result in results)
        print(f"{same} of {len(results)} failures of {len(classes)} classes replay to the same "
              f"verdict: {dict(classes.most_common())}", flush=True)
        self.assertGreaterEqual(len(classes), MIN_CLASSES)
        self.assertNotIn("PASS", classes)
        self.assertGreaterEqual(same, math.ceil(MIN_SHARE * len(results)))


class Bundles(Case):
    def test_files_of_a_crash(self):
        bundle, result = self.save("crash_far_write")
        self.assertEqual(set(os.listdir(bundle)) - FILES, set())
        evidence = json.loads((bundle / "evidence.json").read_text())
        self.assertEqual(evidence["signal"], "SEGV")
        # Where the processes' addresses lie decides whether the processor reports the one written.
        self.assertRegex(evidence["fault"], r"\ASIGSEGV( at address 0x[0-9a-f]+)?, "
                                            r"gqa_kernel0\+0x[0-9a-f]+ \(object\+0x")
        self.assertEqual(result["message"], "killed by " + evidence["fault"])
        self.assertIn("bulletproof crash: signal 11", (bundle / "log.txt").read_text())
        for name in ["replay.json", "frames.msgpack"]:
            self.assertEqual(stat.S_IMODE((bundle / name).stat().st_mode), 0o600)
        self.assertEqual((bundle / "kernel.hip").read_bytes(),
                         (ARGUMENTS.root / "tests/badkernels/crash_far_write.hip").read_bytes())
        self.assertEqual((bundle / "object.bin").read_bytes()[:4], b"\x7fELF")
        self.refused("is there already", "eval", bundle / "kernel.hip", "--bundle", bundle)

    def test_a_denied_call_is_named(self):
        bundle, _ = self.save("call_socket")
        evidence = json.loads((bundle / "evidence.json").read_text())
        self.assertEqual(evidence["cause"], "denied")
        self.assertRegex(evidence["denied"]["text"], r"\Asocket\(")
        self.assertEqual(len(evidence["denied"]["arguments"]), 6)

    def test_inputs_are_those_of_then(self):
        """The first wrong element and its value are in the message: with other inputs they differ."""
        bundle, first = self.save("wrong_scale")
        again = self.save("wrong_mean_v")[1]
        replayed = json.loads(run("replay", bundle, "--json", "--times", "3").stdout)
        self.assertEqual(replayed["verdicts"], {"WRONG_RESULT": 3})
        self.assertEqual(replayed["now"]["message"], first["message"])
        self.assertEqual(replayed["now"]["correctness"], first["correctness"])
        self.assertNotEqual(again["correctness"], first["correctness"])

    def test_times_prints_a_table(self):
        bundle, _ = self.save("crash_null")
        done = run("replay", bundle, "--times", "3")
        self.assertEqual(done.returncode, SAME, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^CRASH +3$")
        self.assertTrue(done.stdout.endswith("same verdict\n"))

    def test_another_verdict_is_told(self):
        bundle, _ = self.save("crash_null")
        shutil.copy(ARGUMENTS.root / "tests/badkernels/plan_refuses.hip", bundle / "kernel.hip")
        done = run("replay", bundle)
        self.assertEqual(done.returncode, DIFFERENT, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^then  CRASH in run")
        self.assertRegex(done.stdout, r"(?m)^now   UNSUPPORTED in run")
        self.assertRegex(done.stdout, r"(?m)^code object: not the same bytes as then$")
        self.assertTrue(done.stdout.endswith("different verdict\n"))

    def test_gates_name_the_cause(self):
        bundle, _ = self.save("crash_null")
        done = run("replay", bundle, "--sanitize")
        self.assertEqual(done.returncode, SAME, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^gates: CRASH: .*kernel\.hip:\d+")
        bundle, _ = self.save("wrong_scale")
        gates = json.loads(run("replay", bundle, "--sanitize", "--json").stdout)["gates"]
        self.assertEqual((gates["verdict"], gates["skipped"]), ("PASS", None))

    def test_other_facts_are_told(self):
        bundle, _ = self.save("compile_syntax")
        replay = json.loads((bundle / "replay.json").read_text())
        replay["host"]["cpu"] = "Z80"
        replay["compiler"] = "cc 1.0"
        (bundle / "replay.json").write_text(json.dumps(replay))
        done = run("replay", bundle)
        self.assertEqual(done.returncode, SAME, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^CPU: then Z80, now ")
        self.assertRegex(done.stdout, r"(?m)^compiler: then cc 1.0, now ")


class Packed(Case):
    def pack(self, *members):
        """A gzipped tar of (name, bytes or TarInfo)."""
        path = self.dir / "forged.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, content in members:
                info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
                data = b"" if isinstance(content, tarfile.TarInfo) else content
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return path

    def test_a_packed_bundle_replays(self):
        bundle, _ = self.save("crash_divide")
        packed = self.dir / "one.tar.gz"
        done = run("export", bundle, "-o", packed)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(stat.S_IMODE(packed.stat().st_mode), 0o600)
        shutil.rmtree(bundle)
        done = run("replay", packed)
        self.assertEqual(done.returncode, SAME, done.stderr + done.stdout)
        with tarfile.open(packed) as tar:
            self.assertEqual(set(tar.getnames()) - FILES, set())

    def test_wrong_words(self):
        bundle, _ = self.save("config_outside", "--knob", "TILE=3")
        self.refused("--out FILE is missing", "export", bundle)
        self.refused("is no number", "export", self.dir, "first", "-o", self.dir / "x")
        self.refused("cannot open the bundle", "export", self.dir, "7", "-o", self.dir / "x")
        self.refused("cannot create", "export", bundle, "-o", self.dir / "none/x")
        self.refused("is no bundle: kernel.hip is missing", "export",
                     self.without(bundle, "kernel.hip"), "-o", self.dir / "x")

    def without(self, bundle, name):
        (bundle / name).unlink()
        return bundle

    def test_hostile_archives_are_refused(self):
        bundle, _ = self.save("config_outside", "--knob", "TILE=3")
        good = [(name, (bundle / name).read_bytes()) for name in ["replay.json", "kernel.hip"]]
        self.assertEqual(run("replay", self.pack(*good)).returncode, SAME)
        link = tarfile.TarInfo("kernel.hip")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        hard = tarfile.TarInfo("knobs.yaml")
        hard.type, hard.linkname = tarfile.LNKTYPE, "replay.json"
        for what, members in {
                "no file of a bundle": good + [("../escape", b"x")],
                "no file of a bundle ": good + [("/etc/cron.d/x", b"x")],
                "no file of a bundle  ": [good[0], ("kernel.hip", link)],
                "no file of a bundle   ": good + [("knobs.yaml", hard)],
                "a file twice": good + good[:1],
                "too large": good[:1] + [("kernel.hip", b"x" * (2 << 20))],
                "kernel.hip is missing": good[:1]}.items():
            self.refused(what.strip(), "replay", self.pack(*members))
        (self.dir / "noise").write_bytes(os.urandom(4096))
        self.refused("neither a directory nor", "replay", self.dir / "noise")
        self.assertFalse((self.dir / "escape").exists())


class Debugger(Case):
    def fake_gdb(self, script):
        directory = self.dir / "bin"
        directory.mkdir()
        path = directory / "gdb"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return dict(os.environ, PATH=f"{directory}:{os.environ['PATH']}")

    def test_refused_without_gdb(self):
        bundle, _ = self.save("crash_null")
        self.refused("--gdb needs gdb, which is not in PATH", "replay", bundle, "--gdb",
                     env=dict(os.environ, PATH="/nowhere"))
        self.refused("--times 1 only", "replay", bundle, "--gdb", "--times", "2")

    def test_the_child_is_held_for_it(self):
        """A gdb that only looks: the child lives, confined, and its candidate has not run."""
        bundle, _ = self.save("crash_null", "--run-seconds", "1")
        seen = self.dir / "seen"
        env = self.fake_gdb(f'sleep 1\ngrep -E "^(State|Seccomp)" /proc/$3/status > {seen}\n'
                            f'echo "$@" >> {seen}\n')
        done = run("replay", bundle, "--gdb", env=env)
        self.assertEqual(done.returncode, INTERRUPTED, done.stdout + done.stderr)
        self.assertIn("its confinement stays on", done.stderr)
        self.assertRegex(seen.read_text(), r"(?m)^Seccomp:\s+2$")
        self.assertRegex(seen.read_text(), r"(?m)^-q -p \d+ -ex add-symbol-file /tmp/")


@functools.cache
def calls_per_batch(kernel):
    """As many as the ring has room for: the batches are to last longer than that."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "probe.hip"
        path.write_text(kernel)
        probe = json.loads(run("eval", path, "--suite", "micro_generation", "--json", "--threads",
                               1, "--ring-mb", 1, "--knob", "DELAY=0", "--knob",
                               "LIMIT=100000000").stdout)
    return probe["timing"][0]["calls_per_batch"]


class Runs(Case):
    def evolve(self, kernel, config):
        (self.dir / "kernel.hip").write_text(kernel)
        (self.dir / "run.yaml").write_text("kernel: kernel.hip\n" + config)
        done = run("evolve", self.dir / "run.yaml", "--out", self.dir / "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        results = {}
        for path in sorted((self.dir / "run").glob("eval_*.json")):
            result = json.loads(path.read_text())
            results[result["number"]] = result
        return results

    def kernel(self, knobs, default, constraints, body):
        text = (ARGUMENTS.root / "kernels/seeds/eager.hip").read_text()
        text = text.replace("knobs: {BLOCK: [64, 128, 256, 512]}",
                            "knobs: {BLOCK: [64, 128], %s}%s" % (knobs, constraints))
        text = text.replace("default: {BLOCK: 128}", "default: {BLOCK: 128, %s}" % default)
        head, brace, tail = text.rpartition("void *workspace)\n{\n")
        self.assertTrue(brace)
        return head + brace + body + tail

    def test_every_failure_of_a_run_leaves_one(self):
        kernel = self.kernel("FAIL: [0, 1, 2]", "FAIL: 0",
                             '\nconstraints: ["FAIL != 2 || BLOCK == 64"]',
                             "if (FAIL == 1) *(volatile int *)nullptr = 1;\n"
                             "if (FAIL == 2) __builtin_trap();\n")
        results = self.evolve(kernel, "suite: micro_generation\nstrategy: {name: random}\n"
                              "budget: {evaluations: 9}\nparallel: 2\ntiming: {batch_ms: 1, "
                              "batches: 1, match_rounds: 4, final_rounds: 4, ring_mb: 1}\n")
        wanted = set()
        for number, result in results.items():
            if result["verdict"] == "PASS":
                self.assertIsNone(result["bundle"])
                continue
            first = result["duplicate_of"] or number
            self.assertEqual(result["bundle"], f"failures/{first:05d}")
            wanted.add(f"{first:05d}")
        self.assertTrue(wanted)
        self.assertEqual(set(os.listdir(self.dir / "run/failures")), wanted)
        for name in sorted(wanted):
            done = run("replay", self.dir / "run/failures" / name)
            self.assertEqual(done.returncode, SAME, name + done.stdout + done.stderr)
        number = int(sorted(wanted)[0])
        done = run("export", self.dir / "run", number, "-o", self.dir / "one")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run("replay", self.dir / "one").returncode, SAME)

    def fail_after(self, batches, match_rounds, final_rounds):
        """Evaluations of a run in which the only candidate fails in the batch after so many, which is
        after more calls than a trial has; the baseline is slower."""
        body = """
    if (DELAY == 0) {
        static unsigned calls;
        if (blockIdx.x == 0 && threadIdx.x == 0 && ++calls > LIMIT)
            *(volatile int *)nullptr = 1;
    } else {
        for (volatile unsigned i = 0; i < 2000; i++)
            ;
    }
"""
        config = ("suite: micro_generation\nspace: {knobs: {BLOCK: [64], LIMIT: [%d]}}\n"
                  "baseline: {BLOCK: 64, DELAY: 1, LIMIT: %d}\nbudget: {evaluations: 3}\n"
                  "strategy: {name: random}\nparallel: 1\nthreads: 1\ntiming: {batch_ms: 1000, "
                  "batches: 3, match_rounds: %d, final_rounds: %d, ring_mb: 1}\n")
        kernel = self.kernel("DELAY: [0, 1], LIMIT: [1]", "DELAY: 1, LIMIT: 1", "", body)
        limit = batches * calls_per_batch(kernel.replace("LIMIT: [1]", "LIMIT: [1, 100000000]"))
        return self.evolve(kernel, config % (limit, limit, match_rounds, final_rounds))

    def comes_again(self, bundle):
        self.assertTrue(json.loads((bundle / "evidence.json").read_text())["in_match"])
        done = run("replay", bundle)
        self.assertEqual(done.returncode, SAME, done.stdout + done.stderr)
        self.assertIn("a match of the candidate against itself", done.stdout)

    def test_a_failure_of_a_match(self):
        results = self.fail_after(12, match_rounds=20, final_rounds=4)
        failed = [r for r in results.values() if r["stage"] == "time"]
        self.assertEqual([r["verdict"] for r in failed], ["CRASH"], results)
        self.comes_again(self.dir / "run" / failed[0]["bundle"])

    def test_a_champion_that_fails_in_the_final(self):
        for _ in range(4):
            results = self.fail_after(24, match_rounds=10, final_rounds=40)
            self.assertEqual([r["verdict"] for r in results.values()], ["PASS"] * 3)
            if (self.dir / "run/failures").exists():
                break
            shutil.rmtree(self.dir / "run")  # so noisy a machine that six times as fast was not seen
        bundle = self.dir / "run/failures/00003"
        then = json.loads((bundle / "evaluation.json").read_text())
        self.assertEqual([then[key] for key in ["verdict", "stage", "score"]], ["CRASH", "time", 0])
        self.assertEqual(os.listdir(bundle.parent), ["00003"])
        self.comes_again(bundle)


def main():
    global ARGUMENTS
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=24, help="failures that are replayed")
    parser.add_argument("--sanitized", action="store_true", help="built with a sanitizer: slower")
    parser.add_argument("--only", action="append", default=[], help="a test, such as Packed")
    ARGUMENTS = parser.parse_args()
    unittest.main(argv=[sys.argv[0], "-v", *ARGUMENTS.only])


if __name__ == "__main__":
    main()
