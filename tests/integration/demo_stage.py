# SPDX-License-Identifier: BSD-3-Clause
"""What the demo's scenes are told by: steps, commands as one would type them, and what they say."""

import sys

from lab import LabError

BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def step(title):
    print(f"\n{BOLD}== {title}{PLAIN}", flush=True)


def typed(where, command):
    """Shows a command as one would type it, with the machine it is typed on."""
    print(f"{DIM}{where}#{PLAIN} {command}", flush=True)


def show(text):
    print("  " + text.strip().replace("\n", "\n  "), flush=True)


def run_in(node, where, command, timeout=120):
    typed(where, command)
    said = node.run(command, timeout)
    show(said)
    return said


def check(what, found, wanted):
    """The demo ends, as one that failed, with what is not as it was to be."""
    if found != wanted:
        raise LabError(f"{what}: {found!r} instead of {wanted!r}")
