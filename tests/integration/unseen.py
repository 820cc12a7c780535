#!/usr/bin/env python3
"""A kernel that is right at the suite's lengths only, and fastest there: it must never become the best.

usage: unseen.py BULLETPROOF SOURCE_ROOT
"""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

from events import canonical

CONFIG = """
kernel: {root}/tests/badkernels/special_lengths.hip
suite: odd_17
baseline: {{PASSES: 4}}
budget: {{evaluations: 3}}
timing: {{batches: 3, match_rounds: 8, final_rounds: 8, ring_mb: 1}}
"""
KINDS = {"near", "prefill", "causal", "decode", "window", "ragged", "long"}


def evolve(program, directory, name, *options, off=""):
    """The run's directory, and how the program ended."""
    environment = dict(os.environ, **({"BULLETPROOF_WEAKEN": off} if off else {}))
    run = directory / name
    ended = subprocess.run([program, "evolve", directory / "config.yaml", "--out", run, *options],
                           env=environment, timeout=120, check=False, capture_output=True, text=True)
    return run, ended


def start(root, directory):
    config = directory / "config.yaml"
    config.write_text(CONFIG.format(root=root), encoding="utf-8")


def champion(run):
    """Number of the best evaluation, and the special one's verdict."""
    summary = json.loads((run / "tuning_summary.json").read_text(encoding="utf-8"))
    special = json.loads((run / "eval_00003.json").read_text(encoding="utf-8"))
    assert special["knobs"]["PASSES"] == 0, special["knobs"]
    return summary["best"]["number"], special


def events(run):
    with contextlib.closing(sqlite3.connect(f"file:{run / 'run.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT json FROM event WHERE kind = 'unseen' ORDER BY number")
        return [json.loads(text) for (text,) in rows.fetchall()]


def check(what, holds, seen=""):
    if not holds:
        sys.exit(f"unseen.py: not so: {what} {seen}")
    print(f"ok   {what}")


def main():
    program, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="bulletproof-unseen-") as name:
        directory = pathlib.Path(name)
        start(root, directory)
        run, ended = evolve(program, directory, "run")
        check("the run ends well", ended.returncode == 0, ended.stderr)
        best, special = champion(run)
        check("the best is the baseline", best == 2, best)
        check("the special one is WRONG_RESULT", special["verdict"] == "WRONG_RESULT", special)
        check("which names the shape", "on an unseen shape, unseen_" in special["message"],
              special["message"])
        check("and has the shape in its result",
              special["unseen"][-1]["verdict"] == "WRONG_RESULT", special["unseen"])
        check("its score is 0", special["score"] == 0, special["score"])

        tried = events(run)
        kinds = {shape["shape"].split("_")[1] for shape in tried[0]["shapes"]}
        check("the baseline was tried on every kind", tried[0]["number"] == 2 and kinds == KINDS,
              tried[0])
        check("and passed", {s["verdict"] for s in tried[0]["shapes"]} == {"PASS"}, tried[0])
        check("the events have the failure", tried[1]["number"] == 3 and
              tried[1]["outcome"] == "WRONG_RESULT", tried)

        again, ended = evolve(program, directory, "again", "--replay-results", run)
        check("the results replayed give the same events",
              ended.returncode == 0 and canonical(again) == canonical(run), ended.stderr)
        ended = subprocess.run([program, "replay", run / "failures/00003"], timeout=60, check=False,
                               capture_output=True, text=True)
        check("the bundle replays to the same verdict", ended.returncode == 0,
              ended.stdout + ended.stderr)


if __name__ == "__main__":
    main()
