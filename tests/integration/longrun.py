#!/usr/bin/env python3
"""A run that is left alone: what it answers to signals, a service manager, a terminal that goes away
and a disk that fills up."""
import argparse
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from supervised import Program, isolate, small_disk

EXIT_INTERRUPTED = 130
TIMEOUT_S = 120
EVALUATIONS = 5000  # more than any test waits for
WATCHDOG_US = 300000
DISK_MB, WANTED_MB = 64, 32
OPTIONS = argparse.Namespace()

CONFIG = """
kernel: kernel.hip
suite: micro_generation
strategy: {name: random}
budget: {evaluations: %d}
timing: {batch_ms: 1, batches: 3, match_rounds: 4, final_rounds: 4, ring_mb: 1}
limits: {disk_free_mb: %d}
"""


def write_kernel(path):
    """The eager kernel with knobs that change nothing, so that there is always more to try."""
    with open(os.path.join(OPTIONS.root, "kernels/seeds/eager.hip"), encoding="utf-8") as file:
        text = file.read()
    knobs, default = "knobs: {BLOCK: [64, 128, 256, 512]}", "default: {BLOCK: 128}"
    assert text.count(knobs) == text.count(default) == 1
    values = list(range(64))
    unused = f"UNUSED: {values}, IDLE: {values}"
    text = text.replace(knobs, "knobs: {BLOCK: [64, 128, 256, 512], %s}" % unused)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(default, "default: {BLOCK: 128, UNUSED: 0, IDLE: 0}"))


