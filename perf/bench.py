# SPDX-License-Identifier: BSD-3-Clause
"""What a bench is, and how it is run.

Benches that are read off the same run (TCP out and in, p50 and p99) form a Group. A group has one or
more sides: "sluice", and the peers it is compared with. Sides take turns, and every other round begins
with the other one: this machine may be two times faster from one minute to the next, and neither
side shall have the better half.

A run that failed or did not measure what it should is void: it is reported and repeated, a few times.
"""

import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass

from lab import Lab

SLUICE = "sluice"
RUN_LIMIT_S = 90  # no single run may take longer
VOID_LIMIT = 3    # void runs in a row until a group is given up


class Void(Exception):
    """The run did not measure what it should."""


class GroupFailed(Exception):
    """One side of a group cannot be measured."""


@dataclass
class Bench:
    """One line of the report.

    The bar is for the ratio to the peer if there is one, otherwise for the value itself; it is the
    least allowed if more is better, otherwise the most allowed. Of several peers it is for all, or
    for `bar_peer`.
    """

    name: str
    unit: str
    more_is_better: bool
    bar: float | None
    bar_peer: str | None = None


@dataclass
class Group:
    """`sides` maps a name to a function of (Lab, wanted names) that returns {name: value}.

    Values of names that are no bench of the group are shown to people as remarks. `cpus` is where
    everything runs that the side does not pin itself; None for all.
    """

    benches: list
    sides: dict
    runs: int
    setup: str  # for people: what runs where
    cpus: set | None = None


@contextlib.contextmanager
def on_cpus(cpus):
    """What is started meanwhile may run on these CPUs only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def time_limit(seconds):
    def expired(*_):
        raise Void(f"took longer than {seconds} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def log(text):
    print(text, file=sys.stderr, flush=True)


class BenchLab(Lab):
    """`quick`: sides may do less of what they are to do, where their values are rates or times."""

    quick = False


def run_once(run, build, workdir, cpus, wanted):
    """One run of one side in a fresh laboratory: its values."""
    os.makedirs(workdir)
    lab = BenchLab(build, workdir)
    try:
        with on_cpus(cpus), time_limit(RUN_LIMIT_S):
            return run(lab, wanted)
    except Exception as error:
        error.add_note(lab.report())
        raise
    finally:
        lab.close()
        shutil.rmtree(workdir)


def run_until_valid(side, run, build, workdir, group, wanted):
    for _ in range(VOID_LIMIT):
        try:
            return run_once(run, build, workdir, group.cpus, wanted)
        except Exception as error:  # whatever went wrong, the run says nothing
            log(f"  {side}: void: {type(error).__name__}: {error}")
            report = "\n".join(error.__notes__)
    raise GroupFailed(f"{side}: {VOID_LIMIT} void runs in a row; of the last one:\n{report}")


def measure(group, build, workroot, wanted, n_runs):
    """All runs of a group: {bench or remark: {side: [values]}}."""
    values = {}
    order = list(group.sides)
    for n in range(n_runs):
        for side in order if n % 2 == 0 else reversed(order):
            result = run_until_valid(side, group.sides[side], build,
                                     os.path.join(workroot, side), group, wanted)
            log(f"  run {n + 1} of {n_runs}, {side}: " +
                ", ".join(f"{name} {value:.4g}" for name, value in result.items()))
            for name, value in result.items():
                values.setdefault(name, {}).setdefault(side, []).append(value)
    return values
