#!/usr/bin/env python3
"""Kills a run at random moments, resumes it each time, and looks whether the record is what it would
have been: whole, nothing lost or doubled, no process or file left over. In replay mode, where results
come from the record of a run that nobody disturbed, its events must be equal to that run's."""
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
import subprocess
import sys
import tempfile
import time

from events import canonical
from supervised import Program, descendants, isolate

HERE = os.path.dirname(os.path.abspath(__file__))
MIXTURE = os.path.join(HERE, "mixture", "mixture.hip")
# Of MODE, in order. LOOPS makes other objects of the first alone, faster ones.
VERDICTS = ["PASS", "PASS", "PASS", "WRONG_RESULT", "NONFINITE", "TAMPER", "CRASH", "RUN_TIMEOUT",
            "POLICY", "PROTOCOL", "PROTOCOL", "COMPILE_ERROR", "LAUNCH_ERROR", "RESOURCE_LIMIT",
            "UNSUPPORTED", "RACE", "CRASH"]
SETTINGS = """
kernel: torture.hip
suite: odd_17
parallel: 2
strategy: {name: local}
timing: {batch_ms: 1, batches: 5, match_rounds: 8, final_rounds: 8, ring_mb: 1}
retry: {attempts: 4, base_ms: 5, cap_ms: 50}
limits: {compile_s: 10, run_s: 1}
"""
TIMEOUT_S = 120
GRACE_S = 30.0  # at most, for what a killed supervisor leaves to die
KILLS = ["supervisor", "SIGTERM", "SIGSTOP", "worker"]
KILLS_A_RUN = 12
TERM_SHARE, WORKER_SHARE, STOP_SHARE = 0.15, 0.4, 0.1
STOP_S = 2.5  # longer than any deadline of a candidate's, so that all of them pass meanwhile
FINAL_SHARE, WRITE_SHARE = 0.15, 0.3  # of strikes that wait for something, the others for a time
FINAL = "comparing the best with the baseline"
# Of what a run starts: its workers, and what those start.
CHILDREN = ("bulletproof-wor", "clang", "ld.lld", "lld")
NOT_BEGUN = re.compile("died before it had begun|holds no record of a run")
EXIT_INTERRUPTED = 130


