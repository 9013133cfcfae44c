# SPDX-License-Identifier: BSD-3-Clause
"""What a guest's user gets: streams and datagrams, whole, both ways, at offload speed."""

from lab import (PEER4, PEER6, guest4, guest6, last_json, ping, tcp, udp_ping,
                 wait_until)
from suite import test

MIB = 1 << 20
GIB = 1 << 30

# A guest that has just come up owes buffers for a moment, and a guest's port is not a destination
# before its driver is there: neither loses anything that is not sent again.
EARLY = ("port_down", "ring_full", "no_destination")


def assert_no_drops(sw, *expected):
    drops = sw.drops(*EARLY, *expected)
    assert not drops, f"frames were dropped: {drops}"


def both_ways(vm, lab, n_bytes, address=guest4(), peer_address=PEER4):
    timeout = 60 + 100 * n_bytes / GIB
    tcp(vm, lab.peer, peer_address, n_bytes, timeout=timeout)
    tcp(lab.peer, vm, address, n_bytes, timeout=timeout)


@test(limit=30)
def ping_reaches_the_peer(lab):
    sw = lab.switch()
    vm = lab.boot()
    ping(vm, PEER4)
    ping(vm, PEER6)
    ping(lab.peer, guest4())
    assert_no_drops(sw)
    macs = {entry["mac"]: entry["ifname"] for entry in sw.ctl("fdb", "show")}
    assert macs.get("02:00:00:00:00:01") == "vm0", f"the guest's address was not learnt: {macs}"
    assert "uplink" in macs.values(), f"the peer's address was not learnt: {macs}"


@test(limit=150)
def tcp_ipv4(lab):
    """A GiB each way crosses as super-frames that nobody had to cut."""
    sw = lab.switch()
    vm = lab.boot()
    both_ways(vm, lab, GIB * (8 if lab.soak else 1))
    for name in ("uplink", "vm0"):
        stats = sw.stats(name)
        for direction in ("rx", "tx"):
            count = stats["stats64"][direction]
            assert count["bytes"] >= GIB, f"{name} {direction}: {count}"
            mean = count["bytes"] / max(1, count["super_frames"])
            assert count["super_frames"] > 1000 and mean < 1e6, f"{name} {direction}: {count}"
        assert stats["segmented"] == 0, f"{name} cut super-frames: {stats}"
        assert stats["checksummed"] == 0, f"{name} computed checksums: {stats}"
    assert sw.stats("vm0")["landed"] > 1000, "nothing was received into guest memory"
    assert_no_drops(sw)


@test(limit=90)
def tcp_ipv6(lab):
    sw = lab.switch()
    vm = lab.boot()
    both_ways(vm, lab, 512 * MIB, guest6(), PEER6)
    assert sw.stats("vm0")["stats64"]["rx"]["super_frames"] > 500
    assert sw.stats("vm0")["segmented"] == 0
    assert_no_drops(sw)


@test(limit=90)
def mtu_9000(lab):
    sw = lab.switch(mtu=9000)
    vm = lab.boot(mtu=9000)
    both_ways(vm, lab, 512 * MIB)
    for source, sink, address in ((vm, lab.peer, PEER4), (lab.peer, vm, guest4())):
        udp_ping(source, sink, address, "count 900 size 8 to 8972")
    assert_no_drops(sw)


@test(limit=60)
def mtu_is_told_to_the_guest(lab):
    """A UML guest asks the device for its MTU; one that is told 9000 starts with it."""
    lab.switch(mtu=9000)
    vm = lab.boot(mtu=1500)
    vm.run("ip link set eth0 mtu 9000")
    assert "mtu 9000" in vm.run("ip link show eth0")
    status, _ = vm.try_run("ip link set eth0 mtu 9001")
    assert status != 0, "the guest was not told its largest MTU"


