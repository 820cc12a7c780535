#!/usr/bin/env python3
"""What `doctor` says of devices: on this machine, and where libraries answer as they do elsewhere.

usage: doctor.py BULLETPROOF WORKER
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

BULLETPROOF = WORKER = ""
STUBS = pathlib.Path("/usr/local/cuda/lib64/stubs/libcuda.so")
MEMBERS = {"device", "usable", "why", "fix", "driver", "library", "library_version", "compiler",
           "init", "count", "files", "gpus"}


def doctor(program, *options):
    return subprocess.run([program, "doctor", *options], capture_output=True, text=True,
                          errors="replace")


def devices(program):
    done = doctor(program, "--json")
    return {row["device"]: row for row in json.loads(done.stdout)["devices"]}


class Doctor(unittest.TestCase):
    def test_this_machine(self):
        found = devices(BULLETPROOF)
        self.assertEqual(list(found), ["cpu", "hip", "cuda"])
        for name in ["hip", "cuda"]:
            row = found[name]
            self.assertEqual(set(row), MEMBERS)
            self.assertEqual(row["usable"], row["why"] is None, row)
            if row["usable"]:
                self.assertGreater(len(row["gpus"]), 0)
                self.assertIsNotNone(row["compiler"])
            for file in row["files"]:
                self.assertEqual(file["open"], os.access(file["path"], os.R_OK | os.W_OK))
        text = doctor(BULLETPROOF).stdout
        for words in ["hip  ", "cuda  ", "driver", "library", "compiler"]:
            self.assertIn(words, text)
        if found["hip"]["compiler"] and not found["hip"]["usable"]:
            self.assertIn("eval KERNEL --compile-only --target gfx1030", text)

    def with_worker(self, hip, cuda):
        """The program beside a worker whose libraries say this."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        program = os.path.join(folder.name, "bulletproof")
        shutil.copy(BULLETPROOF, program)
        worker = os.path.join(folder.name, "bulletproof-worker")
        with open(worker, "w", encoding="utf-8") as file:
            file.write(f"""#!/bin/sh
case "$1 $2" in
'look amd') {hip} ;;
'look nvidia') {cuda} ;;
*) exec '{WORKER}' "$@" ;;
esac
""")
        os.chmod(worker, 0o755)
        return devices(program)

    def test_statuses_are_explained(self):
        said = "echo library %s; echo init %d %s; echo count 0 %d %s; echo no_compiler none"
        found = self.with_worker(
            said % ("libamdhip64.so.7.1", 101, "hipErrorInvalidDevice", 100, "hipErrorNoDevice"),
            said % ("libcuda.so", 34, "error", 34, "error"))
        self.assertEqual(found["hip"]["init"]["status"], 101)
        self.assertIn("/dev/kfd", found["hip"]["init"]["meaning"])
        self.assertEqual(found["hip"]["count"]["name"], "hipErrorNoDevice")
        self.assertIn("no GPU", found["hip"]["count"]["meaning"])
        self.assertIn("stub", found["cuda"]["init"]["meaning"])
        for row in [found["hip"], found["cuda"]]:
            self.assertFalse(row["usable"])
            self.assertIsNone(row["compiler"])

    def test_gpus_are_listed(self):
        found = self.with_worker(
            "echo library l; echo compiler c; echo init 0 hipSuccess; echo count 2 0 hipSuccess; "
            "echo driver 70051831; echo 'gpu gfx1201 32624 AMD Radeon AI PRO R9700'; "
            "echo 'gpu gfx90a 65520 A name, with words'", "exit 1")
        self.assertEqual(found["hip"]["gpus"],
                         [{"arch": "gfx1201", "name": "AMD Radeon AI PRO R9700", "memory_mib": 32624},
                          {"arch": "gfx90a", "name": "A name, with words", "memory_mib": 65520}])
        self.assertEqual(found["hip"]["library_version"], 70051831)
        self.assertIsNone(found["cuda"]["init"])

    def test_libraries_that_die_or_babble(self):
        found = self.with_worker("echo library l; kill -SEGV $$",
                                 "head -c 100000 /dev/urandom; echo; echo init x y z; echo gpu")
        for row in [found["hip"], found["cuda"]]:
            self.assertFalse(row["usable"])
            self.assertEqual(row["gpus"], [])
            self.assertIsNone(row["init"])

    def test_libraries_that_hang(self):
        begin = time.monotonic()
        found = self.with_worker("echo library l; exec sleep 60", "exit 0")
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(found["hip"]["library"], "l")
        self.assertIsNone(found["hip"]["init"])

    @unittest.skipUnless(STUBS.exists(), "no CUDA toolkit, whose stub is asked")
    def test_the_stub_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(STUBS, os.path.join(folder, "libcuda.so.1"))
            done = subprocess.run([WORKER, "look", "nvidia"], capture_output=True, text=True,
                                  env={"LD_LIBRARY_PATH": folder})
        self.assertIn("init 34 ", done.stdout)

    def test_the_worker_knows_two_vendors(self):
        done = subprocess.run([WORKER, "look", "intel"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("intel", done.stderr)


if __name__ == "__main__":
    BULLETPROOF, WORKER = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], "-v"])
