#!/usr/bin/env python3
"""Files that are hardly sources: `eval` gives each a verdict, INVALID_SOURCE where it is no kernel at all;
`evolve` refuses that one as its input (exit status 2). Nothing of it that moves a cursor or turns text
around comes out.

usage: odd_sources.py BULLETPROOF SOURCE_ROOT
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BULLETPROOF = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(sys.argv[2])
GOOD = (ROOT / "tests/badkernels/honest_naive.hip").read_bytes()
HEAD, CODE = GOOD.split(b"*/", 1)
MIB = 1 << 20
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")
CONFIG = "kernel: {}\nsuite: odd_17\nbudget: {{evaluations: 2}}\ntiming: {{batches: 3, ring_mb: 1}}\n"


def name_is(name):
    return GOOD.replace(b"name: honest_naive", b"name: " + name)


def behind(text):
    """Behind the declaration, where code begins."""
    return HEAD + b"*/\n" + text + CODE


# Name of the file: (bytes, verdict or, of INVALID_SOURCE, a pattern of the message).
SOURCES = {
    "empty": (b"", r"empty:1: the first comment must be the declaration"),
    "no_head": (CODE, r"no_head:\d+: the first comment must be the declaration"),
    "only_markers": (b"// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-END\n", r"only_markers:1: the first comment"),
    "open_marker": (behind(b"// EVOLVE-BLOCK-START\n"), r"EVOLVE-BLOCK-START without EVOLVE-BLOCK-END"),
    "only_head": (HEAD + b"*/\n", "LAUNCH_ERROR"),
    "nul_in_code": (behind(b"int a\0b;\n"), r"nul_in_code:\d+: a NUL byte in the source"),
    "nul_in_head": (name_is(b"a\0b"), r"nul_in_head:2: a NUL byte in the source"),
    "nul_at_the_end": (GOOD + b"\0", r"a NUL byte in the source"),
    "utf16": (GOOD.decode().encode("utf-16"), r"a NUL byte in the source"),
    "invalid_utf8_in_head": (name_is(b"a\xff\xc0b"), r"invalid_utf8_in_head:\d+: "),
    "invalid_utf8_in_comment": (behind(b"// \xff\xfe\xc0\x80 \xed\xa0\x80\n"), "PASS"),
    "invalid_utf8_in_code": (behind(b"int \xff\xfe;\n"), "COMPILE_ERROR"),
    "invalid_utf8_in_string": (behind(b'static_assert(false, "\xff\xc0\x1b[2J");\n'), "COMPILE_ERROR"),
    "escape_in_head": (name_is(b"a\x1b[2Jb"), r"escape_in_head:\d+: "),
    "escape_quoted_in_head": (name_is(b'"a\\e[2Jb"'), r"escape_quoted_in_head:2: "),
    "turned_in_head": (name_is("a\u202eb".encode()), r"turned_in_head:2: "),
    "escape_in_code": (behind(b"int \x1b[2J\x07a;\n"), "COMPILE_ERROR"),
    "escape_in_error": (behind(b"#error \x1b]0;title\x07 \x9b2J \x08\x7f\n"), "COMPILE_ERROR"),
    "turned_in_error": (behind("#error \u202e\u2066 turned\n".encode()), "COMPILE_ERROR"),
    "crlf": (GOOD.replace(b"\n", b"\r\n"), "PASS"),
    "byte_order_mark": (b"\xef\xbb\xbf" + GOOD, "PASS"),
    "largest": (GOOD + b"/" * (MIB - len(GOOD) - 1) + b"\n", "PASS"),
    "too_large": (GOOD + b"/" * (MIB - len(GOOD)) + b"\n", r"larger than 1048576 bytes"),
    "name_\x1b[2J\x07": (b"", r"the first comment must be the declaration"),
}


def run(*arguments, cwd):
    return subprocess.run([BULLETPROOF, *map(str, arguments)], cwd=cwd, capture_output=True, timeout=60,
                          check=False)


def is_verdict(expected):
    return re.fullmatch("[A-Z_]+", expected)


def complaints_about(done):
    """Of what came out of the program."""
    output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    complaints = []
    for name, text in (("output", output), ("errors", errors)):
        if CONTROL.search(text):
            complaints.append(f"control characters in the {name}: {text!r}")
    return complaints


def check_eval(directory, name, expected):
    done = run("eval", name, "--suite", "odd_17", "--json", cwd=directory)
    complaints = complaints_about(done)
    verdict = expected if is_verdict(expected) else "INVALID_SOURCE"
    if done.returncode != (0 if verdict == "PASS" else 10):
        return [*complaints, f"exit status {done.returncode}: {done.stderr}"]
    result = json.loads(done.stdout)
    if CONTROL.search(json.dumps(result, ensure_ascii=False)):
        complaints.append("control characters in the result")
    if result["verdict"] != verdict or not (is_verdict(expected) or re.search(expected, result["message"])):
        complaints.append(f"{result['verdict']}: {result['message']}")
    return complaints


def check_evolve(directory, name, expected):
    """What is no kernel is refused, and nothing is left; what else eval judged is judged here."""
    if is_verdict(expected):
        return []
    (directory / "config.yaml").write_text(CONFIG.format(json.dumps(name)), encoding="utf-8")
    done = run("evolve", "config.yaml", "--out", "out", cwd=directory)
    complaints = complaints_about(done)
    errors = done.stderr.decode(errors="replace")
    if done.returncode != 2 or done.stdout or errors.count("\n") > 2 or not re.search(expected, errors):
        complaints.append(f"not refused as {expected}: {done.returncode} {done.stdout} {errors}")
    if (directory / "out").exists():
        complaints.append("a run directory is left")
    return complaints


def main():
    failed = 0
    for name, (content, expected) in SOURCES.items():
        with tempfile.TemporaryDirectory(prefix="bulletproof-odd-") as made:
            directory = pathlib.Path(made)
            (directory / name).write_bytes(content)
            complaints = check_eval(directory, name, expected)
            complaints += check_evolve(directory, name, expected)
        print(f"{'FAIL' if complaints else 'ok':4} {name!r:28} {expected}")
        for complaint in complaints:
            print(f"       {complaint[:400]}")
        failed += bool(complaints)
    print(f"{len(SOURCES)} sources, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
