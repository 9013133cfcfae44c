# SPDX-License-Identifier: BSD-3-Clause
"""Guests that negotiated less: what they cannot take is cut and checksummed for them."""

from lab import PEER4, PEER6, guest4, guest6, tcp, udp_ping
from suite import test
from test_traffic import MIB, assert_no_drops, udp_gso

NO_OFFLOADS = {"csum": False, "tso": False, "uso": False}


def exercise(lab, vm, n_bytes=96 * MIB):
    tcp(vm, lab.peer, PEER4, n_bytes)
    tcp(lab.peer, vm, guest4(), n_bytes)
    tcp(lab.peer, vm, guest6(), n_bytes // 2)
    tcp(vm, lab.peer, PEER6, n_bytes // 2)
    udp_ping(vm, lab.peer, PEER4, "count 500 size 8 to 4000")
    udp_ping(lab.peer, vm, guest4(), "count 500 size 8 to 4000")


@test(limit=90)
def no_offloads(lab):
    """Everything the peer leaves to hardware is done by the switch."""
    sw = lab.switch(port=NO_OFFLOADS)
    vm = lab.boot()
    features = vm.run("ethtool -k eth0")
    assert "tx-tcp-segmentation: off" in features, features
    assert "tx-checksum-ip-generic: off" in features, features
    exercise(lab, vm)
    udp_gso(lab.peer, vm, guest4(), 1400, 40, 100)
    stats = sw.stats("vm0")
    assert stats["segmented"] > 100, stats
    assert stats["checksummed"] > 100, stats
    assert_no_drops(sw)


@test(limit=90)
def checksums_without_tso(lab):
    sw = lab.switch(port={"tso": False, "uso": False})
    vm = lab.boot()
    assert "tx-tcp-segmentation: off" in vm.run("ethtool -k eth0")
    exercise(lab, vm)
    assert sw.stats("vm0")["segmented"] > 100
    assert_no_drops(sw)


@test(limit=90)
def vxlan_to_a_guest_without_offloads(lab):
    """A tunnelled super-frame is cut with its outer headers, or dropped by name, never damaged."""
    sw = lab.switch(port=NO_OFFLOADS)
    vm = lab.boot()
    for node, me, other in ((vm, 2, 1), (lab.peer, 1, 2)):
        node.run(f"ip link add vx0 type vxlan id 7 local 10.0.0.{me} remote 10.0.0.{other} "
                 f"dstport 4789 dev eth0\nip addr add 10.7.0.{me}/24 dev vx0\n"
                 "ip link set vx0 up")
    tcp(vm, lab.peer, "10.7.0.1", 32 * MIB)
    tcp(lab.peer, vm, "10.7.0.2", 32 * MIB)
    assert_no_drops(sw, "tunnel_gso")


@test(limit=90, each={
    "not-mergeable": {"mergeable": False},
    "not-mergeable-no-offloads": {"mergeable": False, **NO_OFFLOADS},
    "no-indirect": {"indirect": False},
    "no-event-idx": {"event-idx": False},
    "nothing": {"mergeable": False, "indirect": False, "event-idx": False, **NO_OFFLOADS},
})
def rings(lab, options):
    """Each ring feature switched off, and all of them."""
    sw = lab.switch(port=options)
    vm = lab.boot()
    exercise(lab, vm)
    udp_ping(vm, lab.peer, PEER4, "count 300 gap 3000")
    assert_no_drops(sw)


@test(limit=90)
def unequal_guests(lab):
    """A guest with all offloads and one with none talk to each other."""
    config = lab.config(n_guests=2)
    config["ports"][2].update(NO_OFFLOADS)
    lab.wire()
    sw = lab.start(config)
    vm0, vm1 = lab.boot(0), lab.boot(1)
    tcp(vm0, vm1, guest4(1), 64 * MIB)
    tcp(vm1, vm0, guest4(0), 64 * MIB)
    assert sw.stats("vm1")["segmented"] > 100
    assert sw.stats("vm0")["segmented"] == 0
    assert_no_drops(sw)
