# SPDX-License-Identifier: BSD-3-Clause
"""The classic all-DPDK switch: net_af_packet uplink, net_vhost guests, as ethdev ports."""

import time

from lab import PEER4, PEER6, guest4, guest6, ping, tcp, udp_ping, wait_until
from suite import test
from test_traffic import MIB, udp_gso


def classic(lab, mtu=1500, vhost="", **ports):
    """uplink and vm0 on DPDK's drivers; `ports` replaces either with another kind."""
    config = lab.config(mtu=mtu)
    uplink, vm0 = config["ports"]
    if "uplink" not in ports:
        uplink = {"name": "uplink", "kind": "ethdev", "devargs": "net_af_packet0,iface=eth0"}
    if "vm0" not in ports:
        vm0 = {"name": "vm0", "kind": "ethdev", "mtu": mtu,
               "devargs": f"net_vhost0,iface={lab.path('vm0.sock')}{vhost}"}
    config["ports"] = [uplink, vm0]
    lab.wire(mtu)
    return lab.start(config)


def exercise(lab, vm, n_bytes=64 * MIB):
    ping(vm, PEER4)
    ping(vm, PEER6)
    ping(lab.peer, guest4())
    tcp(vm, lab.peer, PEER4, n_bytes)
    tcp(lab.peer, vm, guest4(), n_bytes)
    tcp(vm, lab.peer, PEER6, n_bytes // 4)
    tcp(lab.peer, vm, guest6(), n_bytes // 4)
    for source, sink, address in ((vm, lab.peer, PEER4), (lab.peer, vm, guest4())):
        udp_ping(source, sink, address, "count 300 size 8 to 1600")
        udp_ping(source, sink, address, "count 100 size 8000")
    udp_ping(lab.peer, vm, guest6(), "count 100 size 8000")
    udp_ping(lab.peer, vm, guest4(), "count 10 size 60000")


# The guest owes buffers for a moment when it comes up and when streams come in bursts.
EXPECTED = ("port_down", "ring_full", "no_destination")


@test(limit=120, each={"plain": "", "tso": ",tso=1"})
def classic_switch(lab, vhost):
    """Streams are whole although the driver hides checksums and the sizes of super-frames."""
    sw = classic(lab, vhost=vhost)
    vm = lab.boot()
    assert ("tx-tcp-segmentation: on" in vm.run("ethtool -k eth0")) == bool(vhost)
    exercise(lab, vm)
    uplink = sw.stats("uplink")
    assert uplink["stats64"]["rx"]["super_frames"] > 100, uplink
    assert uplink["bad_checksum"] == 0, uplink
    assert bool(sw.stats("vm0")["stats64"]["rx"]["super_frames"]) == bool(vhost)
    drops = sw.drops(*EXPECTED)
    assert not drops, f"frames were dropped: {drops}"
    assert sw.stop() == 0


@test(limit=90)
def dpdk_uplink_and_own_guest(lab):
    """net_af_packet beside a vhost-user port: super-frames reach the guest as one."""
    sw = classic(lab, vm0=False)
    vm = lab.boot()
    exercise(lab, vm)
    assert sw.stats("vm0")["segmented"] == 0
    assert sw.stats("vm0")["stats64"]["tx"]["super_frames"] > 100
    drops = sw.drops(*EXPECTED)
    assert not drops, f"frames were dropped: {drops}"


@test(limit=90)
def own_uplink_and_dpdk_guest(lab):
    """net_vhost beside a packet port, and a switch that sleeps when nothing happens."""
    sw = classic(lab, uplink=False, vhost=",tso=1")
    vm = lab.boot()
    exercise(lab, vm)
    udp_gso(lab.peer, vm, guest4(), 1400, 40, 100)
    udp_ping(vm, lab.peer, PEER4, "count 300 gap 3000")
    udp_ping(lab.peer, vm, guest4(), "count 300 gap 3000")
    assert sw.show("vm0")["sleeps"]

    # The guest still has things of its own to say now and then: wait for a quiet second.
    def quiet():
        before = sw.cpu_seconds()
        time.sleep(1)
        return sw.cpu_seconds() - before < 0.1

    wait_until(quiet, "a second with at most 10 % CPU")
    drops = sw.drops(*EXPECTED)
    assert not drops, f"frames were dropped: {drops}"


@test(limit=60)
def mtu_9000_classic(lab):
    """The interface's own MTU tells super-frames from ordinary ones."""
    sw = classic(lab, mtu=9000)
    vm = lab.boot(mtu=9000)
    assert sw.show("uplink")["mtu"] == 9000
    tcp(vm, lab.peer, PEER4, 64 * MIB)
    tcp(lab.peer, vm, guest4(), 64 * MIB)
    udp_ping(lab.peer, vm, guest4(), "count 300 size 8 to 8972")
    drops = sw.drops(*EXPECTED)
    assert not drops, f"frames were dropped: {drops}"


@test(limit=60)
def classic_guest_comes_back(lab):
    """A VM that is killed leaves a port that takes the next one."""
    sw = classic(lab)
    vm = lab.boot()
    tcp(lab.peer, vm, guest4(), 8 * MIB)
    vm.kill()
    lab.guests.remove(vm)
    wait_until(lambda: sw.show("vm0")["operstate"] == "down", "the guest to be missed")
    vm = lab.boot()
    # Another VM: it has another random address.
    lab.peer.run("ip neigh flush dev eth0")
    ping(vm, PEER4)
    tcp(lab.peer, vm, guest4(), 8 * MIB)
    tcp(vm, lab.peer, PEER4, 8 * MIB)
