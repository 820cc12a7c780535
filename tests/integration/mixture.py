#!/usr/bin/env python3
"""Runs `evolve` over a kernel whose knob selects how it fails: the run goes on to its end and counts
every verdict right; interrupted, killed or out of disk, it loses nothing that it had recorded."""
import argparse
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import unittest

from supervised import Program, isolate, mounts, own_descriptors, small_disk

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "mixture", "mixture.yaml")
SLOW, FAST = 0, (1, 2)  # of MODE; the two fast ones are the same object
# Of MODE, in order; the first is the baseline. The eager kernel passes beside them.
VERDICTS = ["PASS", "PASS", "PASS", "WRONG_RESULT", "NONFINITE", "TAMPER", "CRASH", "RUN_TIMEOUT",
            "POLICY", "PROTOCOL", "PROTOCOL", "COMPILE_ERROR", "LAUNCH_ERROR", "RESOURCE_LIMIT",
            "UNSUPPORTED", "RACE", "CRASH"]
EXIT_HARNESS, EXIT_INTERRUPTED = 20, 130
TIMEOUT_S = 120
KILLS = 3
KILLED_GRACE_S = 30.0
DISK_KIB = 256
DESCRIPTORS_OF_A_CHILD = 8
DESCRIPTORS_KEPT = 9  # objects of champion and lanes, a spare, what a young or dying child lacks
OPTIONS = argparse.Namespace()


