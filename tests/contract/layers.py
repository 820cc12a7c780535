#!/usr/bin/env python3
"""A folder includes what stands below it (docs/architecture.md, "Floors"), never what stands above.

usage: layers.py SOURCE_ROOT
"""

import pathlib
import re
import sys

PLAIN_DATA = {"harness/store/evaluation.h", "harness/store/evidence.h"}
WORKER = {"base", "sandbox", "evaluator", "kernels"}
# Of each floor, the others that it may include; single headers where a floor is open in part only.
MAY_INCLUDE = {
    "base": set(),
    "sandbox": {"base"},
    "kernels": set(),
    "evaluator": {"base", "sandbox", "kernels", "evaluator/emulator/report.h"},
    "evaluator/emulator": {"evaluator/emulator/isa"},
    "evaluator/emulator/isa": set(),
    "harness/exit_codes.h": {"base"},
    "harness/search": {"base", "evaluator"},
    "harness/store": {"base", "evaluator"},
    "harness/supervise": {"base", "sandbox", "evaluator"} | PLAIN_DATA,
    "harness/config": {"base", "sandbox", "evaluator", "harness/search"},
    "harness/report": {"base", "evaluator", "harness/store"},
    "harness/evolve": WORKER | {"harness/exit_codes.h", "harness/config", "harness/report",
                                "harness/search", "harness/store", "harness/supervise"},
    "harness/inject": {"base", "evaluator", "harness/exit_codes.h", "harness/config",
                       "harness/evolve", "harness/store"},
    "harness": WORKER | {"harness/exit_codes.h", "harness/config", "harness/evolve", "harness/inject",
                         "harness/report", "harness/store", "harness/supervise"},
}


def floor(path):
    """The longest name of MAY_INCLUDE that the path is or lies in."""
    while path not in MAY_INCLUDE:
        path = path.rpartition("/")[0]
        if not path:
            return None
    return path


def wrong_includes(root):
    seen = 0
    for folder in ["base", "sandbox", "evaluator", "harness", "kernels"]:
        for path in sorted((root / folder).rglob("*.[ch]")):
            name = path.relative_to(root).as_posix()
            for included in re.findall(r'(?m)^\s*#\s*include "([^"]+)"', path.read_text()):
                here, there = floor(name), floor(included)
                seen += 1
                # kernels/include includes its own files by their names alone.
                if here == there or (here == "kernels" and there is None):
                    continue
                if there not in MAY_INCLUDE[here] and included not in MAY_INCLUDE[here]:
                    yield f"{name} includes {included}, but {here} may not use {there}"
    if seen < 500:
        yield f"only {seen} includes were looked at"


if __name__ == "__main__":
    WRONG = list(wrong_includes(pathlib.Path(sys.argv[1])))
    print("\n".join(WRONG) or "every include goes down")
    sys.exit(1 if WRONG else 0)
