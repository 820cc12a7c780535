#!/usr/bin/env python3
"""Times no machine can reach: with the peaks of the cache lowered by hand, an honest kernel is too fast
for them and is TAMPER; with measured ones it passes and has a share of the roofline.

    floor.py PROGRAM KERNEL
"""
import json
import os
import subprocess
import sys
import tempfile

PROGRAM, KERNEL = (os.path.abspath(path) for path in sys.argv[1:3])


def run(cache, *arguments):
    environment = dict(os.environ, XDG_CACHE_HOME=cache)
    result = subprocess.run([PROGRAM, *arguments], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    return result.returncode, json.loads(result.stdout)


def evaluate(cache):
    return run(cache, "eval", "--json", "--suite", "long_generation", KERNEL)


def check(what, holds):
    if not holds:
        sys.exit(f"floor.py: {what}")
    print(f"ok   {what}")


def main():
    with tempfile.TemporaryDirectory() as cache:
        _, report = run(cache, "doctor", "--measure", "--json")
        measured = report["ceilings"]
        path = os.path.join(cache, "bulletproof", f"ceilings-{measured['threads']}.json")
        with open(path, encoding="utf-8") as file:
            check("doctor keeps what it prints", json.load(file) == measured)
        check("ceilings are positive", measured["fma_gflops"] > 0 and
              all(stream["gbps"] > 0 for stream in measured["streams"]))

        elsewhere = os.path.join(cache, "a", "b.json")
        run(cache, "doctor", "--measure", "--json", "--out", elsewhere)
        check("doctor --out writes there", os.path.exists(elsewhere))

        status, passed = evaluate(cache)
        check("an honest kernel passes", status == 0 and passed["verdict"] == "PASS")
        share = passed["timing"][0]["roofline"]
        check(f"its share of the roofline is one: {share:.4f}", 0 < share < 1.25)

        for stream in measured["streams"]:
            stream["gbps"] = 1e-3
        with open(path, "w", encoding="utf-8") as file:
            json.dump(measured, file)
        status, refused = evaluate(cache)
        check("below the floor it is TAMPER", status == 10 and refused["verdict"] == "TAMPER")
        check(f"which says so: {refused['message']}",
              refused["message"].startswith("impossible time: ") and
              "the floor of this machine is " in refused["message"])
        check("and no time is reported", refused["timing"] == [])

        os.unlink(path)
        status, passed = evaluate(cache)
        check("without a cache it measures for itself", status == 0 and os.path.exists(path) and
              passed["timing"][0]["roofline"] > 0)


main()
