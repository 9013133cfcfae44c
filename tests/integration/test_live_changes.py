# SPDX-License-Identifier: BSD-3-Clause
"""The configuration changes, again and again, and streams beside it notice nothing."""

import copy
import time

from lab import PEER4, Stream, guest4, guest_mac, last_json, wait_until
from suite import test
from test_traffic import MIB, assert_no_drops, bytes_through, moved


def both_ways(lab, vm):
    return [Stream(vm, lab.peer, PEER4, port=5001), Stream(lab.peer, vm, guest4(), port=5002)]


def finish(streams, n_bytes=16 * MIB):
    """Every stream must have gone on to here, and be whole."""
    for stream in streams:
        got = stream.finish()
        assert got["bytes"] > n_bytes, f"the stream stood still: {got}"
        assert got["longest_gap_ms"] < 10000, f"the stream stalled: {got}"


@test(limit=90)
def ports_come_and_go(lab):
    """1000 ports added and removed under traffic: all is given back."""
    sw = lab.switch()
    vm = lab.boot()
    lab.pod.run("ip link add spare type veth peer name spare1; ip link set spare up")
    kinds = [{"kind": "vhost-user", "socket": lab.path("spare.sock")},
             {"kind": "packet", "interface": "spare"}]
    streams = both_ways(lab, vm)
    for i in range(1000):
        sw.call("port.add", name=f"spare{i}", **kinds[i % 2])
        sw.call("port.del", name=f"spare{i}")
        if i == 200:
            n_fds, memory = sw.n_fds(), sw.memory_kib()
    finish(streams)
    assert sw.n_fds() == n_fds, f"{n_fds} descriptors before, {sw.n_fds()} after"
    # The buffers that the uplink's frames may come to touch are 2 MiB.
    assert sw.memory_kib() < memory + 3072, f"{memory} KiB before, {sw.memory_kib()} after"
    assert [port["ifname"] for port in sw.ctl("port", "list")] == ["uplink", "vm0"]
    assert_no_drops(sw)


@test(limit=90)
def reload_under_load(lab):
    """The file alternates between two versions; what they share is not touched."""
    config = lab.config()
    other = copy.deepcopy(config)
    other["ports"].append({"name": "spare", "kind": "vhost-user",
                           "socket": lab.path("spare.sock"), "vlan": 7})
    other["ports"][1]["mac-limit"] = 8
    other["fdb-static"] = [{"mac": guest_mac(0), "port": "vm0"}]
    other["fdb-ageing"] = 30
    lab.wire()
    sw = lab.start(config)
    vm = lab.boot()
    streams = both_ways(lab, vm)
    sw.call("version")  # the connection is there before we count
    before = sw.n_fds()
    for version in [other, config] * 50:
        sw.write_config(version)
        assert sw.call("config.reload")[0]["changes"], "a reload that changed nothing"
        moved(lab, bytes_through(lab), MIB // 2)
    finish(streams)
    assert sw.n_fds() == before, f"{before} descriptors before, {sw.n_fds()} after"
    assert sw.show("vm0")["peer"]["connected"]
    assert_no_drops(sw)


def overflows(sw):
    """What the streams' bursts cost: frames for which a ring or a socket had no room."""
    n = sw.stats("uplink")["kernel_drops"]
    for name in ("uplink", "vm0"):
        reasons = sw.stats(name)["drop_reasons"]
        n += sum(reasons[r]["count"] for r in ("ring_full", "socket_full") if r in reasons)
    return n


@test(limit=90)
def queues_move_between_workers(lab):
    """Two workers hand queues to and fro: by that no frame is lost, overtaken or doubled."""
    sw = lab.switch(worker_cpus="auto,auto")
    vm = lab.boot()
    streams = both_ways(lab, vm)
    datagrams = []
    for source, sink, address, port in ((vm, lab.peer, PEER4, 5003),
                                        (lab.peer, vm, guest4(), 5004)):
        receiver = sink.spawn(f"udp_stream recv {port}").wait_for("ready")
        sender = source.spawn(
            f"udp_stream send {address} {port} count 100000000 burst 8 gap 2000")
        datagrams.append((receiver, sender))
    for i in range(200):
        sw.call("worker.assign", port=("uplink", "vm0")[i % 2], queue=0, worker=i // 2 % 2)
        time.sleep(0.01)  # traffic between the moves
    wait_until(lambda: all(worker["frames"] > 1000 for worker in sw.ctl("worker", "show")),
               "both workers to have had frames")
    finish(streams)
    for receiver, sender in datagrams:
        sent, got = last_json(sender.finish()), last_json(receiver.wait())
        assert sent["sent"] > 500, sent
        assert got["reordered"] == 0, f"frames were overtaken: {got}"
        assert 0 <= got["lost"] <= overflows(sw), f"{got} of {sent}; dropped: {sw.drops()}"
