"""Writes files as one C array of struct bp_embedded_file: embed.py OUTPUT ARRAY FILE..."""

import os
import sys


def main():
    output, array, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    lines = ['#include "kernels/embedded.h"', ""]
    for number, path in enumerate(files):
        with open(path, "rb") as source:
            data = source.read()
        lines.append(f"static const char text{number}[] = {{")
        for start in range(0, len(data), 16):
            lines.append("    " + " ".join(f"{byte}," for byte in data[start : start + 16]))
        lines += ["    0,", "};", ""]
    lines.append(f"const struct bp_embedded_file {array}[] = {{")
    for number, path in enumerate(files):
        name = os.path.basename(path)
        lines.append(f'    {{"{name}", text{number}, sizeof text{number} - 1}},')
    lines += ["    {0, 0, 0},", "};", ""]
    with open(output, "w", encoding="ascii") as out:
        out.write("\n".join(lines))


main()
