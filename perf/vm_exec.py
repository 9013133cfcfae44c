# SPDX-License-Identifier: BSD-3-Clause
"""exec-latency-*, exec-throughput-*: a command beside the workload of a VM (UML).

Latency is that of a whole `sluice-exec -- /bin/true`, from its start to its end. Two remarks say how
much of that is the guest's kernel's alone, and what it would be without a VM: a shell in the VM, and
this process on the host, that fork, exec and wait for /bin/true.

Throughput is that of a pipeline with a command in the middle, from its start to its end:

    in     dd if=/dev/zero | X 'cat >/dev/null'
    out    X 'dd if=/dev/zero' | wc -c
    cat    dd if=/dev/zero | X cat | wc -c

where X is sluice-exec, or, as the peer, a socat whose other end on loopback TCP runs the command
on the host. Both ends of that have this kernel's own TCP and processes, and no VM.
"""

import math
import os
import statistics
import subprocess
import time

from bench import SLUICE, Bench, Group, Void
from guest import die_with_parent
from lab import wait_until
from vm_guest import running

N_COMMANDS = 200
MIB = 256
QUICK = 4  # so many times less of either
TCP_PORT = 5010
SOCAT = "socat -b 65536 -t 10"


# --- latency

def seconds_of(argv):
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=null)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise Void(f"{argv}: status {status}")
    return time.perf_counter() - started


def percentile(values, percent):
    """The least of them that so many percent do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def ms_of_shell(vm, n_commands):
    """Of one /bin/true, if a shell of the VM's runs so many."""
    loop = "i=0; while [ $i -lt $0 ]; do /bin/true; i=$((i + 1)); done"
    return seconds_of(vm.exec_argv(["/bin/sh", "-c", loop, str(n_commands)])) * 1000 / n_commands


def latency(lab, _):
    n_commands = N_COMMANDS // (QUICK if lab.quick else 1)
    with running(lab) as vm:
        vm.exec(["/bin/true"]).check()
        taken = [seconds_of(vm.exec_argv(["/bin/true"])) * 1000 for _ in range(n_commands)]
        by_shell = ms_of_shell(vm, n_commands // 4)
    plain = [seconds_of(["/bin/true"]) * 1000 for _ in range(n_commands)]
    return {"exec-latency-p50": statistics.median(taken),
            "exec-latency-p99": percentile(taken, 99),
            "true by a shell in the VM, mean": by_shell,
            "true on the host, p50": statistics.median(plain)}


# --- throughput

def zeros(mib):
    return f"dd if=/dev/zero bs=64k count={mib * 16} 2>/dev/null"


def pipelines(mib):
    """{bench: (in front of X, the command, behind X)}"""
    return {"exec-throughput-in": (zeros(mib) + " | ", "cat >/dev/null; echo $?", ""),
            "exec-throughput-out": ("", zeros(mib), " | wc -c"),
            "exec-throughput-cat": (zeros(mib) + " | ", "exec cat", " | wc -c")}


def rate(name, pipeline, mib):
    """MB/s of one that is ready to be run; what it says must be right."""
    started = time.perf_counter()
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipeline], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, check=False)
    taken = time.perf_counter() - started
    wanted = "0" if name == "exec-throughput-in" else str(mib << 20)
    if done.returncode != 0 or done.stdout.strip() != wanted:
        raise Void(f"{pipeline}: {done.returncode}, {done.stdout!r}, {done.stderr!r}")
    return (mib << 20) / 1e6 / taken


def throughput(lab, wanted, command_of):
    """`command_of` gives X for a command, and a process that is to end with it, or None."""
    mib = MIB // (QUICK if lab.quick else 1)
    values = {}
    for name in wanted:
        before, command, behind = pipelines(mib)[name]
        words, server = command_of(command, has_input=before != "")
        values[name] = rate(name, before + words + behind, mib)
        if server is not None and server.wait(10) != 0:
            raise Void(f"socat ended with {server.returncode}")
    return values


def throughput_exec(lab, wanted):
    with running(lab) as vm:
        socket_path = os.path.join(vm.run_dir, vm.name + ".vsock")

        def command_of(command, has_input):
            flag = "--interactive " if has_input else ""
            return f"{vm.exec_program} --socket={socket_path} {flag}-- /bin/sh -c '{command}'", None

        return throughput(lab, wanted, command_of)


def is_listened_to():
    with open("/proc/net/tcp", encoding="ascii") as file:
        return any(line.split()[1].endswith(f":{TCP_PORT:04X}") and line.split()[3] == "0A"
                   for line in file.readlines()[1:])


def throughput_socat(lab, wanted):
    """The commands are busybox's, as those in the guest are."""
    applets = lab.path("bin")
    os.makedirs(applets)
    subprocess.run(["busybox", "--install", "-s", applets], check=True)

    def command_of(command, has_input):
        server = subprocess.Popen(
            [*SOCAT.split(), f"TCP-LISTEN:{TCP_PORT},reuseaddr,bind=127.0.0.1",
             f"SYSTEM:PATH={applets}; {command}"],
            stdin=subprocess.DEVNULL, process_group=0, preexec_fn=die_with_parent)
        wait_until(is_listened_to, "socat to listen")
        ends = f"- TCP:127.0.0.1:{TCP_PORT}"
        return (f"{SOCAT} {ends}" if has_input else f"{SOCAT} -U {ends}"), server

    return throughput(lab, wanted, command_of)


GROUPS = [
    Group(
        benches=[Bench("exec-latency-p50", "ms", more_is_better=False, bar=20),
                 Bench("exec-latency-p99", "ms", more_is_better=False, bar=None)],
        sides={SLUICE: latency},
        runs=5,
        setup=f"{N_COMMANDS} times /bin/true by sluice-exec in a VM (UML)"),
    Group(
        benches=[Bench(f"exec-throughput-{which}", "MB/s", more_is_better=True, bar=None)
                 for which in ("in", "out", "cat")],
        sides={SLUICE: throughput_exec, "socat": throughput_socat},
        runs=5,
        setup=f"{MIB} MiB through a command in a VM (UML), or behind socat on the host"),
]
