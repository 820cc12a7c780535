#!/usr/bin/env python3
"""The start-up check of the sandbox, and `doctor`: each defence taken away must be seen and named.

usage: canary.py BULLETPROOF SOURCE_ROOT [--weakening]

With --weakening the program is one that can be weakened (-Dweakening=true): every defence of the
sandbox is turned off in turn, and `eval` must refuse to start.
"""

import json
import os
import pathlib
import subprocess
import sys
import unittest

BULLETPROOF = ""
ROOT = pathlib.Path()
WEAKENING = False

# What is seen to be missing where it is not the defence's own name: without no_new_privs the kernel
# refuses both Landlock and filters.
SEEN_AS = {"no_new_privs": "seccomp"}


def run(*args, weaken=None, user=None):
    environment = dict(os.environ, PLANTED_SECRET="4f1d")
    environment.pop("BULLETPROOF_WEAKEN", None)
    if weaken is not None:
        environment["BULLETPROOF_WEAKEN"] = weaken
    return subprocess.run([BULLETPROOF, *map(str, args)], text=True, timeout=120, check=False,
                          env=environment, capture_output=True, user=user)


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
        done = run("doctor", "--json", user=65534)
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
