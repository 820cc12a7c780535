#!/usr/bin/env python3
"""`bulletproof inject`: candidates that fail, faults of the harness where they are built in, refusal
where they are not, and the same matrix for the same seed.

usage: inject.py BULLETPROOF SOURCE_ROOT [--built]
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from gpu import why_not
from supervised import descendants, isolate

OPTIONS = argparse.Namespace()
EXIT_UNEXPECTED, EXIT_USAGE = 1, 2
# Some of each kind: starting a child, memory, pipes, files, database, protocol, clocks.
POINTS = ["fork", "memfd", "epoll", "memory", "short_read", "read_error", "file_full", "rename",
          "sqlite_full", "sqlite_busy", "kill_start", "kill_fill", "kill_compile", "kill_batch",
          "kill_judge", "frame_bit", "frame_candidate", "slow_child", "wall_back", "pause"]
# Points that several children pass at once, whose answers come in any order, and all the others.
TWICE = """candidates: {segfault: {kind: 2, expected: CRASH}}
seed: 5
points:
  memory: {once: PASS|STOPPED}
  read_error: {once: PASS}
  sqlite_corrupt: {once: PASS|STOPPED}
  kill_start: {once: PASS}
  frame_nonce: {once: PASS, from: 2}
"""


class InjectTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bulletproof-inject-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.environment = dict(os.environ, TMPDIR=str(self.dir))

    def run_program(self, *args, **environment):
        return subprocess.run([OPTIONS.program, *args], text=True, check=False, timeout=280,
                              capture_output=True, env=dict(self.environment, **environment))

    def inject(self, *args):
        """The exit status, the rows, and that nothing is left of it."""
        done = self.run_program("inject", "--json", *args)
        self.assertEqual(descendants(), {})
        self.assertTrue(done.stdout, done.stderr)
        matrix = json.loads(done.stdout)
        print(json.dumps(matrix["classes"]) if done.returncode else "", file=sys.stderr)
        for row in matrix["classes"]:
            self.assertEqual((row["survivors"], row["leaks"]), (0, 0), row)
        return done.returncode, matrix["classes"]

    def campaign(self, text):
        path = self.dir / "campaign.yaml"
        kernel = OPTIONS.root / "configs/faults/candidates.hip"
        path.write_text(f"kernel: {kernel}\n{text}")
        return path

    def test_candidates(self):
        names = ["endless_loop", "wrong_result", "compile_error", "fork_bomb", "exit",
                 "forged_frame", "out_of_memory", "past_output", "divergent_barrier"]
        status, rows = self.inject("--classes", ",".join(names))
        self.assertEqual(status, 0)
        self.assertEqual([row["class"] for row in rows], names)
        self.assertTrue(all(row["as_expected"] and row["attempts"] == 1 for row in rows))
        self.assertEqual(os.listdir(self.dir), [])

    def test_points(self):
        status, rows = self.inject("--occurrences", "1", "--classes", ",".join(POINTS))
        self.assertEqual(status, 0)
        self.assertEqual({row["class"] for row in rows}, set(POINTS))
        for row in rows:
            self.assertEqual(row["built"], OPTIONS.built)
            self.assertEqual(row["runs"], 1 if OPTIONS.built else 0)

    def test_faults_of_a_device(self):
        points = "points: {gpu_memory_fault: {once: PASS}}"
        device = OPTIONS.root / "configs/faults/device.hip"
        path = self.campaign(f"device: {{name: 'emu:gfx1030', kernel: {device}}}\n{points}")
        status, rows = self.inject("--campaign", str(path), "--occurrences", "1")
        self.assertEqual((status, len(rows)), (0, 1))
        runs = OPTIONS.built and not why_not(OPTIONS.program)
        self.assertEqual((rows[0]["runs"], rows[0]["seen"]), (1, "PASS") if runs else (0, "-"), rows)
        if not OPTIONS.built:
            return
        self.assertEqual(rows[0]["skipped"] is None, runs, rows)
        status, rows = self.inject("--campaign", str(path), "--device", "emu:gfx90a")
        self.assertEqual((status, rows[0]["runs"]), (0, 0))
        self.assertIn("gfx90a", rows[0]["skipped"])
        status, rows = self.inject("--campaign", str(self.campaign(points)))
        self.assertEqual((status, rows[0]["skipped"]), (0, "the campaign names no device"))

    def test_the_same_seed_gives_the_same_matrix(self):
        path, matrices = self.campaign(TWICE), []
        for _ in range(2):
            status, rows = self.inject("--campaign", str(path), "--occurrences", "1")
            self.assertEqual(status, 0)
            for row in rows:
                del row["time_ms"]
            matrices.append(rows)
        self.assertEqual(len(matrices[0]), 6)
        self.assertEqual(*matrices)

    def test_a_wrong_expectation_is_unexpected(self):
        path = self.campaign("candidates:\n  segfault: {kind: 2, expected: POLICY}\n")
        status, rows = self.inject("--campaign", str(path))
        self.assertEqual(status, EXIT_UNEXPECTED)
        self.assertEqual((rows[0]["seen"], rows[0]["as_expected"]), ("CRASH", False))
        self.assertIn("CRASH", rows[0]["complaints"][0])

    def test_campaigns_with_errors(self):
        for text, message in [("sed: 1", r":2: unknown key 'sed'; did you mean 'seed'"),
                              ("points: {forkk: {once: PASS}}", r"did you mean 'fork'"),
                              ("points: {fork: {twice: PASS}}", r"unknown key 'twice'"),
                              ("points: {fork: {once: PASSED}}", r"did you mean 'PASS'"),
                              ("candidates: {a: {kind: 1}}", r"needs both 'kind' and 'expected'"),
                              ("device: {name: 'emu:gfx1030'}", "needs both 'name' and 'kernel'"),
                              ("timeout_s: 0", r"'timeout_s': expected a number of seconds")]:
            with self.subTest(text):
                done = self.run_program("inject", "--campaign", str(self.campaign(text)))
                self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
                self.assertRegex(done.stderr, r"campaign\.yaml:2: .*" + message.lstrip(":2: "))
        done = self.run_program("inject", "--classes", ",")
        self.assertEqual(done.returncode, EXIT_USAGE)
        done = self.run_program("inject", "--classes", "forc")
        self.assertEqual(done.returncode, EXIT_USAGE)
        self.assertIn("did you mean 'fork'", done.stderr)

    def test_armed_by_environment(self):
        kernel = str(OPTIONS.root / "configs/faults/candidates.hip")
        done = self.run_program("eval", kernel, "--suite", "odd_17", "--knob", "KIND=14", "--json",
                                BULLETPROOF_FAULTS="kill_judge:1:once")
        if not OPTIONS.built:
            self.assertEqual(done.returncode, EXIT_USAGE)
            self.assertIn("no fault injection (meson configure -Dfault_injection=true)",
                          done.stderr)
            return
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("FAULT INJECTION BUILD", done.stderr)
        outcomes = [attempt["outcome"] for attempt in json.loads(done.stdout)["attempts"]]
        self.assertEqual(outcomes, ["INFRA", "PASS"])

    def test_the_list(self):
        listed = json.loads(self.run_program("inject", "--list", "--json").stdout)
        self.assertIn({"class": "segfault", "expected": "CRASH"}, listed["candidates"])
        self.assertIn("fork", [point["class"] for point in listed["points"]])
        self.assertEqual(listed["built"], OPTIONS.built)

    def test_the_version_tells(self):
        done = self.run_program("--version")
        self.assertEqual("fault injection" in done.stdout, OPTIONS.built)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("root", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--built", action="store_true", help="faults of the harness are built in")
    parser.add_argument("tests", nargs="*", help="names, such as InjectTest.test_points")
    parser.parse_args(namespace=OPTIONS)
    isolate()
    unittest.main(argv=[sys.argv[0], "-v"] + OPTIONS.tests)


if __name__ == "__main__":
    main()