def wait_until(holds):
    until = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class LongRunTest(unittest.TestCase):
    def setUp(self):
        self.parent = tempfile.mkdtemp(prefix="bulletproof-longrun-")
        self.addCleanup(shutil.rmtree, self.parent, True)
        self.directory = os.path.join(self.parent, "run")
        self.arguments = self.configure(disk_free_mb=0)

    def configure(self, disk_free_mb, evaluations=EVALUATIONS):
        config = os.path.join(self.parent, "config.yaml")
        write_kernel(os.path.join(self.parent, "kernel.hip"))
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG % (evaluations, disk_free_mb))
        return [OPTIONS.program, "evolve", config, "--out", self.directory]

    def read(self, name):
        with contextlib.suppress(OSError):
            with open(os.path.join(self.directory, name), encoding="utf-8") as file:
                return file.read()
        return ""

    def recorded(self):
        return self.read("history.jsonl").count("\n")

    def wait_for(self, evaluations):
        self.assertTrue(wait_until(lambda: self.recorded() >= evaluations), self.read("log.txt"))

    def stop(self, program, number=signal.SIGINT):
        program.process.send_signal(number)
        status = program.wait(TIMEOUT_S)
        self.addCleanup(program.remove)
        self.assertEqual(program.leftovers(), [], program.errors)
        return status

    def summary(self):
        return json.loads(self.read("tuning_summary.json"))

    # ---- signals ----

    def test_notices_before_it_listens(self):
        program = Program(self.arguments)
        self.assertTrue(wait_until(lambda: os.path.exists(self.directory)))
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            program.process.send_signal(signal.SIGUSR1)
            program.process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        self.wait_for(1)
        self.assertEqual(self.stop(program), EXIT_INTERRUPTED, program.errors)
        self.assertIn("status:\n", program.errors)

    def test_status_when_asked(self):
        program = Program(self.arguments)
        self.wait_for(4)
        program.process.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_until(lambda: "INFO status:   record" in self.read("log.txt")))
        self.assertEqual(self.stop(program), EXIT_INTERRUPTED, program.errors)
        block = program.errors[program.errors.index("status:\n"):]
        for pattern in [rf"  run +{re.escape(self.directory)}\n",
                        r"  now +(compiling #\d+ to #\d+|trying #\d+( on unseen shapes)?|match of #\d+ and #\d+)\n",
                        rf"  evaluations +\d+ of {EVALUATIONS}  PASS \d+.*duplicates\)\n",
                        r"  best +\d+\.\d{3}x \(#\d+\)\n", r"  elapsed +\d+ s, ETA \d+ s\n",
                        r"  device +\S.*\n", r"  safety +score 100\.0 of 100; 0 errors;",
                        r"  process +\d+\.\d MiB resident, \d+ descriptors, \d+ children\n",
                        r"  record +(being )?written; \d+ MiB of disk free\n"]:
            self.assertRegex(block, pattern)

    def test_sighup_starts_a_new_log(self):
        program = Program(self.arguments)
        self.wait_for(3)
        program.process.send_signal(signal.SIGHUP)
        self.assertTrue(wait_until(lambda: "a new log" in self.read("log.txt")))
        old = self.read("log.txt.1")
        recorded = self.recorded()
        self.wait_for(recorded + 3)
        self.assertEqual(self.stop(program), EXIT_INTERRUPTED, program.errors)
        self.assertIn("evaluation 1:", old)
        self.assertNotIn("evaluation 1:", self.read("log.txt"))
        self.assertIn("stopped by SIGINT", self.read("log.txt"))

    def test_best_is_shown_from_the_baseline_on(self):
        program = Program(self.arguments)
        self.wait_for(3)
        self.stop(program)
        self.assertRegex(program.errors, r"(?m)^2/\d+ PASS 2  best 1\.000x \(#2\)")

    # ---- the terminal ----

    def on_a_terminal(self, *prefix):
        """The program on a terminal of its own; the other end of it."""
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.parent)  # nohup.out is made there
            os.execvp((prefix + (OPTIONS.program,))[0], [*prefix, *self.arguments])
        self.addCleanup(self.kill, pid)
        return pid, master

    @staticmethod
    def kill(pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def wait_on_terminal(self, master, evaluations):
        until = time.monotonic() + TIMEOUT_S
        while self.recorded() < evaluations and time.monotonic() < until:
            os.read(master, 4096)
        self.assertGreaterEqual(self.recorded(), evaluations)

    def test_hang_up_of_the_terminal_stops(self):
        pid, master = self.on_a_terminal()
        self.wait_on_terminal(master, 3)
        os.close(master)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), EXIT_INTERRUPTED)
        self.assertEqual(self.summary()["status"], "interrupted")
        self.assertIn("stopped by SIGHUP", self.read("log.txt"))

    def test_nohup_outlives_the_terminal(self):
        pid, master = self.on_a_terminal("nohup")
        self.wait_for(3)
        os.close(master)
        recorded = self.recorded()
        self.wait_for(recorded + 5)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), EXIT_INTERRUPTED)
        self.assertIn("stopped by SIGTERM", self.read("log.txt"))

    # ---- the service manager ----

    def test_notifications(self):
        path = os.path.join(self.parent, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(TIMEOUT_S)
            os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC=str(WATCHDOG_US))
            self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
            self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
            program = Program(self.arguments)
            heard = []  # (when, what)
            while not ("READY=1" in (what for _, what in heard) and
                       sum(what.startswith("STATUS=4/") for _, what in heard) == 1 and
                       sum(what == "WATCHDOG=1" for _, what in heard) >= 10):
                heard.append((time.monotonic(), manager.recv(4096).decode()))
            # A loop that no longer turns gives no sign of life.
            program.process.send_signal(signal.SIGSTOP)
            manager.settimeout(2 * WATCHDOG_US / 1e6)
            with self.assertRaises(TimeoutError):
                while True:
                    manager.recv(4096)
            manager.settimeout(TIMEOUT_S)
            program.process.send_signal(signal.SIGCONT)
            self.assertEqual(self.stop(program, signal.SIGTERM), EXIT_INTERRUPTED, program.errors)
            while heard[-1][1] != "STOPPING=1":
                heard.append((time.monotonic(), manager.recv(4096).decode()))
        alive = [when for when, what in heard if what == "WATCHDOG=1"][:10]
        words = [what for _, what in heard]
        self.assertLess(words.index("WATCHDOG=1"), words.index("READY=1"), words)
        pauses = sorted(later - earlier for earlier, later in zip(alive, alive[1:]))
        self.assertLess(pauses[len(pauses) // 2], WATCHDOG_US / 1e6, "too few signs of life")
        self.assertRegex("\n".join(words), r"(?m)^STATUS=4/5000 PASS 4.* best \d\.\d{3}x \(#\d+\)")

    # ---- the disk ----

    def small_disk(self):
        disk = small_disk(self, self.parent, f"{DISK_MB}m")
        self.directory = os.path.join(disk, "run")
        return os.path.join(disk, "filler")

    @staticmethod
    def fill(path):
        with open(path, "wb") as file:
            file.write(bytes((DISK_MB - WANTED_MB + 8) << 20))

    def events(self):
        with contextlib.closing(sqlite3.connect(os.path.join(self.directory, "run.db"))) as database:
            return [(kind, json.loads(text))
                    for kind, text in database.execute("SELECT kind, json FROM event ORDER BY number")]

    def test_nearly_full_disk_pauses(self):
        filler = self.small_disk()
        self.arguments = self.configure(disk_free_mb=WANTED_MB)
        program = Program(self.arguments)
        self.wait_for(3)
        self.fill(filler)
        self.assertTrue(wait_until(lambda: "paused:" in self.read("log.txt")))
        program.process.send_signal(signal.SIGUSR1)
        self.assertTrue(wait_until(lambda: "INFO status:   now          paused"
                                   in self.read("log.txt")))
        time.sleep(0.5)  # what was evaluated before may still be on its way into the files
        recorded = self.recorded()
        time.sleep(1)
        self.assertEqual(self.recorded(), recorded)
        os.remove(filler)
        self.wait_for(recorded + 3)
        self.assertEqual(self.stop(program), EXIT_INTERRUPTED, program.errors)
        self.assertRegex(program.errors, rf"(?m)^paused: \d+ MiB free in {re.escape(self.directory)},"
                         rf" {WANTED_MB} wanted; looking again every 5 s$")
        self.assertRegex(program.errors, r"(?m)^going on after \d+ s: \d+ MiB free$")
        told = [event for event in self.events() if event[0] in ("pause", "resume")]
        self.assertEqual([kind for kind, _ in told], ["pause", "resume"])
        self.assertLess(told[0][1]["free_mb"], WANTED_MB)
        self.assertEqual(told[0][1]["wanted_mb"], WANTED_MB)
        self.assertGreaterEqual(told[1][1]["free_mb"], WANTED_MB)
        self.assertGreater(told[1][1]["paused_s"], 0)

    def test_paused_before_the_first_evaluation_and_interrupted(self):
        self.fill(self.small_disk())
        self.arguments = self.configure(disk_free_mb=WANTED_MB)
        program = Program(self.arguments)
        self.assertTrue(wait_until(lambda: "paused:" in self.read("log.txt")))
        self.assertEqual(self.stop(program), EXIT_INTERRUPTED, program.errors)
        self.assertEqual(self.recorded(), 0)

    # ---- status and clean ----

    def ask(self, *arguments):
        """Exit status, output and errors of a verb, run in the parent directory."""
        done = subprocess.run([OPTIONS.program, *arguments], cwd=self.parent, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def status(self, *arguments):
        code, output, errors = self.ask("status", *arguments, "--json")
        self.assertEqual(code, 0, errors)
        return json.loads(output)

    def finish(self, name):
        self.directory = os.path.join(self.parent, "runs", name)
        config = os.path.join(self.parent, "config.yaml")
        code, _, errors = self.ask("evolve", config, "--out", self.directory,
                                   "--max-evaluations", "4")
        self.assertEqual(code, 0, errors)

    def test_status_of_live_and_dead_runs(self):
        program = Program(self.arguments)
        self.wait_for(4)
        state = self.status(self.directory)
        self.assertEqual((state["status"], state["pid"], state["starts"]),
                         ("running", program.process.pid, 1))
        program.process.kill()
        program.wait(TIMEOUT_S)
        self.addCleanup(program.remove)
        program.leftovers(killed=True, grace=TIMEOUT_S)
        state = self.status(self.directory)
        self.assertEqual((state["status"], state["pid"]), ("crashed", None))
        resumed = Program([OPTIONS.program, "evolve", "--resume", self.directory])
        self.wait_for(self.recorded() + 2)
        self.assertEqual(self.stop(resumed), EXIT_INTERRUPTED, resumed.errors)
        state = self.status(self.directory)
        self.assertEqual((state["status"], state["starts"]), ("interrupted", 2))
        with contextlib.closing(sqlite3.connect(os.path.join(self.directory, "run.db"))) as database:
            count, errors, safety = database.execute(
                "SELECT count(*), sum(total_errors), avg(safety_score) FROM evaluation").fetchone()
        summary = self.summary()
        self.assertEqual(state["evaluations"], count)
        self.assertEqual(state["verdicts"], summary["verdicts"])
        self.assertEqual(state["best"]["number"], summary["best"]["number"])
        self.assertEqual(state["safety"]["total_errors"], errors)
        self.assertAlmostEqual(state["safety"]["safety_score"], safety, places=6)
        self.assertEqual(state["safety"], summary["safety"])
        self.assertEqual([last["number"] for last in state["last"]], list(range(count, count - 5, -1)))
        self.assertGreater(state["disk"]["total_bytes"], state["disk"]["record_bytes"])
        code, text, _ = self.ask("status", self.directory)
        self.assertEqual(code, 0)
        self.assertTrue(text.startswith(f"{self.directory}: interrupted, start 2\n"), text)

    def test_status_of_a_finished_run_and_of_none(self):
        code, _, errors = self.ask("status")
        self.assertEqual(code, 2)
        self.assertIn("cannot read runs", errors)
        self.finish("one")
        self.assertEqual(self.status()["status"], "finished")
        os.mkdir(os.path.join(self.parent, "empty"))
        code, _, errors = self.ask("status", "empty")
        self.assertEqual((code, errors), (2, f"bulletproof: there is no run in empty\n"))

    def test_clean(self):
        for name in ("old", "new"):
            self.finish(name)
        runs = os.path.join(self.parent, "runs")
        os.mkdir(os.path.join(runs, "notes"))
        self.directory = os.path.join(runs, "live")
        live = Program(self.arguments[:-1] + [self.directory])
        self.wait_for(2)
        everything = ["live", "new", "notes", "old"]
        code, _, errors = self.ask("clean")
        self.assertEqual(code, 2)
        self.assertIn("--older-than", errors)
        code, output, errors = self.ask("clean", "--keep", "0")
        self.assertEqual(code, 2)
        self.assertIn("--yes", errors)
        self.assertRegex(output, r"(?m)^in use .* runs/live  \(pid %d\)$" % live.process.pid)
        self.assertRegex(output, r"(?m)^remove .* runs/old$")
        self.assertEqual(self.ask("clean", "--keep", "0", "--dry-run")[0], 0)
        self.assertEqual(self.ask("clean", "--older-than", "1", "--yes")[0], 0)
        self.assertEqual(sorted(os.listdir(runs)), everything)
        code, output, errors = self.ask("clean", "--keep", "2", "--yes", "--json")
        self.assertEqual(code, 0, errors)
        actions = {os.path.basename(run["path"]): run["action"] for run in json.loads(output)["runs"]}
        self.assertEqual(actions, {"live": "in use", "new": "keep", "old": "remove"})
        self.assertEqual(sorted(os.listdir(runs)), ["live", "new", "notes"])
        code, output, _ = self.ask("clean", "runs/live", "--yes")
        self.assertEqual(code, 0)
        self.assertIn("0 of 1 runs to remove", output)
        recorded = self.recorded()
        self.wait_for(recorded + 2)
        self.assertEqual(self.stop(live), EXIT_INTERRUPTED, live.errors)

    def test_clean_of_temporary_files(self):
        self.finish("one")
        left = os.path.join(self.directory, "best.tmp")
        os.mkdir(left)
        self.assertIn("1 temporary files", self.ask("clean", "--temp", "--dry-run")[1])
        self.assertTrue(os.path.exists(left))
        self.assertEqual(self.ask("clean", "--temp", "--yes")[0], 0)
        self.assertFalse(os.path.exists(left))
        self.assertEqual(self.status()["evaluations"], 4)

    def test_run_or_resume(self):
        """What the unit calls: first the start, then twice the same run."""
        os.environ["BULLETPROOF"] = OPTIONS.program
        self.addCleanup(os.environ.pop, "BULLETPROOF")
        script = os.path.join(OPTIONS.root, "scripts/run-or-resume")
        for start in (1, 2):
            program = Program([script, self.arguments[2], self.directory])
            self.wait_for(self.recorded() + 3)
            self.assertEqual(self.stop(program, signal.SIGTERM), EXIT_INTERRUPTED, program.errors)
            self.assertEqual(self.status(self.directory)["starts"], start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("root", type=os.path.abspath)
    parser.add_argument("tests", nargs="*", help="names, such as LongRunTest.test_notifications")
    parser.parse_args(namespace=OPTIONS)
    isolate()
    unittest.main(argv=[sys.argv[0], "-v"] + OPTIONS.tests)


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may have been started under nohup
    main()
