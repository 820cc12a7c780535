#!/usr/bin/env python3
"""Champions that fail in their matches lose their place: a short run is recorded, its times and matches
are rewritten so that champions rise and fall, and a run that takes its results from there must decide
what the matches say, leave files that agree, and decide the same again from its own record."""
import argparse
import contextlib
import json
import math
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from events import canonical

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = os.path.join(HERE, "..", "bench", "trivial.hip")
CONFIG = """
kernel: {kernel}
suite: tiny
strategy: {{name: random}}
budget: {{evaluations: 8}}
timing: {{batch_ms: 1, batches: 5, match_rounds: 4, final_rounds: 4, ring_mb: 1}}
"""
BASELINE = 2
# Of evaluation: how fast it is beside the baseline, by its own times.
SPEED = {1: 0.5, 2: 1.0, 3: 1.5, 4: 1.6, 5: 1.7, 6: 1.0, 7: 1.65, 8: 1.72}
# Challenger, incumbent, how it ends: a ratio, or the side that fails and its verdict.
MATCHES = [(3, 2, 1.5), (4, 3, 1.1), (5, 4, ("incumbent", "CRASH")), (5, 3, ("incumbent", "GPU_FAULT")),
           (5, 2, 1.7), (7, 5, ("incumbent", "INFRA")), (8, 5, ("challenger", "CRASH"))]
FINALS = [(5, 2, ("challenger", "CRASH"))]
DEMOTED = [{"evaluation": 4, "verdict": "CRASH", "since": 5, "champion": 3, "score": 1.5},
           {"evaluation": 3, "verdict": "GPU_FAULT", "since": 5, "champion": 2, "score": 1.0},
           {"evaluation": 5, "verdict": "CRASH", "since": 9, "champion": 2, "score": 1.0}]
BEST_SO_FAR = [0, 1, 1.5, 1.65, 1.7, 1.7, 1.7, 1.7]
OPTIONS = argparse.Namespace()


def match_event(challenger, incumbent, end, shapes):
    failed = None if isinstance(end, float) else end[0]
    event = {"challenger": challenger, "incumbent": incumbent, "failed": failed, "promoted": False,
             "outcome": "PASS" if failed is None else end[1], "message": "", "measured": None}
    if failed is None:
        ratio = math.log(end)
        event["measured"] = {"rounds": 4, "challenger_ms": [1 / end] * shapes,
                             "incumbent_ms": [1.0] * shapes,
                             "log_ratio": {"estimate": ratio, "low": ratio - 0.01,
                                           "high": ratio + 0.01},
                             "ladder": {"level": 1.0, "baseline_ms": 1.0}}
    return json.dumps(event)


def rewrite(directory):
    """The record as if its candidates had been that fast and their matches had ended like that."""
    with contextlib.closing(sqlite3.connect(os.path.join(directory, "run.db"))) as database:
        for (trigger,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("DELETE FROM event WHERE kind IN ('match', 'final', 'demoted')")
        for number, speed in SPEED.items():
            database.execute("UPDATE timing SET median_ms = ? WHERE evaluation = ?",
                             (1 / speed, number))
        shapes, = database.execute("SELECT count(*) FROM timing WHERE evaluation = 2").fetchone()
        last, = database.execute("SELECT max(number) FROM event").fetchone()
        told = [("match", *match) for match in MATCHES] + [("final", *match) for match in FINALS]
        for number, (kind, *match) in enumerate(told, last + 1):
            database.execute("INSERT INTO event(number, wall_ms, kind, json) VALUES(?, 0, ?, ?)",
                             (number, kind, match_event(*match, shapes)))
        database.commit()


def evolve(directory, *arguments):
    done = subprocess.run([OPTIONS.program, "evolve", *arguments, "--out", directory],
                          capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    return done


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


class Demotion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.parent = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.parent)
        cls.config = os.path.join(cls.parent, "config.yaml")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(kernel=os.path.abspath(KERNEL)))
        recorded = os.path.join(cls.parent, "recorded")
        evolve(recorded, cls.config)
        rewrite(recorded)
        cls.run_directory = os.path.join(cls.parent, "run")
        cls.errors = evolve(cls.run_directory, cls.config, "--replay-results", recorded).stderr

    def events(self, kind):
        lines = [line.split(" ", 1) for line in canonical(self.run_directory)]
        return [json.loads(text) for name, text in lines if name == kind]

    def test_champions_that_failed_fell(self):
        fallen = [{**event, "score": round(event["score"], 6)} for event in self.events("demoted")]
        self.assertEqual(fallen, DEMOTED)
        for event in DEMOTED:
            self.assertIn(f"#{event['evaluation']} was the best", self.errors)

    def test_every_match_was_played_down_the_ladder(self):
        played = [(event["challenger"], event["incumbent"]) for event in self.events("match")]
        self.assertEqual(played, [(challenger, incumbent) for challenger, incumbent, _ in MATCHES])
        self.assertEqual([event["challenger"] for event in self.events("final")], [5])

    def test_a_failure_that_is_nobodys_or_the_challengers_changed_no_champion(self):
        verdicts = {event["number"]: event["verdict"] for event in self.events("evaluation")}
        self.assertEqual(verdicts, {**dict.fromkeys(SPEED, "PASS"), 8: "CRASH"})

    def test_all_that_is_left_agrees(self):
        status = json.loads(subprocess.run(
            [OPTIONS.program, "status", self.run_directory, "--json"],
            capture_output=True, text=True, check=True).stdout)
        summary = read_json(self.run_directory, "tuning_summary.json")
        best = read_json(self.run_directory, "best", "result.json")
        self.assertEqual(status["best"]["number"], BASELINE)
        self.assertEqual(summary["best"]["number"], BASELINE)
        self.assertEqual(best["number"], BASELINE)
        scores = [round(entry["best_so_far"], 6) for entry in summary["history"]]
        self.assertEqual(scores, BEST_SO_FAR)

    def test_its_own_record_decides_the_same(self):
        again = os.path.join(self.parent, "again")
        evolve(again, self.config, "--replay-results", self.run_directory)
        self.assertEqual(canonical(again), canonical(self.run_directory))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    OPTIONS = parser.parse_args()
    unittest.main(argv=["demotion"], verbosity=2)