@test(limit=60)
def udp_of_every_size(lab):
    """Small frames, frames of the MTU's size and, by fragments, datagrams much larger than it."""
    sw = lab.switch()
    vm = lab.boot()
    for source, sink, address in (
            (vm, lab.peer, PEER4), (lab.peer, vm, guest4()), (vm, lab.peer, PEER6)):
        udp_ping(source, sink, address, "count 1500 size 8 to 1600")
        udp_ping(source, sink, address, "count 300 size 8000")
        udp_ping(source, sink, address, "count 20 size 60000 to 65000")
    assert_no_drops(sw)


def udp_gso(source, sink, address, size, n_segments, n_bursts):
    receiver = sink.spawn("udp_gso recv 5003").wait_for("ready")
    sent = last_json(source.run(f"udp_gso send {address} 5003 {size} {n_segments} {n_bursts}", 240))
    got = last_json(receiver.wait())
    assert sent == {"bursts": n_bursts, "lost_bursts": 0}, sent
    assert got == {"datagrams": n_bursts * n_segments, "corrupt": 0, "wrong_size": 0}, got


@test(limit=60, each={"ipv4": (guest4(), PEER4), "ipv6": (guest6(), PEER6)})
def udp_segment(lab, addresses):
    """UDP_SEGMENT at either end: each datagram arrives with its own size and bytes."""
    sw = lab.switch()
    vm = lab.boot()
    for source, sink, address in ((lab.peer, vm, addresses[0]), (vm, lab.peer, addresses[1])):
        udp_gso(source, sink, address, 1400, 40, 300)
        udp_gso(source, sink, address, 100, 60, 300)
    stats = sw.stats("vm0")
    assert sw.stats("uplink")["stats64"]["rx"]["super_frames"] > 100, "the peer sent no super-frame"
    # A guest of this kernel knows no UDP segmentation offload: we cut for it.
    assert stats["segmented"] > 100, stats
    assert_no_drops(sw)


@test(limit=90, each={"ipv4": ("local 10.0.0.{} remote 10.0.0.{}", ""),
                      "ipv6": ("local fd00::{} remote fd00::{}", "udp6zerocsumrx"),
                      "ipv4-csum": ("local 10.0.0.{} remote 10.0.0.{}", "udpcsum")})
def vxlan_in_the_guest(lab, outer):
    """The guest is a tunnel end: super-frames with an inner TCP header cross the uplink."""
    sw = lab.switch()
    vm = lab.boot()
    for node, me, other in ((vm, 2, 1), (lab.peer, 1, 2)):
        ends = outer[0].format(me, other)
        node.run(f"ip link add vx0 type vxlan id 7 {ends} dstport 4789 dev eth0 {outer[1]}\n"
                 f"ip addr add 10.7.0.{me}/24 dev vx0\nip link set vx0 up")
    ping(vm, "10.7.0.1")
    both_ways(vm, lab, 128 * MIB, "10.7.0.2", "10.7.0.1")
    for source, sink, address in ((vm, lab.peer, "10.7.0.1"), (lab.peer, vm, "10.7.0.2")):
        udp_ping(source, sink, address, "count 500 size 8 to 2000")
    assert sw.stats("uplink")["stats64"]["rx"]["super_frames"] > 100, "no tunnelled super-frames"
    assert_no_drops(sw)


def add_vlan(node, me, links):
    """Stacks VLAN devices on eth0, (protocol, id) each, and gives the last an address."""
    lower = "eth0"
    for protocol, vid in links:
        upper = f"v{vid}"
        node.run(f"ip link add link {lower} name {upper} type vlan proto {protocol} id {vid}\n"
                 f"ip link set {upper} mtu 1400 up")
        lower = upper
    node.run(f"ip addr add 10.8.0.{me}/24 dev {lower}; ip addr add fd08::{me}/64 dev {lower} nodad")


@test(limit=90, each={"8100": [("802.1Q", 5)], "88a8": [("802.1ad", 6)],
                      "stacked": [("802.1ad", 6), ("802.1Q", 5)]})