def read_lines(path):
    """The objects of a JSON lines file's whole lines."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Run:
    """One `evolve` over the mixture, its run directory in a directory of its own."""

    def __init__(self, parent):
        self.directory = os.path.join(parent, "run")
        self.program = Program([OPTIONS.program, "evolve", CONFIG, "--out", self.directory])

    def path(self, name):
        return os.path.join(self.directory, name)

    def recorded(self):
        try:
            return len(read_lines(self.path("history.jsonl")))
        except OSError:
            return 0

    def wait_for(self, evaluations):
        """Until so many evaluations are recorded; the number, less where the run ended before."""
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until and self.program.process.poll() is None:
            if self.recorded() >= evaluations:
                break
            time.sleep(0.02)
        return self.recorded()

    def rows(self, table):
        with contextlib.closing(sqlite3.connect(self.path("run.db"))) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]

    def integrity(self):
        with contextlib.closing(sqlite3.connect(self.path("run.db"))) as database:
            return database.execute("PRAGMA integrity_check").fetchone()[0]


class MixtureTest(unittest.TestCase):
    def setUp(self):
        self.parent = tempfile.mkdtemp(prefix="bulletproof-mixture-")
        self.addCleanup(shutil.rmtree, self.parent, True)
        self.mounts = mounts()

    def end(self, run, killed=False):
        """Waits for the run and for all that must be gone with it; its exit status."""
        status = run.program.wait(TIMEOUT_S)
        self.addCleanup(run.program.remove)
        self.assertIsNotNone(status, f"no end within {TIMEOUT_S} s\n{run.program.errors}")
        self.assertEqual(run.program.leftovers(killed, KILLED_GRACE_S if killed else 0), [], run.program.errors)
        return status

    def check_whole(self, run, at_least):
        """run.db holds the evaluations 1 to n, each with all that belongs to it; n."""
        self.assertEqual(run.integrity(), "ok")
        evaluations = run.rows("evaluation")
        numbers = [row["number"] for row in evaluations]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        shown = re.findall(r"^(\d+)/\d+ ", run.program.errors, re.MULTILINE)
        self.assertGreaterEqual(len(numbers), at_least)
        self.assertGreaterEqual(len(numbers), max(map(int, shown), default=0))
        attempts = {row["evaluation"] for row in run.rows("attempt")}
        timed = {row["evaluation"] for row in run.rows("timing")}
        judged = {row["evaluation"] for row in run.rows("correctness")}
        for row in evaluations:
            if row["duplicate"]:
                continue
            self.assertIn(row["number"], attempts)
            if row["verdict"] == "PASS":
                self.assertIn(row["number"], timed)
                self.assertIn(row["number"], judged)
        return len(numbers)

    def check_artifacts(self, run):
        """Every file that is there can be read."""
        history = read_lines(run.path("history.jsonl"))
        for name in os.listdir(run.directory):
            if name.endswith(".json"):
                read_json(run.path(name))
            self.assertFalse(name.endswith(".tmp"), name)
        return history

    def test_goes_on_to_the_end(self):
        run = Run(self.parent)
        counts = collections.defaultdict(list)  # of descriptors, by evaluations recorded
        while run.program.process.poll() is None:
            with contextlib.suppress(OSError):
                held = own_descriptors(run.program.process.pid, DESCRIPTORS_OF_A_CHILD)
                counts[run.recorded()].append(held)
            time.sleep(0.005)
        self.assertEqual(self.end(run), 0, run.program.errors)
        self.assertEqual(self.check_whole(run, 0), 1 + len(VERDICTS))
        summary = read_json(run.path("tuning_summary.json"))
        expected = collections.Counter(["PASS"] + VERDICTS)
        self.assertEqual({k: v for k, v in summary["verdicts"].items() if v}, dict(expected))
        self.assertEqual(summary["status"], "finished")
        self.assertEqual(summary["evaluations"], 1 + len(VERDICTS))
        self.assertEqual(summary["duplicates"], 1)
        self.assertEqual(len(self.check_artifacts(run)), 1 + len(VERDICTS))
        self.check_modes(run, summary)
        self.check_probes(run)
        self.check_descriptors(counts)
        self.assertEqual(mounts(), self.mounts)

    def check_descriptors(self, counts):
        """One leaked in every evaluation would be eleven more from the middle of the early window to
        that of the late one."""
        early = [count for recorded in range(1, 7) for count in counts[recorded]]
        late = [count for recorded in range(12, 17) for count in counts[recorded]]
        self.assertLessEqual(min(late), min(early) + DESCRIPTORS_KEPT)

    def check_probes(self, run):
        """The device was probed after every fault and hang, and passed."""
        events = [(row["kind"], json.loads(row["json"])) for row in run.rows("event")]
        probes = [event for kind, event in events if kind == "probe"]
        moves = [(event["from"], event["to"]) for kind, event in events if kind == "device"]
        once = [("healthy", "suspect"), ("suspect", "probing"), ("probing", "healthy")]
        faults = VERDICTS.count("CRASH") + VERDICTS.count("RUN_TIMEOUT")
        self.assertEqual(moves, once * faults, run.program.errors)
        self.assertEqual([probe["passed"] for probe in probes], [True] * faults)
        self.assertTrue(all(probe["ms"] > 0 for probe in probes))

    def check_modes(self, run, summary):
        seen = {}
        for number in range(2, summary["evaluations"] + 1):
            evaluation = read_json(run.path(f"eval_{number:05}.json"))
            seen[evaluation["knobs"]["MODE"]] = evaluation["verdict"]
            if number == summary["best"]["number"]:
                self.assertIn(evaluation["knobs"]["MODE"], FAST, run.program.errors)
        self.assertEqual(seen, dict(enumerate(VERDICTS)))
        self.assertGreater(summary["best"]["score"], 1)

    def test_interrupted(self):
        run = Run(self.parent)
        recorded = run.wait_for(5)
        run.program.process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(run), EXIT_INTERRUPTED, run.program.errors)
        self.assertIn(f"to go on: bulletproof evolve --resume {run.directory}\n", run.program.errors)
        count = self.check_whole(run, recorded)
        summary = read_json(run.path("tuning_summary.json"))
        self.assertEqual(summary["status"], "interrupted")
        self.assertEqual(summary["evaluations"], count)
        self.assertLess(count, 1 + len(VERDICTS))
        self.assertEqual(len(self.check_artifacts(run)), count)
        self.assertEqual(mounts(), self.mounts)

    def test_killed(self):
        seed = int(os.environ.get("BP_TEST_SEED", time.time_ns()))
        print(f"BP_TEST_SEED={seed}", flush=True)
        chance = random.Random(seed)
        for kill in range(KILLS):
            run = Run(os.path.join(self.parent, str(kill)))
            recorded = run.wait_for(chance.randrange(0, 9))
            time.sleep(chance.random() * 0.3)
            run.program.process.kill()
            self.assertEqual(self.end(run, killed=True), -signal.SIGKILL, run.program.errors)
            if recorded:
                self.check_whole(run, recorded)
            self.assertEqual(mounts(), self.mounts)

    def test_full_disk(self):
        run = Run(small_disk(self, self.parent, f"{DISK_KIB}k"))
        self.assertEqual(self.end(run), EXIT_HARNESS, run.program.errors)
        self.assertIn("No space left on device", run.program.errors)
        self.assertNotIn("Sanitizer", run.program.errors)
        count = self.check_whole(run, 1)
        self.assertLess(count, 1 + len(VERDICTS), "the disk was not full")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("tests", nargs="*", help="names, such as MixtureTest.test_killed")
    parser.parse_args(namespace=OPTIONS)
    isolate()
    unittest.main(argv=[sys.argv[0], "-v"] + OPTIONS.tests)


if __name__ == "__main__":
    main()
