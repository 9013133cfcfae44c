#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lists files and C functions past the size at which one looks for the second concept.

Reads file names from standard input. A report, not a verdict: the exit status is always 0.
"""

import re
import sys

FILE_LINES, FUNCTION_LINES = 600, 60


def functions(lines):
    """(first line, name, length) of each function in a formatted C file.

    The formatter puts a function's opening and closing brace into the first column, and there alone.
    """
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            before = "".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\(", before[before.rfind("\n\n") + 1:])
            yield start, names[0] if names else "?", number - start + 1
            start = None


def main():
    for path in sys.stdin.read().split():
        with open(path, encoding="utf-8") as file:
            lines = file.readlines()
        if len(lines) > FILE_LINES:
            print(f"size: {path} has {len(lines)} lines")
        if path.endswith(".c"):
            for start, name, length in functions(lines):
                if length > FUNCTION_LINES:
                    print(f"size: {path}:{start}: {name} has {length} lines")


if __name__ == "__main__":
    main()
