#!/usr/bin/env python3
"""The whole program for an ordinary user: what `doctor` says, hostile kernels, a run, sudden ends.

usage: ordinary_user.py --user|--bare BULLETPROOF SOURCE_ROOT [--sanitized]

Run by root it becomes user 65534, with --bare where user namespaces are forbidden too (as_user.py).
Every verdict must be the one that root gets: the kernels' own account is the same.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from supervised import Program, isolate

MODE = sys.argv[1]
BULLETPROOF = ""
ROOT = pathlib.Path()
SANITIZED = "--sanitized" in sys.argv
HERE = pathlib.Path(__file__).resolve().parent

NAMESPACE_LAYERS = ["pidns", "mntns", "netns", "ipcns", "root", "readonly"]
NOT_GRANTED = {"--user": ["user"], "--bare": NAMESPACE_LAYERS + ["user"]}

GRANTED = ["landlock", "seccomp", "candidate_filter"] + (NAMESPACE_LAYERS if MODE == "--user" else [])

# Whatever namespaces, mounts and another user would do the work of.
KERNELS = """call_32_bit call_clone call_execve call_fork call_io_uring call_kill_all call_kill_parent
call_openat call_process_vm_readv call_ptrace call_setsid call_socket call_stop_self call_unshare
compile_include_file compile_include_device compile_incbin compile_log_flood
crash_abort crash_null hang_loop honest_naive limit_mmap object_constructor pipe_exit pipe_forged_pass
pipe_log_flood tamper_past_output wrong_zeros""".split()

CONFIG = """
kernel: {kernel}
suite: micro_generation
budget: {{evaluations: 3}}
strategy: {{name: random}}
timing: {{batch_ms: 1, batches: 3, match_rounds: 4, final_rounds: 4, ring_mb: 1}}
sandbox: {{require: [{require}]}}
"""

KILLS = 25
KILL_STEP_S = 0.02
KILLED_GRACE_S = 30.0


def run(*args):
    return subprocess.run([BULLETPROOF, *map(str, args)], text=True, timeout=120, check=False,
                          capture_output=True)


class OrdinaryUser(unittest.TestCase):
    def test_doctor_says_what_differs(self):
        done = run("doctor", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        found = json.loads(done.stdout)
        layers = {row["layer"]: row for row in found["sandbox"]["layers"]}
        for name, row in layers.items():
            absent = name in NOT_GRANTED[MODE]
            self.assertEqual(row["state"], "not granted" if absent else "present", row)
            self.assertEqual(row["why"] is not None, absent, row)
        self.assertTrue(found["fit"])

    def test_verdicts(self):
        files = [ROOT / "tests/badkernels" / f"{name}.hip" for name in KERNELS]
        done = subprocess.run(
            [sys.executable, HERE / "badkernels.py", BULLETPROOF, *files]
            + (["--sanitized"] if SANITIZED else []),
            text=True, timeout=280, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"{len(KERNELS)} evaluations, 0 failed", done.stdout)

    def evolve(self, require):
        """Exit status, standard error, and the summary if there is one, of a small run."""
        with tempfile.TemporaryDirectory(prefix="bulletproof-user-") as name:
            directory = pathlib.Path(name)
            kernel = ROOT / "kernels/seeds/eager.hip"
            (directory / "config.yaml").write_text(CONFIG.format(kernel=kernel, require=require))
            program = Program([BULLETPROOF, "evolve", str(directory / "config.yaml"), "--out",
                               str(directory / "out")])
            status = program.wait(100)
            left = program.leftovers()
            program.remove()
            self.assertEqual(left, [])
            summary = directory / "out/tuning_summary.json"
            return (status, program.errors,
                    json.loads(summary.read_text()) if summary.exists() else None)

    def test_run(self):
        status, errors, summary = self.evolve("landlock, seccomp, candidate_filter")
        self.assertEqual(status, 0, errors)
        self.assertEqual(summary["status"], "finished")

    def evaluate(self, *options):
        return subprocess.run([BULLETPROOF, "eval", str(ROOT / "tests/bench/trivial.hip"), "--suite",
                               "odd_17", "--json", *options], capture_output=True, text=True,
                              timeout=100, check=False)

    def test_what_is_required_and_not_granted(self):
        for layer in NOT_GRANTED[MODE]:
            with self.subTest(layer=layer):
                status, errors, _ = self.evolve(layer)
                self.assertEqual(status, 20, errors)
                self.assertIn(f"sandbox.require: layer {layer} is not to be had", errors)
                done = self.evaluate("--sandbox-require", layer)
                self.assertEqual(done.returncode, 20, done.stderr)
                self.assertIn(f"sandbox.require: layer {layer} is not to be had", done.stderr)
                self.assertIn("refusing to start", done.stderr)
                self.assertEqual(done.stdout, "")
                done = self.evaluate("--sandbox-require", layer, "--allow-degraded")
                self.assertEqual(done.returncode, 0, done.stderr)
        required = [word for layer in GRANTED for word in ("--sandbox-require", layer)]
        self.assertEqual(self.evaluate(*required).returncode, 0)
        if MODE == "--user":
            self.assertEqual(self.evolve(", ".join(NAMESPACE_LAYERS))[0], 0)

    def test_killed_at_any_moment(self):
        """From the first canary to the last stage: nothing of it goes on. Directories of children
        without a mount namespace are left, as docs/sandbox.md says."""
        kernel = ROOT / "tests/bench/trivial.hip"
        for turn in range(KILLS):
            program = Program([BULLETPROOF, "eval", str(kernel), "--suite", "odd_17"])
            program.wait(turn * KILL_STEP_S)
            left = program.leftovers(killed=True, grace=KILLED_GRACE_S)
            if MODE == "--bare":
                left = [what for what in left if not what.startswith("file bulletproof-")]
            program.remove()
            self.assertEqual(left, [], f"killed after {turn * KILL_STEP_S:.2f} s")


def main():
    if os.geteuid() == 0:
        # Not an interpreter of root's own, in a home that nobody else may enter.
        python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
        os.execv(python, [python, str(HERE / "as_user.py"), MODE, python, *sys.argv])
    isolate()
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    BULLETPROOF = os.path.abspath(sys.argv[2])
    ROOT = pathlib.Path(sys.argv[3])
    main()
