#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""man_pages.py BUILD: what is wrong with the manual pages of a build, a line each; 1 if anything is.

A page is sound if groff has nothing to say about it, if it has the sections that every page has, and
if it speaks of all that its program's --help speaks of (options, variables, keys, commands) and of
no option that there is not.
"""

import os
import re
import subprocess
import sys


# page -> its program in the build tree, and the words that make it print a help text.
VERBS = ("console", "doctor", "exec", "image", "inspect", "port-forward", "run", "status", "stop")
PAGES = {
    "sluiced": ("switch/sluiced", [["--help"]]),
    "sluicectl": ("switch/cli/sluicectl", [["--help"]]),
    "sluice-vsock": ("switch/vsock/sluice-vsock", [["--help"]]),
    "sluice-agent": ("guest-agent/sluice-agent", [["--help"]]),
    "sluice-cni": ("launcher/cni/sluice-cni", [["--help"]]),
    "sluice-exec": ("launcher/exec/sluice-exec", [["--help"]]),
    "sluice-runtime": ("launcher/sluice-runtime", [["--help"], ["doctor", "--help"]]),
    "sluice-vm": ("launcher/sluice-vm", [["--help"], ["guard", "hold", "--help"],
                                         *([verb, "--help"] for verb in VERBS)]),
}
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SIGNALS", "EXAMPLES", "SEE ALSO")
NO_SIGNALS = ("sluicectl",)  # it has nothing to say of them

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
VARIABLE = re.compile(r"\b(?:SLUICE|RUNCVM)_[A-Z_]+\b")
ENTRY = r"^ *(?:-[a-zA-Z], )?{}(?![\w-])"  # of a list, here and there
NAME = re.compile(r"^  ([a-z][a-z0-9-]*(?: [a-z]+)?)(?: |$)", re.MULTILINE)  # keys, commands, verbs


def render(path):
    """What a reader sees, and what groff complains of."""
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-P-cbou", path], check=False,
                          capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    # Groff writes minus signs as such, or as hyphens.
    text = done.stdout.replace("\u2212", "-").replace("\u2010", "-")
    return text, done.stderr


def help_of(build, program, words):
    done = subprocess.run([os.path.join(build, program), *words], check=True, capture_output=True,
                          text=True)
    return done.stdout


def has_entry(text, name):
    return re.search(ENTRY.format(re.escape(name)), text, re.MULTILINE)


def names_of(page, text):
    """Options, keys of the file and commands: lines of a help text that begin with two blanks."""
    names = set(NAME.findall(text))
    if page != "sluicectl":
        names = {name.split()[0] for name in names}
    return names | {option for option in OPTION.findall(text) if has_entry(text, option)}


def problems_of(build, page):
    program, calls = PAGES[page]
    text, complaints = render(os.path.join(build, "man", page + ".8"))
    flat = " ".join(text.split())
    helps = "\n".join(help_of(build, program, words) for words in calls)
    options, known = set(OPTION.findall(flat)), set(OPTION.findall(helps))
    yield from (f"groff: {line}" for line in complaints.splitlines())
    for section in SECTIONS:
        if not re.search(rf"^{section}$", text, re.MULTILINE) and not (
                section == "SIGNALS" and page in NO_SIGNALS):
            yield f"no section {section}"
    yield from (f"speaks of {name}, which there is not" for name in sorted(options - known))
    yield from (f"lacks {name}" for name in sorted(
        set(VARIABLE.findall(helps)) - set(VARIABLE.findall(flat))))
    yield from (f"has no entry {name}" for name in sorted(names_of(page, helps))
                if not has_entry(text, name))


def main():
    build = sys.argv[1]
    found = [f"{page}(8): {problem}" for page in PAGES for problem in problems_of(build, page)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
