#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests in test_*.py, one after the other: run.py --build DIR [--suite S] [--soak] [NAME...]

A test is a function that suite.py's decorator registered; a NAME picks those that contain it.

The runner first moves into namespaces of its own (mount, process, network): whatever a test starts or
mounts ends with the runner, even if that is killed, and nothing on the machine can be in its way.
"""

import argparse
import glob
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback

import suite
from lab import Lab

WORK = "/run/sluice-test"
INSIDE = "SLUICE_TEST_INSIDE"


class OutOfTime(Exception):
    """A test ran longer than its limit."""


def enter_namespaces():
    """Runs this program again, as the first process of a new pid namespace: its exit status."""
    argv = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", sys.executable, *sys.argv]
    return subprocess.run(argv, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode


def prepare_machine():
    """A private place for namespaces' names and for sockets, logs and guest memory (executable)."""
    for path in ("/run/netns", WORK):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "exec,mode=755", "test", path], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["SLUICE_EXEC_TMPFS"] = WORK


def load_tests():
    """Imports all test files: a file's SUITE is the suite of its tests."""
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, "test_*.py"))):
        n_before = len(suite.TESTS)
        module = importlib.import_module(os.path.basename(path)[:-3])
        for test in suite.TESTS[n_before:]:
            test.suite = getattr(module, "SUITE", test.suite)


def raise_out_of_time(*_):
    raise OutOfTime()


def run_one(test, build, soak):
    """Runs one test: what went wrong, or None."""
    workdir = os.path.join(WORK, test.name.replace("/", "-"))
    os.makedirs(workdir)
    lab = Lab(build, workdir, soak)
    try:
        signal.alarm(test.limit * (10 if soak else 1))
        test.run(lab)
        lab.assert_sound()
        return None
    except Exception:  # whatever a test raises is its failure
        signal.alarm(0)
        return traceback.format_exc() + lab.report()
    finally:
        signal.alarm(0)
        lab.close()


def run_all(tests, build, soak):
    failed = []
    for test in tests:
        started = time.monotonic()
        problem = run_one(test, build, soak)
        seconds = time.monotonic() - started
        print(f"{'FAIL' if problem else 'ok  '} {test.name} ({seconds:.1f} s)", flush=True)
        if problem:
            failed.append(test.name)
            print("    " + problem.replace("\n", "\n    "), flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--counts", help="file that gets: PASSED FAILED SKIPPED")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--suite", help="only tests of this suite")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if INSIDE not in os.environ and not args.list:
        return enter_namespaces()

    load_tests()
    tests = [t for t in suite.TESTS if (not args.names or any(n in t.name for n in args.names)) and
             (not args.suite or t.suite == args.suite)]
    if args.list:
        print("\n".join(t.name for t in tests))
        return 0
    prepare_machine()
    signal.signal(signal.SIGALRM, raise_out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = run_all(tests, args.build, args.soak)
    print(f"{len(tests) - len(failed)} of {len(tests)} tests passed")
    for name in failed:
        print(f"failed: {name}")
    if args.counts:
        with open(args.counts, "w", encoding="utf-8") as file:
            file.write(f"{len(tests) - len(failed)} {len(failed)} 0\n")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
