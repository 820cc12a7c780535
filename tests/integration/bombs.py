#!/usr/bin/env python3
"""One run in which every other candidate is a bomb for the compiler: each gets its verdict, the right
ones beside and behind it pass, and nothing is left.

usage: bombs.py BULLETPROOF SOURCE_ROOT [--sanitized]
"""

import json
import os
import pathlib
import sys
import tempfile

from supervised import Program, isolate

# By the value of knob A: text before the first line of a correct kernel, and the verdicts that are right
# for it. An even one has none.
BOMBS = {
    1: ('asm(".data\\n.fill 0x40000000, 1, 0x41\\n.text\\n");', ("COMPILE_LIMIT", "COMPILE_TIMEOUT")),
    3: ('asm(".data\\n.fill 0x4100000, 1, 0x41\\n.text\\n");', ("COMPILE_LIMIT", "COMPILE_TIMEOUT")),
    5: ('asm(".rept 1000000\\n.print \\"bulletproof: PASS\\"\\n.endr\\n");', ("COMPILE_LIMIT",)),
    7: ("#pragma clang __debug crash", ("COMPILER_CRASH",)),
    9: ("#error \x1b[2J\x1b[31m\x07", ("COMPILE_ERROR",)),
    11: ('asm(".rept 100000000\\nnop\\n.endr\\n");', ("COMPILE_LIMIT", "COMPILE_TIMEOUT")),
}
COUNT = max(BOMBS) + 2
FIRST_LINE = '#include "gqa.h"'

CONFIG = """
kernel: kernel.hip
space: {{knobs: {{A: {values}, B: [0], C: [0]}}}}
suite: odd_17
parallel: 2
strategy: {{name: random}}
budget: {{evaluations: {count}}}
timing: {{batch_ms: 1, batches: 3, match_rounds: 4, final_rounds: 4, ring_mb: 1}}
limits: {{compile_s: {compile_s}}}
"""


def kernel(source):
    text = source.read_text()
    assert text.count(FIRST_LINE) == 1
    bombs = "".join(f"#if A == {number}\n{bomb}\n#endif\n" for number, (bomb, _) in BOMBS.items())
    return text.replace(FIRST_LINE, bombs + FIRST_LINE)


def complaints_about(lines):
    found, seen = [], set()
    for line in lines:
        bomb = line["knobs"]["A"]
        right = BOMBS[bomb][1] if bomb in BOMBS else ("PASS",)
        seen.add(bomb)
        print(f"A {bomb:2} {line['verdict']}", flush=True)
        if line["verdict"] not in right:
            found.append(f"A {bomb}: {line['verdict']}, not {' or '.join(right)}")
    if seen != set(range(COUNT)):
        found.append(f"seen were {sorted(seen)}")
    return found


def main():
    program, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    isolate()
    with tempfile.TemporaryDirectory(prefix="bulletproof-bombs-") as name:
        directory = pathlib.Path(name)
        (directory / "kernel.hip").write_text(kernel(root / "tests/bench/trivial.hip"))
        compile_s = 12 if "--sanitized" in sys.argv else 4
        (directory / "run.yaml").write_text(CONFIG.format(
            count=COUNT + 1, values=list(range(COUNT)), compile_s=compile_s))
        run = Program([program, "evolve", directory / "run.yaml", "--out", directory / "out"])
        status = run.wait(200)
        found = run.leftovers()
        run.remove()
        if status != 0:
            raise SystemExit(f"exit status {status}: {run.errors}")
        history = (directory / "out/history.jsonl").read_text().splitlines()
        lines = [json.loads(line) for line in history]
        # Beside them the run evaluates the eager kernel, which has no such knob.
        found += complaints_about([line for line in lines if "A" in line["knobs"]])
        log = (directory / "out/log.txt").read_text()
        if "\x1b" in log or "\x1b" in run.errors:
            found.append("an escape character in the log")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
