# SPDX-License-Identifier: BSD-3-Clause
"""The pod's side of the uplink: bridges that reflect, interfaces that go and come back."""

from lab import PEER4, Stream, guest4, guest_mac, ping, wait_until
from suite import test
from test_traffic import MIB, both_moved

BROADCAST = "ff:ff:ff:ff:ff:ff"
POD_MAC = "02:00:00:00:aa:01"


def plug_in(lab, hairpin="off"):
    """Makes the pod's eth0, the other end of which is a port of the node's bridge."""
    lab.namespaces["node"].run(
        f"ip link add pod0 type veth peer name eth0 address {POD_MAC} netns pod\n"
        f"ip link set pod0 master br0 up\nip link set pod0 type bridge_slave hairpin {hairpin}")
    lab.pod.run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip link set eth0 up")


def wire_node(lab, hairpin="off"):
    """As lab.wire(), with a bridge between pod and peer."""
    node = lab.namespace("node")
    lab.namespace("pod")
    lab.namespace("peer")
    node.run("ip link add br0 type bridge forward_delay 0 && ip link set br0 up\n"
             "ip link add peer0 type veth peer name eth0 netns peer\n"
             "ip link set peer0 master br0 up")
    lab.peer.run(f"ip addr add {PEER4}/24 dev eth0; ip link set eth0 up")
    plug_in(lab, hairpin)


@test(limit=60, each={"learned": False, "static": True})
def hairpin_bridge(lab, static):
    """A bridge that reflects does no harm: a guest's address does not follow its broadcasts."""
    wire_node(lab, "on")
    entries = [{"mac": guest_mac(0), "port": "vm0"}] if static else []
    sw = lab.start(lab.config(fdb_static=entries))
    vm = lab.boot()
    ping(vm, PEER4)
    noise = vm.spawn(f"raw_frames send eth0 own {BROADCAST} count 100000 gap 100000")
    streams = [Stream(vm, lab.peer, PEER4), Stream(lab.peer, vm, guest4(), port=5002)]
    both_moved(lab, 16 * MIB)
    reflected = "static_conflicts" if static else "held"
    wait_until(lambda: sw.stats("uplink")["addresses"][reflected] > 10,
               "some broadcasts to come back")
    for stream in streams:
        got = stream.finish()
        assert got["longest_gap_ms"] < 10000, got
    noise.finish()
    addresses = sw.stats("uplink")["addresses"]
    assert addresses["moved"] == 0, addresses
    # The guest is silent, its last word came back by the uplink, and it is still where it was.
    vm.run(f"raw_frames send eth0 own {BROADCAST}")
    ping(lab.peer, guest4())


def wait_uplink(sw, state):
    return wait_until(lambda: (s := sw.show("uplink"))["operstate"] == state and s,
                      f"port uplink to be {state}")


@test(limit=60)
def interface_is_made_anew(lab):
    """The pod's eth0 is deleted and created again under streams, which go on."""
    wire_node(lab)
    sw = lab.start(lab.config())
    vm = lab.boot()
    streams = [Stream(vm, lab.peer, PEER4), Stream(lab.peer, vm, guest4(), port=5002)]
    for _ in range(3):
        both_moved(lab)
        lab.pod.run("ip link del eth0")
        shown = wait_uplink(sw, "down")
        assert shown["reason"] and shown["interface"] == "eth0", shown
        plug_in(lab)
        wait_uplink(sw, "up")
    both_moved(lab)
    gaps = [stream.finish()["longest_gap_ms"] for stream in streams]
    print(f"    longest gap {max(gaps)} ms", flush=True)
    assert max(gaps) < 30000, gaps
