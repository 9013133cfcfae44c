# SPDX-License-Identifier: BSD-3-Clause
"""Several guests on one switch: who gets which frame, and what one guest can do to the others."""

from lab import PEER4, Stream, guest4, guest_mac, last_json, ping, tcp, wait_until
from suite import test
from test_traffic import MIB, add_vlan, assert_no_drops, bytes_through, moved

BROADCAST = "ff:ff:ff:ff:ff:ff"
RESERVED = {"STP": "01:80:c2:00:00:00", "LACP": "01:80:c2:00:00:02", "LLDP": "01:80:c2:00:00:0e"}


def watch(guest, ethertype="0x0800"):
    """Counts the frames of one type that reach the guest from now on."""
    return guest.spawn(f"raw_frames watch eth0 type {ethertype}").wait_for("ready")


def seen(watcher):
    return last_json(watcher.finish())


def send_frames(guest, source, destination, options=""):
    return last_json(guest.run(f"raw_frames send eth0 {source} {destination} {options}"))["sent"]


def macs(sw):
    return {entry["mac"]: entry["ifname"] for entry in sw.ctl("fdb", "show")}


@test(limit=60)
def many_guests(lab):
    """Four guests and the uplink: broadcasts reach all, unicast nobody else."""
    sw = lab.switch(n_guests=4)
    guests = [lab.boot(i, memory=128) for i in range(4)]
    addresses = [guest4(i) for i in range(4)] + [PEER4]
    for i, node in enumerate(guests + [lab.peer]):
        others = [a for j, a in enumerate(addresses) if j != i]
        node.run(f"for to in {' '.join(others)}; do busybox ping -c 1 -W 20 $to || exit 1; done")
    learnt = macs(sw)
    for i in range(4):
        assert learnt.get(guest_mac(i)) == f"vm{i}", learnt
    assert "uplink" in learnt.values(), learnt

    watchers = [watch(guest, "0x88b5") for guest in guests[1:]]
    send_frames(guests[0], "own", BROADCAST, "count 50 gap 100")
    send_frames(guests[0], "own", guest_mac(1), "count 50 gap 100")
    # Behind them in the same rings: when these are answered, all are there.
    for i in range(1, 4):
        ping(guests[0], guest4(i), count=1)
    for i, got in enumerate(map(seen, watchers), 1):
        expected = {"own": 50 if i == 1 else 0, "foreign": 0, "broadcast": 50, "multicast": 0}
        assert expected.items() <= got.items(), f"guest {i}: {got}"

    bystanders = [watch(guests[2]), watch(guests[3])]
    tcp(guests[0], guests[1], guest4(1), 32 * MIB)
    tcp(guests[1], lab.peer, PEER4, 32 * MIB)
    for got in map(seen, bystanders):
        assert got["foreign"] == 0, f"a third party got frames of a stream: {got}"

    streams = [Stream(guests[0], guests[1], guest4(1), 64 * MIB),
               Stream(guests[2], guests[3], guest4(3), 64 * MIB)]
    for stream in streams:
        assert stream.wait()["bytes"] == 64 * MIB
    assert_no_drops(sw)


@test(limit=60)
def mac_flood(lab):
    """One guest invents addresses; its neighbours keep theirs, and their stream to themselves."""
    sw = lab.switch(n_guests=3, fdb_size=1024)
    guests = [lab.boot(i, memory=128) for i in range(3)]
    tcp(guests[0], guests[1], guest4(1), 8 * MIB)
    stream = Stream(guests[0], guests[1], guest4(1))
    watcher = watch(guests[2])
    flood = guests[2].spawn("raw_frames send eth0 random random count 100000000")
    before = sw.stats("vm2")["addresses"]
    wait_until(lambda: sw.stats("vm2")["stats64"]["rx"]["packets"] > 30000, "the flood to run")
    for _ in range(4):
        moved(lab, bytes_through(lab))
        learnt = macs(sw)
        for i in (0, 1):
            assert learnt.get(guest_mac(i)) == f"vm{i}", f"guest {i} was evicted"
    sent = last_json(flood.finish())["sent"]
    got = stream.finish()
    foreign = seen(watcher)["foreign"]
    addresses = sw.stats("vm2")["addresses"]
    assert addresses["learned"] > before["learned"] + 500, addresses
    assert len(sw.ctl("fdb", "show")) <= 1024
    assert foreign == 0, f"{foreign} frames of the others' stream reached the flooding guest"
    assert got["bytes"] > 16 * MIB and sent > 30000, (got, sent)
    # The table gives its own back: the flooding guest is as reachable as the others.
    ping(guests[0], guest4(2))


