# SPDX-License-Identifier: BSD-3-Clause
"""Guests with two queue pairs, and guests whose VMM listens for the switch."""

import re

from guest import Qemu
from lab import PEER4, guest4, guest_mac, last_json, ping, tcp, wait_until
from suite import test
from test_traffic import MIB, assert_no_drops


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

    def run(self, command, timeout=30):
        return self.vm.run(f"taskset {self.mask} {command}", timeout)


@test(limit=180)
def qemu_with_two_queue_pairs(lab):
    """TCP both ways, from each of the guest's CPUs: both pairs carry frames, none is damaged."""
    sw = lab.switch(n_guests=2, port={"queues": 2})
    vm0 = lab.boot(0, kind=Qemu, nic={"mac": guest_mac(0), "queues": 2}, smp=2)
    vm1 = lab.boot(1, kind=Qemu, nic={"mac": guest_mac(1), "queues": 2}, smp=2)
    for vm in (vm0, vm1):
        vm.run("ethtool -L eth0 combined 2")
    for name in ("vm0", "vm1"):
        wait_until(lambda name=name: all(r["state"] == "live" for r in rings(sw, name).values()),
                   f"all rings of {name} to be live")
        assert len(rings(sw, name)) == 4
    ping(vm0, PEER4)
    tcp(vm0, lab.peer, PEER4, 32 * MIB)
    tcp(lab.peer, vm0, guest4(0), 32 * MIB)
    # The driver sends by the CPU that the sender runs on.
    for cpu in (1, 2):
        for source, sink, address in ((vm0, vm1, guest4(1)), (vm1, vm0, guest4(0))):
            tcp(OnCpu(source, cpu), sink, address, 12 * MIB)
    for vm in (vm0, vm1):
        counts = packets_by_queue(vm)
        assert len(counts) == 4, counts
        assert all(count > 100 for count in counts.values()), f"a queue was not used: {counts}"
    # One pair less, and again: the others go on.
    for n_pairs in (1, 2, 1, 2):
        vm1.run(f"ethtool -L eth0 combined {n_pairs}")
        tcp(vm0, vm1, guest4(1), 8 * MIB)
    assert_no_drops(sw)


@test(limit=180)
def switch_restarts_under_a_vmm_that_listens(lab):
    """QEMU listens, sluiced connects, is killed in the middle and connects again: TCP goes on."""
    sw = lab.switch(port={"client": True})
    vm = lab.boot(kind=Qemu, nic={"mac": guest_mac(0), "chardev": "server=on"})
    assert sw.show("vm0")["peer"]["mode"] == "client"
    tcp(vm, lab.peer, PEER4, 32 * MIB)
    for round_number in range(2):
        port = 6000 + round_number
        receiver = lab.peer.spawn(f"tcp_pump recv {port}").wait_for("ready")
        sender = vm.spawn(f"tcp_pump send {PEER4} {port} {64 * MIB} {port}")
        wait_until(lambda: sw.stats("vm0")["stats64"]["rx"]["bytes"] > 8 * MIB, "the stream to run")
        sw.process.kill()
        sw.process.wait()
        sw = lab.start(lab.config(port={"client": True}))
        sent, got = last_json(sender.wait(60)), last_json(receiver.wait(60))
        assert got["sha256"] == sent["sha256"], "the stream was damaged"
    ping(vm, PEER4)
    tcp(lab.peer, vm, guest4(), 32 * MIB)
