#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the benches: run.py [NAME...] [--json] [--quick] [--runs N] [--build DIR]; see README.md.

Results go to stdout, one JSON object per line or a table; progress goes to stderr. The exit
status says whether everything could be measured, not whether the bars are met.

The runner first moves into namespaces of its own (mount, process, network), with a /run of its own:
all that a bench starts or mounts ends with the runner, even if that is killed.
"""

import argparse
import os
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(1, os.path.join(ROOT, "tests", "integration"))

import classic
import guest_net
import loop
import outage
import ovs
import pod
import pod_start
import pod_tcp
import ports
import report
import resources
import vm_boot
import vm_exec
import volumes
from bench import BenchLab, GroupFailed, log, measure
from namespaces import start_inside

GROUPS = [*loop.GROUPS, *ports.GROUPS, *guest_net.GROUPS, *pod.GROUPS, *classic.GROUPS,
          *outage.GROUPS, *resources.GROUPS, *vm_boot.GROUPS, *vm_exec.GROUPS, *pod_start.GROUPS,
          *pod_tcp.GROUPS, *volumes.GROUPS, *ovs.GROUPS]
NAMES = [bench.name for group in GROUPS for bench in group.benches]
WORK = "/run/sluice-bench"
INSIDE = "SLUICE_BENCH_INSIDE"


def enter_namespaces():
    """Runs this program again, as the first process of a new pid namespace: its exit status."""
    inner = start_inside(INSIDE)
    try:
        return inner.wait()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        inner.kill()


def prepare_machine():
    """Names of namespaces, DPDK's files, sockets, logs and guest memory (executable): all private."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "exec,mode=755", "bench", "/run"], check=True)
    os.makedirs(WORK)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ["SLUICE_EXEC_TMPFS"] = WORK


def is_meant(word, name):
    """A bench by its name, or several by what theirs begin with, such as "nfs"."""
    return name == word or (word not in NAMES and name.startswith(word + "-"))


def run_group(group, args):
    """Measures and prints what is wanted of a group; False if that was not possible."""
    wanted = [b.name for b in group.benches
              if not args.names or any(is_meant(word, b.name) for word in args.names)]
    if not wanted:
        return True
    log(f"{', '.join(wanted)}: {group.setup}")
    try:
        values = measure(group, args.build, WORK, wanted, args.runs or group.runs)
    except GroupFailed as error:
        log(f"{', '.join(wanted)}: NOT MEASURED: {error}")
        return False
    of_benches = {name: values.pop(name) for name in wanted}
    values = {name: sides for name, sides in values.items() if name not in NAMES}
    for bench in group.benches:
        if bench.name in wanted:
            result = report.summarise(bench, of_benches[bench.name], values)
            print(report.as_json(result) if args.json else report.as_row(bench, result), flush=True)
    if not args.json:
        for name, sides in values.items():
            print(f"           ({name}: {report.describe_sides(sides)})")
    return True


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def parse_args():
    parser = argparse.ArgumentParser(description="Measures sluiced against its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--runs", type=positive, help="of each side, instead of the usual number")
    parser.add_argument("--quick", action="store_true",
                        help="less of what takes long in exec-*, virtiofs-* and nfs-*")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    args = parser.parse_args()
    unknown = [word for word in args.names if not any(is_meant(word, name) for name in NAMES)]
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if os.geteuid() != 0:
        parser.error("needs root, for network namespaces")
    if not {0, 1} <= os.sched_getaffinity(0):
        parser.error("needs CPU 0 and CPU 1")
    if not os.access(os.path.join(args.build, "switch", "sluiced"), os.X_OK):
        parser.error(f"no sluiced in {args.build}: run ./dev build")
    return args


def main():
    args = parse_args()
    BenchLab.quick = args.quick
    if INSIDE not in os.environ:
        return enter_namespaces()
    prepare_machine()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    if not args.json:
        print(report.machine(), flush=True)
        print(report.row(report.HEAD), flush=True)
    ok = [run_group(group, args) for group in GROUPS]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
