"""Writes the contract's headers as C arrays: embed.py OUTPUT HEADER..."""

import os
import sys


def main():
    output, headers = sys.argv[1], sys.argv[2:]
    lines = ['#include "kernels/embedded.h"', ""]
    for number, path in enumerate(headers):
        with open(path, "rb") as header:
            data = header.read()
        lines.append(f"static const char text{number}[] = {{")
        for start in range(0, len(data), 16):
            lines.append("    " + " ".join(f"{byte}," for byte in data[start : start + 16]))
        lines += ["    0,", "};", ""]
    lines.append("const struct bp_embedded_header bp_embedded_headers[] = {")
    for number, path in enumerate(headers):
        name = os.path.basename(path)
        lines.append(f'    {{"{name}", text{number}, sizeof text{number} - 1}},')
    lines += ["    {0, 0, 0},", "};", ""]
    with open(output, "w", encoding="ascii") as out:
        out.write("\n".join(lines))


main()
