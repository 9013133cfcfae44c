#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""datapath_symbols.py ARCHIVE ALLOW_LIST: what the datapath's objects need from elsewhere.

The datapath makes no system call, writes no log and allocates nothing; the easiest way to keep that
true is to know by name every function it can reach. Symbols that one of its own objects defines are
fine; the others must be in the list (one per line, * matches anything, # comments). A line of two words
allows a symbol to one source file alone: for what that file does when it is set up.
"""

import fnmatch
import subprocess
import sys


def symbols(archive):
    """(defined, undefined as {symbol: {object}}) of all objects in the archive."""
    output = subprocess.run(["nm", "-A", archive], capture_output=True, check=True, text=True).stdout
    defined, undefined = set(), {}
    for line in output.splitlines():
        place, _, rest = line.rpartition(":")
        words = rest.split()
        if len(words) == 2 and words[0] in "Uw":
            undefined.setdefault(words[1], set()).add(place.split(":")[-1])
        elif len(words) == 3:
            defined.add(words[2])
    return defined, undefined


def is_allowed(symbol, place, allowed):
    return any(fnmatch.fnmatchcase(symbol, words[-1]) and
               (len(words) == 1 or place.endswith("_" + words[0] + ".o")) for words in allowed)


def main():
    archive, allow_list = sys.argv[1:]
    with open(allow_list, encoding="utf-8") as file:
        allowed = [words for line in file if (words := line.split("#")[0].split())]
    defined, undefined = symbols(archive)
    bad = 0
    for symbol, place in sorted((s, p) for s, places in undefined.items() for p in places):
        if symbol not in defined and not is_allowed(symbol, place, allowed):
            print(f"{place}: needs {symbol}, which is not in {allow_list}")
            bad += 1
    if not defined:
        print(f"{archive}: no symbols at all")
    return 1 if bad or not defined else 0


if __name__ == "__main__":
    sys.exit(main())
