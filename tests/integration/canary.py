#!/usr/bin/env python3
"""The start-up check of the sandbox, and `doctor`: each defence taken away must be seen and named.

usage: canary.py BULLETPROOF SOURCE_ROOT [--weakening]

With --weakening the program is one that can be weakened (-Dweakening=true): every defence of the
sandbox is turned off in turn, and `eval` must refuse to start.
"""

import ctypes
import json
import os
import pathlib
import struct
import subprocess
import sys
import unittest

BULLETPROOF = ""
ROOT = pathlib.Path()
WEAKENING = False

# What is seen to be missing where it is not the defence's own name: without no_new_privs the kernel
# refuses both Landlock and filters.
SEEN_AS = {"no_new_privs": "seccomp"}


# For a kernel without Landlock: a filter that says so, which every child inherits.
LANDLOCK_CREATE_RULESET = 444
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
BPF_LOAD_CALL, BPF_IF_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
SECCOMP_ALLOW, SECCOMP_ENOSYS = 0x7fff0000, 0x00050000 | 38

NOBODY = 65534
NOT_FOR_NOBODY = "an ordinary user may not enter the folder of this build"

libc = ctypes.CDLL(None, use_errno=True)


def without_landlock():
    code = b"".join(struct.pack("=HBBI", *step) for step in (
        (BPF_LOAD_CALL, 0, 0, 0), (BPF_IF_EQUAL, 0, 1, LANDLOCK_CREATE_RULESET),
        (BPF_RETURN, 0, 0, SECCOMP_ENOSYS), (BPF_RETURN, 0, 0, SECCOMP_ALLOW)))
    steps = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(steps))
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "no filter to take Landlock away")


def run(*args, weaken=None, user=None, before=None):
    environment = dict(os.environ, PLANTED_SECRET="4f1d")
    environment.pop("BULLETPROOF_WEAKEN", None)
    if weaken is not None:
        environment["BULLETPROOF_WEAKEN"] = weaken
    return subprocess.run([BULLETPROOF, *map(str, args)], text=True, timeout=120, check=False,
                          env=environment, capture_output=True, user=user, preexec_fn=before)


def nobody_may_run():
    try:
        return run("--version", user=NOBODY).returncode == 0
    except PermissionError:
        return False


def evaluate(weaken=None, *options):
    kernel = ROOT / "tests/bench/trivial.hip"
    return run("eval", kernel, "--suite", "odd_17", *options, weaken=weaken)


def names(header, macro, root=None):
    """The first argument of every X(...) row of an X-macro list."""
    text = ((root or ROOT) / header).read_text().split(f"#define {macro}(X)")[1].split("enum")[0]
    return [part.split(",")[0].strip() for part in text.split("X(")[1:]]


class Doctor(unittest.TestCase):
    def test_every_layer_is_listed(self):
        done = run("doctor", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        layers = {row["layer"]: row for row in found["sandbox"]["layers"]}
        self.assertEqual(list(layers), names("sandbox/canary.h", "BP_LAYER_LIST"))
        for row in layers.values():
            self.assertIn(row["state"], ("present", "not granted"))
            self.assertEqual(row["why"] is None, row["state"] == "present")
            self.assertFalse(row["mandatory"] and row["state"] != "present", row)
        self.assertTrue(found["fit"])

    def test_text(self):
        done = run("doctor")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in names("sandbox/canary.h", "BP_LAYER_LIST"):
            self.assertIn(f"  {name} ", done.stdout)

    @unittest.skipIf(os.geteuid() != 0, "needs root to become another user")
    def test_an_ordinary_user_has_every_mandatory_layer(self):
        if not nobody_may_run():
            self.skipTest(NOT_FOR_NOBODY)
        done = run("doctor", "--json", user=NOBODY)
        self.assertEqual(done.returncode, 0, done.stderr)
        for row in json.loads(done.stdout)["sandbox"]["layers"]:
            self.assertFalse(row["mandatory"] and row["state"] != "present", row)


class Refusal(unittest.TestCase):
    def test_whole_sandbox(self):
        done = evaluate()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_ordinary_build_can_be_weakened(self):
        done = evaluate("landlock" if not WEAKENING else "nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("BULLETPROOF_WEAKEN", done.stderr)

    def test_each_layer_removed(self):
        if not WEAKENING:
            self.skipTest("this build has no switches (-Dweakening=true)")
        granted = {row["layer"]: row["state"] == "present"
                   for row in json.loads(run("doctor", "--json").stdout)["sandbox"]["layers"]}
        for defence in names("base/weaken.h", "BP_DEFENCE_LIST"):
            if not granted.get(defence):  # or no layer of the sandbox
                continue
            with self.subTest(defence=defence):
                done = evaluate(defence)
                self.assertEqual(done.returncode, 20, done.stderr)
                self.assertIn("refusing to start", done.stderr)
                self.assertIn(f"layer {SEEN_AS.get(defence, defence)}:", done.stderr)
                self.assertNotIn("4f1d", done.stderr)
                self.assertIn(f"{defence} is off", done.stderr)
                seen = json.loads(run("doctor", "--json", weaken=defence).stdout)
                self.assertFalse(seen["fit"])

    def refuses(self, before, words, user=None):
        """Both `eval` and `doctor`, in these words, and with nothing evaluated."""
        done = run("eval", ROOT / "tests/bench/trivial.hip", "--suite", "odd_17", "--json",
                   before=before, user=user)
        self.assertEqual(done.returncode, 20, done.stdout + done.stderr)
        self.assertIn("refusing to start", done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")
        seen = json.loads(run("doctor", "--json", before=before, user=user).stdout)
        self.assertFalse(seen["fit"])
        self.assertIn(words, seen["problem"])

    def test_a_kernel_without_landlock(self):
        self.refuses(without_landlock, "this kernel has no Landlock")
        if os.geteuid() == 0 and not nobody_may_run():
            self.skipTest(NOT_FOR_NOBODY)
        if os.geteuid() == 0:
            self.refuses(without_landlock, "this kernel has no Landlock", user=NOBODY)

    def test_a_layer_that_is_required(self):
        layers = json.loads(run("doctor", "--json").stdout)["sandbox"]["layers"]
        present = [row["layer"] for row in layers if row["state"] == "present"]
        done = evaluate(None, *[word for name in present for word in ("--sandbox-require", name)])
        self.assertEqual(done.returncode, 0, done.stderr)
        done = evaluate(None, "--sandbox-require", "pidn")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("unknown layer 'pidn'", done.stderr)
        for name in set(row["layer"] for row in layers) - set(present):
            done = evaluate(None, "--sandbox-require", name)
            self.assertEqual(done.returncode, 20, done.stderr)
            self.assertIn(f"sandbox.require: layer {name} is not to be had", done.stderr)

    def test_degraded_on_request(self):
        if not WEAKENING:
            self.skipTest("this build has no switches (-Dweakening=true)")
        done = evaluate("readonly", "--allow-degraded")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("DEGRADED", done.stderr)


if __name__ == "__main__":
    BULLETPROOF = os.path.abspath(sys.argv[1])
    ROOT = pathlib.Path(sys.argv[2])
    WEAKENING = "--weakening" in sys.argv
    unittest.main(argv=sys.argv[:1], verbosity=2)