@test(limit=60)
def access_port_and_trunk(lab):
    """A guest that knows nothing of VLANs talks to one behind a trunk that is in VLAN 10."""
    lab.wire()
    config = lab.config()
    uplink, vm0 = config["ports"]
    uplink["trunks"] = "10"
    vm0["vlan"] = 10
    sw = lab.start(config)
    vm, far = lab.boot(), lab.far_guest()
    add_vlan(far, 1, [("802.1Q", 10)])
    vm.run("ip addr add 10.8.0.2/24 dev eth0; ip addr add fd08::2/64 dev eth0 nodad")
    ping(vm, "10.8.0.1")
    for source, sink, end in ((vm, far, 1), (far, vm, 2)):
        tcp(source, sink, f"10.8.0.{end}", 96 * MIB)
        tcp(source, sink, f"fd08::{end}", 32 * MIB)
    for direction in ("rx", "tx"):
        for name in ("uplink", "vm0"):
            count = sw.stats(name)["stats64"][direction]
            assert count["super_frames"] > 100, f"{name} {direction}: {count}"
    assert sw.stats("vm0")["segmented"] == 0
    entries = {(entry["vlan"], entry["ifname"]) for entry in sw.ctl("fdb", "show")}
    assert entries == {(10, "vm0"), (10, "uplink")}, entries
    assert_no_drops(sw, "vlan")
    # Untagged frames of the other side are another network, and do not come in.
    refused = sw.stats("uplink")["drop_reasons"].get("vlan", {"count": 0})["count"]
    send_frames(far, "own", BROADCAST, "count 20 gap 100")
    wait_until(lambda: sw.stats("uplink")["drop_reasons"].get("vlan", {"count": 0})["count"] >=
               refused + 20, "untagged frames to be refused")


@test(limit=40, each={"kept": False, "forwarded": True})
def reserved_multicast(lab, forward):
    """LLDP, LACP and STP cross if that is asked for, and are counted if not."""
    sw = lab.switch(n_guests=2, forward_reserved=forward)
    vm0, vm1 = lab.boot(0, memory=128), lab.boot(1, memory=128)
    watcher = watch(vm1, "0x88b5")
    for address in RESERVED.values():
        assert send_frames(vm0, "own", address, "count 20 gap 100") == 20
    send_frames(vm0, "own", BROADCAST, "count 5")
    # Behind them in the same rings: when this is answered, all are there.
    ping(vm0, guest4(1), count=1)
    got = seen(watcher)
    dropped = sw.stats("vm0")["drop_reasons"].get("reserved", {"count": 0})["count"]
    expected = [20 if forward and n in (0x0, 0x2, 0xe) else 0 for n in range(16)]
    assert got["reserved"] == expected and got["broadcast"] == 5, got
    assert dropped == (0 if forward else 60), sw.stats("vm0")["drop_reasons"]


@test(limit=60)
def slow_guest(lab):
    """A guest that stands still loses its own frames, and nobody else's throughput."""
    sw = lab.switch(n_guests=2)
    vm, slow = lab.boot(0), lab.boot(1, memory=128)
    ping(lab.peer, guest4(1))
    unicast = lab.peer.spawn(f"raw_frames send eth0 own {guest_mac(1)} count 100000000 gap 300")
    broadcast = vm.spawn(f"raw_frames send eth0 own {BROADCAST} count 100000000 gap 1000")

    def ring_full():
        return sw.stats("vm1")["drop_reasons"].get("ring_full", {"count": 0})["count"]

    # In turns, and the best of each: this machine has other things to do as well, now and then for
    # longer than three turns.
    before, beside = [], []
    while len(beside) < 3 or (max(beside) <= max(before) / 2 and len(beside) < 12):
        before.append(tcp(vm, lab.peer, PEER4, 48 * MIB))
        slow.pause()
        dropped = ring_full()
        wait_until(lambda dropped=dropped: ring_full() > dropped + 100, "the ring to be full")
        beside.append(tcp(vm, lab.peer, PEER4, 48 * MIB))
        tcp(lab.peer, vm, guest4(0), 32 * MIB)
        wait_until(lambda dropped=dropped: ring_full() > dropped + 200, "frames to be lost")
        slow.resume()
    assert max(beside) > max(before) / 2, f"Gb/s before: {before}, beside a slow guest: {beside}"
    assert last_json(unicast.finish())["sent"] > 0 and last_json(broadcast.finish())["sent"] > 0
    ping(lab.peer, guest4(1))
    assert_no_drops(sw)