class Failed(Exception):
    """A promise that was not kept."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def write_inputs(directory):
    """The kernel that fails in every way, with a second knob; its config."""
    with open(MIXTURE, encoding="utf-8") as file:
        text = file.read()
    for old, new in [("name: mixture", "name: torture"), ("i < 64", "i < LOOPS"),
                     ("15, 16]}", "15, 16], LOOPS: [64, 48, 32, 24, 16, 8, 4, 2]}"),
                     ("{MODE: 0}", "{MODE: 0, LOOPS: 64}")]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with open(os.path.join(directory, "torture.hip"), "w", encoding="utf-8") as file:
        file.write(text)
    config = os.path.join(directory, "torture.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(SETTINGS)
    return config


class Tortured:
    """One run that is killed and resumed until it ends."""

    def __init__(self, options, directory, config, arguments, counts):
        self.options, self.directory, self.config = options, directory, config
        self.arguments, self.counts = arguments, counts
        self.shown = 0  # evaluations that some progress line has shown as done

    def start(self):
        how = ["--resume", self.directory] if os.path.exists(self.directory) else \
              [self.config, "--out", self.directory]
        return Program([self.options.program, "evolve", *how, *self.arguments])

    def rows(self, sql):
        path = os.path.join(self.directory, "run.db")
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute(sql).fetchall()

    def end(self, program, killed):
        """The program has ended or is about to: what is left of it, what it has shown. Its status."""
        status = program.wait(TIMEOUT_S)
        left = program.leftovers(killed, GRACE_S if killed else 0)
        program.remove()
        check(status is not None, f"no end within {TIMEOUT_S} s")
        check(not left, f"left over: {left}\n{program.errors}")
        shown = [int(number) for number in re.findall(r"^(\d+)/\d+ ", program.errors, re.MULTILINE)]
        self.shown = max([self.shown, *shown])
        return status

    def has_begun(self, program):
        """Nothing at all was recorded by a start that was killed at once: a new one takes its place."""
        if not NOT_BEGUN.search(program.errors):
            return True
        check(self.shown == 0, f"what was shown is gone: {program.errors}")
        shutil.rmtree(self.directory)
        self.counts["anew"] += 1
        return False

    # ---- when to strike; each returns then, or when the program has ended ----

    def after(self, delay):
        def wait(program):
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.process.wait(delay)
        return wait

    def in_the_final(self, delay):
        """So long after the final comparison began."""
        def wait(program):
            path = os.path.join(program.directory, ".stderr")
            while program.process.poll() is None:
                with open(path, encoding="utf-8", errors="replace") as file:
                    if FINAL in file.read():
                        self.counts["in final"] += 1
                        return self.after(delay)(program)
                time.sleep(0.005)
            return None
        return wait

    def in_a_write(self, delay):
        """At the first write after the delay that is not synced yet: of an artifact, which has a
        temporary name until then, or of the record's log."""
        def seen():
            with contextlib.suppress(FileNotFoundError):
                temporary = any(entry.name.endswith(".tmp") for entry in os.scandir(self.directory))
                log = os.stat(os.path.join(self.directory, "run.db-wal"))
                return temporary, log.st_mtime_ns
            return False, 0

        def wait(program):
            self.after(delay)(program)
            _, before = seen()
            while program.process.poll() is None:
                temporary, log = seen()
                if temporary or log != before:
                    self.counts["in write"] += 1
                    return
        return wait

    def some_time(self, longest):
        """A time to strike, at random."""
        delay, share = self.options.random.uniform(0, longest), self.options.random.random()
        if share < FINAL_SHARE:
            return self.in_the_final(self.options.random.uniform(0, 0.3))
        return self.in_a_write(delay) if share < FINAL_SHARE + WRITE_SHARE else self.after(delay)

    # ---- strikes ----

    def live(self, moment):
        """One start, killed at the moment. True when the run came to its end before."""
        program = self.start()
        self.counts["starts"] += 1
        moment(program)
        if program.process.poll() is not None:
            status = self.end(program, False)
            if not self.has_begun(program):
                return False
            check(status == 0, f"status {status}\n{program.errors}")
            return True
        if self.options.random.random() < TERM_SHARE:
            return self.terminate(program)
        program.process.kill()
        self.counts["supervisor"] += 1
        self.end(program, True)
        self.has_begun(program)
        return False

    def terminate(self, program):
        program.process.send_signal(signal.SIGTERM)
        self.counts["SIGTERM"] += 1
        status = self.end(program, False)
        # before it listens to signals, one ends it at once; after its last event, none does
        check(status in (0, EXIT_INTERRUPTED, -signal.SIGTERM, 2), f"status {status}\n{program.errors}")
        return self.has_begun(program) and status == 0

    def live_without_worker(self, moment):
        """A start of which one child is killed at the moment, and which is then left to itself."""
        program = self.start()
        self.counts["starts"] += 1
        moment(program)
        until = time.monotonic() + 1
        while program.process.poll() is None and time.monotonic() < until and \
                not self.kill_one(program.process.pid):
            time.sleep(0.002)
        return self.runs_to_its_end(program)

    def live_through_a_stop(self, moment):
        """A start whose supervisor stands still for a while from the moment on."""
        program = self.start()
        self.counts["starts"] += 1
        moment(program)
        if program.process.poll() is None:
            self.counts["SIGSTOP"] += 1
            program.process.send_signal(signal.SIGSTOP)
            time.sleep(STOP_S)
            program.process.send_signal(signal.SIGCONT)
        return self.runs_to_its_end(program)

    def runs_to_its_end(self, program):
        status = self.end(program, False)
        if self.has_begun(program):
            check(status == 0, f"status {status}\n{program.errors}")
            return True
        return False

    def kill_one(self, pid):
        workers = [child for child, name in descendants().items()
                   if child != pid and name.split(" (")[0] in CHILDREN]
        if not workers:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.options.random.choice(workers), signal.SIGKILL)
            self.counts["worker"] += 1
            return True
        return False

    # ---- the end ----

    def check_whole(self):
        check(self.rows("PRAGMA integrity_check") == [("ok",)], "run.db is damaged")
        numbers = [row[0] for row in self.rows("SELECT number FROM evaluation ORDER BY number")]
        check(numbers == list(range(1, len(numbers) + 1)), f"numbers {numbers}")
        check(len(numbers) >= self.shown, f"{self.shown} were shown, {len(numbers)} are there")
        events = [json.loads(row[0])["number"] for row in
                  self.rows("SELECT json FROM event WHERE kind = 'evaluation' ORDER BY number")]
        check(events == numbers, f"events of {events}")
        decided = [member["number"] for row in
                   self.rows("SELECT json FROM event WHERE kind = 'batch' ORDER BY number")
                   for member in json.loads(row[0])["proposals"]]
        check(decided == numbers[2:], f"decided {decided}")
        with open(os.path.join(self.directory, "history.jsonl"), encoding="utf-8") as file:
            history = [json.loads(line)["number"] for line in file]
        check(history == numbers, f"history {history}")
        sessions = [row[0] for row in self.rows(
            "SELECT json_extract(json, '$.session') FROM event WHERE kind = 'run' ORDER BY number")]
        check(len(set(sessions)) == len(sessions), f"sessions {sessions}")
        self.check_files(numbers)
        return len(numbers)

    def check_files(self, numbers):
        names = set(os.listdir(self.directory))
        wanted = {f"eval_{number:05}.{kind}" for number in numbers for kind in ("hip", "json")}
        wanted |= {"best", "results.md", "tuning_summary.json", "config.yaml", "log.txt"}
        check(wanted <= names, f"missing: {wanted - names}")
        temporary = [name for name in names if name.endswith(".tmp")]
        check(not temporary, f"temporary files: {temporary}")
        with open(os.path.join(self.directory, "tuning_summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        check((summary["status"], summary["evaluations"]) == ("finished", len(numbers)),
              f"summary {summary['status']}, {summary['evaluations']}")

    def blamed_wrongly(self):
        """Evaluations whose verdict is neither the right one nor INFRA: another's hand was blamed on the
        candidate."""
        rows = self.rows("SELECT number, verdict, stage, message, json_extract(knobs, '$.MODE')"
                         " FROM evaluation JOIN candidate USING (source_hash) WHERE origin = 'search'")
        return [f"#{number} of MODE {mode}: {verdict} in {stage}: {message}"
                for number, verdict, stage, message, mode in rows
                if verdict not in (VERDICTS[mode], "INFRA")]


class Mode:
    """Kills in one mode, spread over as many runs as it takes."""

    def __init__(self, options, parent):
        self.options = options
        self.parent = os.path.join(parent, self.name)
        os.mkdir(self.parent)
        self.config = write_inputs(self.parent)
        self.counts = collections.Counter()

    def struck(self):
        return sum(self.counts[kind] for kind in KILLS)

    def new_run(self, arguments):
        self.counts["runs"] += 1
        directory = os.path.join(self.parent, f"run{self.counts['runs']}")
        return Tortured(self.options, directory, self.config, arguments, self.counts)

    def finish(self, run):
        """Lets it run to its end, and looks at everything."""
        while not run.live(run.after(TIMEOUT_S)):
            pass
        self.counts["evaluations"] += run.check_whole()
        wrongly = run.blamed_wrongly()
        check(not wrongly, f"blamed wrongly, see {run.directory}: {wrongly}")
        self.check(run)
        shutil.rmtree(run.directory)

    def torture(self, kills):
        while self.struck() < kills:
            run = self.new_run(self.arguments)
            goal = min(kills, self.struck() + KILLS_A_RUN)
            while self.struck() < goal and not self.strike(run):
                pass
            self.finish(run)


class Real(Mode):
    """Children evaluate; they are struck too."""
    name = "real"

    def __init__(self, options, parent):
        super().__init__(options, parent)
        self.arguments = ["--max-evaluations", str(options.evaluations // 2)]

    def strike(self, run):
        kind = self.options.random.random()
        if kind < STOP_SHARE:
            return run.live_through_a_stop(run.some_time(2.5))
        if kind < STOP_SHARE + WORKER_SHARE:
            return run.live_without_worker(run.some_time(1.5))
        return run.live(run.some_time(2.5))

    def check(self, run):
        pass


class Replay(Mode):
    """Results come from the record of a run that nobody disturbed."""
    name = "replay"

    def __init__(self, options, parent):
        super().__init__(options, parent)
        budget = ["--max-evaluations", str(options.evaluations)]
        self.recorded = self.new_run(budget)
        check(self.recorded.live(self.recorded.after(TIMEOUT_S)), "the recorded run did not end")
        self.expected = canonical(self.recorded.directory)
        self.arguments = [*budget, "--replay-results", self.recorded.directory]
        started = time.monotonic()
        self.finish(self.new_run(self.arguments))
        self.seconds = time.monotonic() - started

    def strike(self, run):
        return run.live(run.some_time(self.seconds / 3))

    def check(self, run):
        found = canonical(run.directory)
        different = [(a, b) for a, b in zip(self.expected, found) if a != b]
        check(found == self.expected,
              f"{len(found)} events for {len(self.expected)}, the first different: {different[:1]}")


def print_table(modes, seed):
    columns = ["runs", "starts", *KILLS, "in final", "in write", "anew", "evaluations"]
    print("".join(f"{title:>12}" for title in ["mode", *columns]))
    for mode in modes:
        cells = [mode.name, *(mode.counts[column] for column in columns)]
        print("".join(f"{cell:>12}" for cell in cells))
    print(f"every record whole, nobody blamed wrongly, nothing left over (seed {seed})")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--mode", choices=["replay", "real", "both"], default="both",
                        help="both: four fifths of the kills in replay mode")
    parser.add_argument("--evaluations", type=int, default=40, help="of an undisturbed run")
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    options.random = random.Random(options.seed)
    kinds = {"replay": [Replay], "real": [Real], "both": [Replay, Real]}[options.mode]
    kills = [options.kills] if len(kinds) == 1 else \
            [options.kills - options.kills // 5, options.kills // 5]
    isolate()
    parent = tempfile.mkdtemp(prefix="bulletproof-torture-")
    print(f"seed {options.seed}", flush=True)
    modes = []
    try:
        for kind, share in zip(kinds, kills):
            modes.append(kind(options, parent))
            modes[-1].torture(share)
    except Failed as failure:
        print(f"FAILED (seed {options.seed}; see {parent}): {failure}")
        sys.exit(1)
    shutil.rmtree(parent)
    print_table(modes, options.seed)


if __name__ == "__main__":
    main()
