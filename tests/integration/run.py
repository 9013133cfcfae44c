#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the tests in test_*.py: run.py --build DIR [--suite S] [--jobs N] [--again N] [NAME...]

A test is a function that suite.py's decorator registered; a NAME picks those that contain it.

Tests are run by workers, one if not told otherwise, each in namespaces of its own (mount, process,
network): whatever a test starts or mounts ends with its worker, even if that is killed, and nothing
on the machine, nor another worker, can be in its way. A worker takes the next test's number from a
pipe that all read from, and writes to another what became of it.

With --again, a few tests that failed get a second attempt, alone on the machine: on one that is
busy with something else, what waited in vain is told from what is wrong. The first failure is
printed all the same, and the test named in the summary.
"""

import argparse
import glob
import importlib
import os
import signal
import struct
import subprocess
import sys
import time
import traceback

import suite
from lab import Lab
from namespaces import start_inside

WORK = "/run/sluice-test"
PIPES = "SLUICE_TEST_PIPES"  # a worker's: where numbers come from, where results go
NUMBER = struct.Struct("i")
PATIENCE = 4  # times a test's limit, for machines that are slow and busy


class OutOfTime(Exception):
    """A test ran longer than its limit."""


def run_workers(n_workers, chosen):
    """Has tests run, by their numbers: {number of one that was run: whether it passed}."""
    numbers, todo = os.pipe()
    results, done = os.pipe()
    os.write(todo, b"".join(map(NUMBER.pack, chosen)))
    os.close(todo)
    workers = [start_inside(PIPES, f"{numbers} {done}", pass_fds=(numbers, done))
               for _ in range(n_workers)]
    os.close(numbers)
    os.close(done)
    with os.fdopen(results, encoding="ascii") as lines:
        passed = {int(number): word == "ok" for number, word in map(str.split, lines)}
    for worker in workers:
        worker.wait()
    return passed


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
        signal.alarm(test.limit * PATIENCE * (10 if soak else 1))
        test.run(lab)
        lab.assert_sound()
        return None
    except Exception:  # whatever a test raises is its failure
        signal.alarm(0)
        return traceback.format_exc() + lab.report()
    finally:
        signal.alarm(0)
        lab.close()


def work(tests, build, soak):
    """A worker: takes tests until there are none."""
    numbers, done = map(int, os.environ[PIPES].split())
    prepare_machine()
    signal.signal(signal.SIGALRM, raise_out_of_time)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    while number := os.read(numbers, NUMBER.size):
        number = NUMBER.unpack(number)[0]
        test = tests[number]
        started = time.monotonic()
        problem = run_one(test, build, soak)
        said = f"{'FAIL' if problem else 'ok  '} {test.name} ({time.monotonic() - started:.1f} s)\n"
        if problem:
            said += "    " + problem.replace("\n", "\n    ") + "\n"
        sys.stdout.write(said)
        sys.stdout.flush()
        os.write(done, f"{number} {'FAIL' if problem else 'ok'}\n".encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--counts", help="file that gets: PASSED FAILED SKIPPED")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="tests at a time")
    parser.add_argument("--again", type=int, default=0, metavar="N",
                        help="where no more than N failed, try those once more")
    parser.add_argument("--soak", action="store_true")
    parser.add_argument("--suite", help="only tests of this suite")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    load_tests()
    tests = [t for t in suite.TESTS if (not args.names or any(n in t.name for n in args.names)) and
             (not args.suite or t.suite == args.suite)]
    if args.list:
        print("\n".join(t.name for t in tests))
        return 0
    if PIPES in os.environ:
        work(tests, args.build, args.soak)
        return 0
    passed = run_workers(args.jobs, range(len(tests)))
    failed = [number for number in range(len(tests)) if not passed.get(number)]
    again = failed if len(failed) <= args.again else []
    if again:
        passed = run_workers(1, again)
        failed = [number for number in again if not passed.get(number)]
    print(f"{len(tests) - len(failed)} of {len(tests)} tests passed")
    for number in again or failed:
        print(f"{'failed' if number in failed else 'passed at the second attempt'}: "
              f"{tests[number].name}")
    if args.counts:
        with open(args.counts, "w", encoding="utf-8") as file:
            file.write(f"{len(tests) - len(failed)} {len(failed)} 0\n")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
