#!/usr/bin/env python3
"""Prints the decisions and results in the record of a run, one line each, without times of day and
durations: two runs that decided and found the same print the same. Usage: events.py RUN_DIRECTORY"""
import contextlib
import json
import os
import sqlite3
import sys

KINDS = ("batch", "evaluation", "unseen", "match", "demoted", "final")
COLUMNS = ("number", "origin", "strategy", "parent", "source_hash", "object_hash", "verdict", "stage",
           "message", "score", "promoted", "duplicate", "duplicate_of")


def canonical(directory):
    """The lines, in order."""
    path = os.path.join(directory, "run.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute(f"SELECT {', '.join(COLUMNS)} FROM evaluation").fetchall()
        evaluations = {row[0]: dict(zip(COLUMNS, row)) for row in rows}
        lines = []
        for kind, text in database.execute("SELECT kind, json FROM event ORDER BY number"):
            event = json.loads(text)
            if kind not in KINDS:
                continue
            event.pop("elapsed_s", None)
            if kind == "evaluation":
                event.update(evaluations[event["number"]])
            lines.append(f"{kind} {json.dumps(event, sort_keys=True)}")
        return lines


if __name__ == "__main__":
    print("\n".join(canonical(sys.argv[1])))
