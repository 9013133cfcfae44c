# SPDX-License-Identifier: BSD-3-Clause
"""Guests with two queue pairs."""

import re

from guest import Qemu
from lab import PEER4, Stream, guest4, guest_mac, ping, tcp, wait_until
from suite import test
from test_traffic import MIB, both_moved


def rings(sw, name):
    """{(pair, direction): ring} of a port."""
    return {(ring["queue"], ring["direction"]): ring for ring in sw.show(name)["queues"]}


def packets_by_queue(vm):
    """How many frames each queue of the guest's driver has seen: {"rx_queue_0_packets": N, ...}."""
    counts = (line.split(":") for line in vm.run("ethtool -S eth0").splitlines()
              if re.search(r"[rt]x_queue_\d+_packets:", line))
    return {key.strip(): int(value) for key, value in counts}


class OnCpu:
    """A guest whose commands run on one of its CPUs (a mask)."""

    def __init__(self, vm, mask):
        self.vm = vm
        self.mask = mask

    def run(self, command, timeout=120):
        return self.vm.run(f"taskset {self.mask} {command}", timeout)

    def spawn(self, command):
        return self.vm.spawn(f"taskset {self.mask} {command}")


def busy(vm, direction):
    """Whether the driver has seen more than a few frames on each of its queues."""
    counts = [n for name, n in packets_by_queue(vm).items() if name.startswith(direction)]
    assert len(counts) == 2, counts
    return min(counts) > 100


@test(limit=180)
def qemu_with_two_queue_pairs(lab):
    """A guest and an uplink with two queues each: all of them carry frames, none is damaged."""
    lab.wire()
    config = lab.config(port={"queues": 2}, worker_cpus="auto,auto")
    config["ports"][0]["queues"] = 2
    sw = lab.start(config)
    vm = lab.boot(kind=Qemu, nic={"mac": guest_mac(0), "queues": 2}, smp=2)
    vm.run("ethtool -L eth0 combined 2")
    wait_until(lambda: all(ring["state"] == "live" for ring in rings(sw, "vm0").values()),
               "all rings to be live")
    assert len(rings(sw, "vm0")) == 4
    assert {(q["port"], q["queue"]) for w in sw.ctl("worker", "show") for q in w["queues"]} == {
        (port, queue) for port in ("uplink", "vm0") for queue in (0, 1)}
    ping(vm, PEER4)
    # The driver sends by the CPU that the sender runs on.
    for _ in range(6):
        for cpu in (1, 2):
            tcp(OnCpu(vm, cpu), lab.peer, PEER4, 16 * MIB)
        if busy(vm, "tx"):
            break
    assert busy(vm, "tx"), packets_by_queue(vm)
    # The kernel spreads what comes in over the uplink's sockets by flow.
    for port in range(5001, 5013):
        tcp(lab.peer, vm, guest4(), 4 * MIB, port=port)
        if busy(vm, "rx"):
            break
    assert busy(vm, "rx"), packets_by_queue(vm)
    # One pair less, and again: streams both ways go on.
    streams = [Stream(vm, lab.peer, PEER4, port=6001), Stream(lab.peer, vm, guest4(), port=6002)]
    for n_pairs in (1, 2, 1, 2):
        vm.run(f"ethtool -L eth0 combined {n_pairs}")
        both_moved(lab, 2 * MIB)
    for stream in streams:
        stream.finish()
