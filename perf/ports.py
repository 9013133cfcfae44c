# SPDX-License-Identifier: BSD-3-Clause
"""ports8, ports32: what other ports and a full table cost those who talk.

The loop of loop.py between ports a and b of a switch that has more: their guests are connected, have
their rings filled, and send nothing; and the table holds 10 000 static addresses behind one of
them. The peer is the same switch with a and b alone.
"""

import contextlib
import os
import signal
import subprocess

from bench import SLUICE, Bench, Group, Void
from guest import die_with_parent
from lab import wait_until
from loop import check_learned, generator, mpps, stop_without_loss, N_SAMPLES, N_SKIPPED
from testpmd import Testpmd

FRAME = 64
N_ADDRESSES = 10000
FILLING = ("port_down", "ring_full")  # what becomes of the frames that fill the table


def vhost_port(lab, name):
    return {"name": name, "kind": "vhost-user", "socket": lab.path(f"{name}.sock")}


@contextlib.contextmanager
def filled_table(lab, sluiced, port):
    """Teaches the switch the addresses, all behind one port, whose guest then stands still."""
    argv = [os.path.join(lab.build, "tests", "hostile", "hostile"), port["socket"], "mac-flood",
            "--seconds", "80"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, preexec_fn=die_with_parent) as guest:
        try:
            wait_until(lambda: len(sluiced.ctl("fdb", "show")) >= N_ADDRESSES, "a full table")
            guest.send_signal(signal.SIGSTOP)
            yield
        finally:
            guest.kill()


def idle_guests(lab, ports):
    """A testpmd that has its devices up and does not forward."""
    vdevs = [f"net_virtio_user{i},path={port['socket']},queue_size=256,mrg_rxbuf=1,in_order=0,"
             f"mac=02:00:02:00:00:{i:02x}" for i, port in enumerate(ports)]
    return Testpmd("idle", 0, 1, vdevs, ["--interactive"])


def loop(lab, sluiced):
    with generator(lab, FRAME) as testpmd:
        rates = testpmd.rates(N_SKIPPED, N_SAMPLES)
        check_learned(sluiced)
        if dropped := sluiced.drops(*FILLING):
            raise Void(f"the switch dropped {dropped}")
        stop_without_loss(testpmd)
    return mpps(rates)


def run_many(lab, n_ports):
    lab.namespace("pod")
    ports = [vhost_port(lab, name) for name in ("a", "b", *(f"x{i}" for i in range(n_ports - 3)))]
    ports.append(vhost_port(lab, "filler"))
    sluiced = lab.start(lab.config(ports=ports, worker_cpus=0, fdb_size=2 * N_ADDRESSES))
    with filled_table(lab, sluiced, ports[-1]), idle_guests(lab, ports[2:-1]):
        wait_until(lambda: sum(port["operstate"] == "up" for port in sluiced.ctl("port", "show"))
                   == n_ports - 2, "the idle guests")
        return loop(lab, sluiced)


def run_two(lab):
    lab.namespace("pod")
    return loop(lab, lab.start(lab.config(ports=[vhost_port(lab, "a"), vhost_port(lab, "b")],
                                          worker_cpus=0)))


def group(n_ports):
    name = f"ports{n_ports}"
    return Group(
        benches=[Bench(name, "Mpps", more_is_better=True, bar=0.8)],
        sides={SLUICE: lambda lab, _: {name: run_many(lab, n_ports)},
               "two-ports": lambda lab, _: {name: run_two(lab)}},
        runs=5,
        setup=f"{FRAME} B, per direction, {n_ports} ports and {N_ADDRESSES} addresses; generator on "
              "CPU 1, switch on CPU 0")


GROUPS = [group(8), group(32)]
