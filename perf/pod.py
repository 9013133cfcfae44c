# SPDX-License-Identifier: BSD-3-Clause
"""What a pod costs: tcp-out-pod, tcp-in-pod, loop64-pod, neigh.

The benches of guest_net.py and loop.py with all that a pod is, under "sluice", and without, as they
are there, under "plain": the same guest or generator in the same place. A pod is

    uplink   role uplink, mac-mode substitute: the pod's MAC address in place of the guest's, both
             ways, and frames from the network find the guest by their IP address
    guest    role guest, its addresses, anti-spoof: what it sends must be its own
    guard    tcp only, where the pod has a kernel: its eth0 has the guest's addresses, and the guard
             keeps it from answering

The loop of loop64-pod is that of loop.py, but the generator gives each frame its addresses anew
("mac" instead of "io", on both sides): on its way the switch has changed one of them, and what
leaves by the uplink as the pod's would come back as a reflection. testpmd's frames are from
198.18.0.1 to 198.18.0.2, whichever way they go, so both are the guest's.

    testpmd mac, CPU 1                             switch, CPU 0
    net_virtio_user0 (..:0a), to the pod's  <-->  a  uplink, the pod's ..:0d
    net_virtio_user1 (..:0b), to ..:0a      <-->  b  guest

neigh: a front-end (tests/tools/neigh_bench.c) that asks for the stations of a static list as fast as
it can. The uplink has nobody at its other end, so that nothing else goes on.
"""

from bench import SLUICE, Bench, Group, Void
from guest_net import TCP_SECONDS, iperf, sluice_guest
from lab import PEER4, guest4, guest6, guest_mac, last_json, ping
from loop import (MAC_A, MAC_B, N_SAMPLES, N_SKIPPED, check_learned, generator, mpps,
                  stop_without_loss)
from ports import vhost_port

PLAIN = "plain"
BAR = 0.95
OPTIONS = {"tcp-out-pod": "", "tcp-in-pod": "-R"}

FRAME = 64
POD_MAC = "02:00:00:00:00:0d"
TESTPMD_ADDRESSES = ["198.18.0.1", "198.18.0.2"]

N_STATIONS = 16
NEIGH_MS = 4000

# What the pod's kernel is there for as well, and multicast from before the guest was up.
HARMLESS = ("reflected", "unbound", "not_ours", "kernel_answers", "port_down")


def uplink(port, **settings):
    return {**port, "role": "uplink", "mac-mode": "substitute", **settings}


def pod_guest(port, addresses, **settings):
    return {**port, "role": "guest", "addresses": addresses, "anti-spoof": "on", **settings}


# --- TCP

def streams(guest, lab, wanted):
    ping(guest, PEER4)
    return {name: iperf(guest, lab.peer, PEER4, OPTIONS[name]) for name in wanted}


def hold_guard(lab):
    """eth0 gets what a CNI gives it, and the guard what it is for."""
    lab.pod.run(f"echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6\n"
                f"ip addr add {guest4()}/24 dev eth0\n"
                f"ip addr add {guest6()}/64 dev eth0 nodad")
    program = f"{lab.build}/launcher/sluice-vm"
    lab.pod.spawn(f"exec {program} guard hold --interface eth0").wait_for("is guarded")


def tcp_pod(lab, wanted):
    lab.wire()
    hold_guard(lab)
    config = lab.config()
    packet, vm0 = config["ports"]
    config["ports"] = [uplink(packet), pod_guest(vm0, [guest4(), guest6()])]
    sluiced = lab.start(config)
    values = streams(lab.boot(cpu=1), lab, wanted)
    if dropped := sluiced.drops(*HARMLESS):
        raise Void(f"the switch dropped {dropped}")
    return values


def tcp_plain(lab, wanted):
    return streams(sluice_guest(lab), lab, wanted)


# --- the loop

def check_bound(sluiced):
    bound = {b["local"]: b["lladdr"] for b in sluiced.ctl("binding", "show")}
    if any(bound.get(address) != MAC_B for address in TESTPMD_ADDRESSES):
        raise Void(f"the guest is not bound to testpmd's addresses: {bound}")


def loop(lab, ports, check, to_b):
    lab.namespace("pod")
    sluiced = lab.start(lab.config(ports=ports, worker_cpus=0))
    with generator(lab, FRAME, mode="mac", to_b=to_b) as testpmd:
        rates = testpmd.rates(N_SKIPPED, N_SAMPLES)
        check(sluiced)
        if dropped := sluiced.drops():
            raise Void(f"the switch dropped {dropped}")
        stop_without_loss(testpmd)
    return {"loop64-pod": mpps(rates)}


def loop_pod(lab, _):
    ports = [uplink(vhost_port(lab, "a"), mac=POD_MAC),
             pod_guest(vhost_port(lab, "b"), TESTPMD_ADDRESSES, mac=MAC_B)]
    return loop(lab, ports, check_bound, POD_MAC)


def loop_plain(lab, _):
    return loop(lab, [vhost_port(lab, "a"), vhost_port(lab, "b")], check_learned, MAC_B)


# --- neighbours

def neigh(lab, _):
    lab.namespace("pod")
    stations = [{"ip": f"10.0.0.{100 + i}", "mac": f"02:00:01:00:00:{i:02x}"}
                for i in range(N_STATIONS)]
    ports = [uplink(vhost_port(lab, "uplink"), mac=POD_MAC, neighbours="static"),
             pod_guest(vhost_port(lab, "vm0"), [guest4()], mac=guest_mac())]
    sluiced = lab.start(lab.config(ports=ports, worker_cpus=0, neighbour_static=stations))
    known = " ".join(f"{station['ip']} {station['mac']}" for station in stations)
    asker = lab.pod.spawn(f"exec taskset -c 1 neigh_bench {lab.path('vm0.sock')} {NEIGH_MS} "
                          f"{guest_mac()} {guest4()} {known}")
    result = last_json(asker.wait())
    if dropped := sluiced.drops():
        raise Void(f"the switch dropped {dropped}")
    check_counted(sluiced, result["answered_in_all"])
    return {"neigh": result["answered"] / result["us"]}


def check_counted(sluiced, n_answers):
    """What the asker saw is what the switch says of its port, in both directions."""
    stats = sluiced.stats("vm0")["stats64"]
    counted = stats["rx"]["packets"], stats["tx"]["packets"]
    if counted != (n_answers, n_answers):
        raise Void(f"the switch counted {counted} questions and answers, not {n_answers}")


GROUPS = [
    Group(
        benches=[Bench(name, "Gb/s", more_is_better=True, bar=BAR) for name in OPTIONS],
        sides={SLUICE: tcp_pod, PLAIN: tcp_plain},
        runs=5, cpus={0},
        setup=f"one iperf3 stream, {TCP_SECONDS} s, with guard, substitute and anti-spoof; guest on "
              "CPU 1, all else on CPU 0"),
    Group(
        benches=[Bench("loop64-pod", "Mpps", more_is_better=True, bar=BAR)],
        sides={SLUICE: loop_pod, PLAIN: loop_plain},
        runs=7,
        setup=f"{FRAME} B, per direction, with substitute and anti-spoof; generator on CPU 1, switch "
              "on CPU 0"),
    Group(
        benches=[Bench("neigh", "M/s", more_is_better=True, bar=None)],
        sides={SLUICE: neigh},
        runs=5,
        setup="ARP requests answered; asking front-end on CPU 1, switch on CPU 0"),
]
