# SPDX-License-Identifier: BSD-3-Clause
"""The connection between the launcher and the agent breaks: nothing of the output does."""

import contextlib
import json
import os
import signal
import socket

from cni import Calico
from guest import LIBC
from lab import wait_until
from suite import test
from vm import Vm, kill

SUITE = "vm"

PIDFD_GETFD = 438  # pidfd_getfd(2), which Python has no name for
N_LINES = 700000


def status(vm):
    return json.loads(vm.verb("status", "--json"))


def sockets_of(pid):
    """Duplicates of the sockets of a process."""
    pidfd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = LIBC.syscall(PIDFD_GETFD, pidfd, int(name), 0)
        if fd < 0:
            continue
        try:
            yield socket.socket(fileno=fd)
        except OSError:  # it is something else
            os.close(fd)
    os.close(pidfd)


def n_connections(vm, pid, then=lambda sock: None):
    """Those to the VM's vsock socket, of which each is given to `then`: how many."""
    path = os.path.join(vm.run_dir, vm.name + ".vsock")
    n = 0
    for sock in sockets_of(pid):
        with sock, contextlib.suppress(OSError):  # one that is not connected
            if sock.family == socket.AF_UNIX and sock.getpeername() == path:
                then(sock)
                n += 1
    return n


def break_connections(vm, pid):
    """As if their other end had gone: how many."""
    return n_connections(vm, pid, lambda sock: sock.shutdown(socket.SHUT_RDWR))


def lose_agent(vm, job, pid):
    """Until the launcher has noticed, which hears nothing while nobody reads what it writes."""
    before = vm.log().count("agent-lost")
    os.set_blocking(job.process.stdout.fileno(), False)

    def is_lost():
        break_connections(vm, pid)
        job.seen += job.process.stdout.read(16384) or b""
        return vm.log().count("agent-lost") > before
    wait_until(is_lost, "the launcher to notice")


@test(limit=90)
def output_survives_its_connection(lab):
    """It is broken again and again while the command writes: every byte comes, and comes once."""
    vm = Vm(Calico(lab))
    job = vm.start(f"echo ready; seq 1 {N_LINES}; echo last >&2; exit 9").wait_for("ready\n")
    launcher = status(vm)["pid"]
    for line in (1, 50000, 100000, 200000, 400000):
        job.wait_for(f"\n{line}\n")
        lose_agent(vm, job, launcher)
    done = job.wait().check(9)
    assert done.out == b"ready\n" + b"".join(b"%d\n" % i for i in range(1, N_LINES + 1)), len(done.out)
    assert done.err == b"last\n", done.err
    vm.assert_gone()


@test(limit=60)
def agent_that_is_lost(lab):
    """Nobody answers any more: after ten seconds the VM ends, with a status and a line of its own."""
    vm = Vm(Calico(lab))
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    now = status(vm)
    # For its output, and for its ports.
    wait_until(lambda: n_connections(vm, now["pid"]) == 2, "both of its connections")
    kill(now["vsock"]["pid"], signal.SIGSTOP)
    assert break_connections(vm, now["pid"]) == 2
    done = job.wait().check(123)
    assert done.out == b"ready\n", done.out
    assert done.err.startswith(b"sluice-vm run: ") and done.err.count(b"\n") == 1, done.err
    assert b"no agent answered" in done.err, done.err
    vm.assert_gone()
