# SPDX-License-Identifier: BSD-3-Clause
"""Benches with a real Linux in a guest (UML): TCP throughput and UDP round trips.

With a peer in a namespace, over a veth:

    sluice       guest eth0 - vhost-user - sluiced - packet socket on eth0 - veth - peer
    tap-bridge   guest vec0 - tap0 - kernel bridge - eth0 - veth - peer

The guest has CPU 1, all else (sluiced, iperf3, the runner) CPU 0. What the kernel does on behalf of
the guest, such as bridging a frame that UML has just written to its tap, happens where the guest is.

Between two guests there is no pod: guest A has CPU 0, guest B has CPU 1, and neither sluiced nor the
kernel is told where to run.
"""

import json

from bench import SLUICE, Bench, Group
from guest import Uml, tap
from lab import PEER4, guest4, guest_mac, ping, udp_ping

TCP_SECONDS = 4
N_ROUND_TRIPS = 10000
TAP_BRIDGE = "tap-bridge"


def boot_tap(lab, index, cpu):
    """A guest on a tap that is a port of br0, in the pod."""
    lab.pod.run(f"ip tuntap add dev tap{index} mode tap vnet_hdr; "
                f"ip link set tap{index} master br0 up")
    guest = Uml(lab.workdir, [tap(f"tap{index}")], name=f"guest{index}", cpu=cpu, netns="pod")
    lab.guests.append(guest)
    guest.run(f"ip link set vec0 address {guest_mac(index)} up; "
              f"ip addr add {guest4(index)}/24 dev vec0")
    return guest


def sluice_guest(lab, **settings):
    lab.switch(**settings)
    return lab.boot(cpu=1)


def tap_guest(lab):
    lab.wire()
    lab.pod.run("ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0")
    return boot_tap(lab, 0, cpu=1)


def iperf(client, server, address, options=""):
    """One TCP stream from client to server (or back, with -R): Gb/s as received."""
    job = server.spawn("iperf3 -s -1 --forceflush").wait_for("Server listening")
    text = client.run(f"iperf3 -c {address} -t {TCP_SECONDS} -J {options}", TCP_SECONDS + 20)
    job.wait()
    return json.loads(text)["end"]["sum_received"]["bits_per_second"] / 1e9


def tcp(guest, lab, wanted):
    ping(guest, PEER4)
    options = {"tcp-out": "", "tcp-in": "-R"}
    return {name: iperf(guest, lab.peer, PEER4, options[name]) for name in wanted}


def rtt(guest, lab, names):
    """`names` maps a key of udp_ping's result to what it is called here."""
    ping(guest, PEER4)
    result = udp_ping(guest, lab.peer, PEER4, f"count {N_ROUND_TRIPS}")
    return {name: float(result[key]) for key, name in names.items()}


def percentiles(guest, lab, wanted):
    return rtt(guest, lab, {f"{name.removeprefix('rtt-')}_us": name for name in wanted})


def vm_to_vm(lab, boot):
    a, b = boot(0), boot(1)
    ping(a, guest4(1))
    return {"vm-to-vm": iperf(a, b, guest4(1))}


def vm_to_vm_sluice(lab, _):
    lab.namespace("pod")
    config = lab.config(n_guests=2)
    config["ports"] = [port for port in config["ports"] if port["kind"] == "vhost-user"]
    lab.start(config)
    return vm_to_vm(lab, lambda index: lab.boot(index, cpu=index))


def vm_to_vm_tap(lab, _):
    lab.namespace("pod").run("ip link add br0 type bridge; ip link set br0 up")
    return vm_to_vm(lab, lambda index: boot_tap(lab, index, cpu=index))


def with_peer(sample, **settings):
    """The two sides of a bench that takes `sample` of a guest with a peer."""
    return {SLUICE: lambda lab, wanted: sample(sluice_guest(lab, **settings), lab, wanted),
            TAP_BRIDGE: lambda lab, wanted: sample(tap_guest(lab), lab, wanted)}


GROUPS = [
    Group(
        benches=[Bench("tcp-out", "Gb/s", more_is_better=True, bar=1.05),
                 Bench("tcp-in", "Gb/s", more_is_better=True, bar=1.1)],
        sides=with_peer(tcp),
        runs=5, cpus={0},
        setup=f"one iperf3 stream, {TCP_SECONDS} s; guest on CPU 1, all else on CPU 0"),
    Group(
        benches=[Bench("vm-to-vm", "Gb/s", more_is_better=True, bar=1.5)],
        sides={SLUICE: vm_to_vm_sluice, TAP_BRIDGE: vm_to_vm_tap},
        runs=5,
        setup=f"one iperf3 stream, {TCP_SECONDS} s; sending guest on CPU 0, receiving guest on "
              "CPU 1, switch and kernel not pinned"),
    Group(
        benches=[Bench("rtt-p50", "us", more_is_better=False, bar=1.2),
                 Bench("rtt-p99", "us", more_is_better=False, bar=0.5)],
        sides=with_peer(percentiles),
        runs=5, cpus={0},
        setup=f"{N_ROUND_TRIPS} UDP round trips from the guest; guest on CPU 1, all else on CPU 0"),
    Group(
        benches=[Bench("rtt-event", "us", more_is_better=False, bar=None)],
        sides={SLUICE: lambda lab, _: rtt(sluice_guest(lab, spin_us=0), lab,
                                          {"p50_us": "rtt-event"})},
        runs=5, cpus={0},
        setup="p50 as above, with spin-us 0"),
]