def vlan(lab, links):
    """Tagged frames keep their tag and its protocol, small frames and super-frames alike."""
    sw = lab.switch()
    vm, far = lab.boot(), lab.far_guest()
    add_vlan(vm, 2, links)
    add_vlan(far, 1, links)
    ping(vm, "10.8.0.1")
    for source, sink, end in ((vm, far, 1), (far, vm, 2)):
        tcp(source, sink, f"10.8.0.{end}", 128 * MIB)
        tcp(source, sink, f"fd08::{end}", 32 * MIB)
        udp_ping(source, sink, f"10.8.0.{end}", "count 500 size 8 to 3000")
    for direction in ("rx", "tx"):
        count = sw.stats("uplink")["stats64"][direction]
        assert count["super_frames"] > 200, f"no tagged super-frames {direction}: {count}"
    # Untagged traffic beside it is another broadcast domain and still there.
    tcp(vm, far, guest4(1), 32 * MIB)
    learnt = {(entry["vlan"], entry["ifname"]) for entry in sw.ctl("fdb", "show")}
    vid = links[0][1]
    assert {(vid, "vm0"), (vid, "uplink"), (0, "vm0"), (0, "uplink")} <= learnt, learnt
    assert_no_drops(sw)


@test(limit=120)
def tso_switched_off_while_running(lab):
    """The veth's offloads change under running streams; none stalls, none is damaged."""
    lab.switch()
    vm = lab.boot()
    for source, sink, address in ((vm, lab.peer, PEER4), (lab.peer, vm, guest4())):
        receiver = sink.spawn("tcp_pump recv 5001").wait_for("ready")
        sender = source.spawn(f"tcp_pump send {address} 5001 {GIB} 1")
        for setting in ("tso off", "tso on", "gso off tso off tx off", "gso on tso on tx on",
                        "tso off"):
            for namespace in (lab.pod, lab.peer):
                before = bytes_through(lab)
                namespace.run(f"ethtool -K eth0 {setting}")
                moved(lab, before)
        sent = last_json(sender.wait(240))
        got = last_json(receiver.wait())
        assert got["sha256"] == sent["sha256"], "the stream was damaged"
        for namespace in (lab.pod, lab.peer):
            namespace.run("ethtool -K eth0 gso on tso on tx on")


def bytes_through(lab):
    stats = lab.sluiced.stats("vm0")["stats64"]
    return stats["rx"]["bytes"] + stats["tx"]["bytes"]


def moved(lab, before, n_bytes=8 * MIB):
    """Waits until a stream has moved on after a change."""
    wait_until(lambda: bytes_through(lab) > before + n_bytes, "the stream to go on")


def both_moved(lab, n_bytes=8 * MIB):
    """Waits until streams both ways of guest 0 have moved on: neither waits for the other."""
    def carried():
        stats = lab.sluiced.stats("vm0")["stats64"]
        return stats["rx"]["bytes"], stats["tx"]["bytes"]

    before = carried()
    wait_until(lambda: min(now - then for now, then in zip(carried(), before)) > n_bytes,
               "the streams to go on both ways")


@test(limit=120)
def two_guests(lab):
    """Guest to guest, and both to the peer, on one switch."""
    sw = lab.switch(n_guests=2)
    vm0, vm1 = lab.boot(0), lab.boot(1)
    ping(vm0, guest4(1))
    tcp(vm0, vm1, guest4(1), 512 * MIB)
    tcp(vm1, vm0, guest6(0), 256 * MIB)
    udp_ping(vm0, vm1, guest4(1), "count 1000 size 8 to 8000")
    for index, vm in enumerate((vm0, vm1)):
        both_ways(vm, lab, 64 * MIB, guest4(index))
    assert sw.stats("vm0")["segmented"] == 0 and sw.stats("vm1")["segmented"] == 0
    assert_no_drops(sw)
