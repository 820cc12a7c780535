#!/usr/bin/env python3
"""A secret in a file, and kernels that want it: it must not appear in anything a run leaves or says.

usage: planted.py BULLETPROOF SOURCE_ROOT [--weakening]

Every way is evaluated by `eval --json` and by an `evolve` whose baseline it is. Then standard output,
standard error and every byte of the run directory are searched for the secret, as text, reversed and as
UTF-16. A kernel that only asks whether the file exists must be told that it does not. With --weakening
the program is one that can be weakened (-Dweakening=true):
without the layers that hold files the same search must find the secret.
"""

import os
import pathlib
import secrets
import subprocess
import sys
import tempfile

BULLETPROOF = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(sys.argv[2])
FIRST_LINE = '#include "gqa.h"'

CONFIG = """
kernel: {kernel}
suite: odd_17
budget: {{evaluations: 2}}
timing: {{batches: 3, ring_mb: 1}}
"""

# How a kernel asks for the file: text before the first line of a correct kernel. {file} is its absolute
# path, {name} that without the leading slash, {cwd} its name in the directory the program is started in.
WAYS = {
    "include": '#include "{file}"\n',
    "include_angle": "#include <{file}>\n",
    "include_next": '#include_next "{file}"\n',
    "import": '#import "{file}"\n',
    "include_relative": '#include "../../../../../../{name}"\n',
    "include_working_directory": '#include "{cwd}"\n',
    "include_proc_root": '#include "/proc/self/root/{name}"\n',
    "include_proc_cwd": '#include "/proc/self/cwd/{cwd}"\n',
    "include_parent_root": '#include "/proc/1/root/{name}"\n',
    "include_macro": '#define WANTED "{file}"\n#include WANTED\n',
    "has_include": '#if __has_include("{file}")\n#error it exists\n#endif\n',
    "dependency": '#pragma GCC dependency "{file}"\n',
    "assembler_incbin": 'asm(".section .rodata\\n.incbin \\"{file}\\"\\n.text\\n");\n',
    "assembler_include": 'asm(".include \\"{file}\\"\\n");\n',
    "module_map": '#pragma clang module load "{file}"\n',
    "line_marker": '# 1 "{file}" 1\n#error show the line\n',
    "embed": 'static const unsigned char stolen[] = {{\n#embed "{file}"\n}};\n',
}


def forms(secret):
    """The ways in which the secret's bytes could be carried out."""
    return [secret.encode(), secret[::-1].encode(), secret.encode("utf-16-le"),
            secret.encode().hex().encode()]


def run(directory, *args, weaken=None):
    environment = dict(os.environ)
    if weaken:
        environment["BULLETPROOF_WEAKEN"] = weaken
        args += ("--allow-degraded",)
    return subprocess.run([BULLETPROOF, *map(str, args)], cwd=directory, capture_output=True,
                          timeout=120, check=False, env=environment)


def everything_left(directory):
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(directory)), path.read_bytes()


def leaks(secret, outputs):
    return [name for name, data in outputs if any(form in data for form in forms(secret))]


def try_way(way, prefix, directory, planted, secret, weaken=None):
    """What was seen, and where the secret was found."""
    text = (ROOT / "tests/bench/trivial.hip").read_text()
    assert text.count(FIRST_LINE) == 1
    kernel = directory / f"{way}.hip"
    asked = prefix.format(file=planted, name=str(planted)[1:], cwd=planted.name)
    kernel.write_text(text.replace(FIRST_LINE, asked + FIRST_LINE))
    config = directory / f"{way}.yaml"
    config.write_text(CONFIG.format(kernel=kernel.name))
    evaluated = run(directory, "eval", kernel, "--suite", "odd_17", "--json", weaken=weaken)
    out = directory / f"run-{way}{'-weak' if weaken else ''}"
    evolved = run(directory, "evolve", config, "--out", out, weaken=weaken)
    outputs = [("eval stdout", evaluated.stdout), ("eval stderr", evaluated.stderr),
               ("evolve stdout", evolved.stdout), ("evolve stderr", evolved.stderr)]
    outputs += everything_left(out)
    told = way == "has_include" and evaluated.returncode != 0
    done = evaluated.returncode in (0, 10) and evolved.returncode in (0, 1) and not told
    return done, leaks(secret, outputs), f"eval {evaluated.returncode} evolve {evolved.returncode}"


def main():
    secret = "SECRET" + secrets.token_hex(16)
    failed = 0
    # Not in /tmp, over which every child has a file system of its own.
    with tempfile.TemporaryDirectory(prefix="bulletproof-planted-", dir="/var/tmp") as name:
        directory = pathlib.Path(name)
        directory.chmod(0o755)
        planted = directory / "planted.h"
        planted.write_text(f"{secret}\n")
        planted.chmod(0o644)
        for way, prefix in WAYS.items():
            done, found, seen = try_way(way, prefix, directory, planted, secret)
            ok = done and not found
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {way:28} {seen} {' '.join(found)}", flush=True)
        if "--weakening" in sys.argv:
            _, found, _ = try_way("include", WAYS["include"], directory, planted, secret,
                                  "root,landlock")
            failed += not found
            print(f"{'ok  ' if found else 'FAIL'} include without root and landlock: "
                  f"found in {' '.join(found)}")
    print(f"{len(WAYS)} ways, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
