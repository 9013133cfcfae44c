# SPDX-License-Identifier: BSD-3-Clause
"""A guest with the pod's addresses, in the networks of every kind of CNI, seen from the others' side.

For each network and MAC mode: who can be reached and who reaches the guest, what survives a restart,
and that the pod's own eth0 is left exactly as the CNI made it.
"""

import json
import os

from cni import FAR4, FAR6, GUEST_MAC, POD_MAC, Aws, Bridge, Calico, Cilium, HairpinBridge
from lab import arping, ping, tcp, wait_until
from suite import test

SUITE = "pod"

MIB = 1 << 20

NETWORKS = {"bridge": Bridge, "hairpin": HairpinBridge, "calico": Calico, "aws": Aws,
            "cilium": Cilium}
MODES = ("adopt", "substitute")
CASES = {f"{name}/{mode}": (kind, mode) for name, kind in NETWORKS.items() for mode in MODES}

# Drops that say nothing bad about a pod: strangers' broadcasts, and what the kernel answers too.
HARMLESS = ("reflected", "unbound", "not_ours", "kernel_answers", "port_down")


def pairs(net):
    """(who is there, its address, the guest's address of that family)"""
    yield net.near, net.near4, net.pod4
    yield net.far, FAR4, net.pod4
    if net.pod6:
        yield net.near, net.near6, net.pod6
        yield net.far, FAR6, net.pod6


def check_reach(net, vm, n_bytes=32 * MIB):
    """Ping and TCP both ways, with everybody."""
    for port, (who, theirs, ours) in enumerate(pairs(net), start=5001):
        ping(vm, theirs, count=1)
        ping(who, ours, count=1)
        tcp(vm, who, theirs, n_bytes, port=port)
        tcp(who, vm, ours, n_bytes, port=port + 100)


def check_mtu(net, vm):
    """What fits the path goes unfragmented; nothing vanishes."""
    fits = (net.route_mtu or net.mtu) - 28
    vm.run(f"ping -c 1 -W 20 -M do -s {fits} {FAR4} 2>/dev/null || "
           f"ping -c 1 -W 20 -s {fits} {FAR4}")
    vm.run(f"ping -c 1 -W 20 -s {fits + 1000} {FAR4}")


def check_names(net, vm):
    """The guest asks the pod's resolver, which is what inspect says it is."""
    here = os.path.dirname(os.path.abspath(__file__))
    server = net.far.spawn(f"exec {here}/dns_server.py {FAR4} www.sluice.test 192.168.9.77")
    server.wait_for("ready")
    resolver = json.loads(net.pod.run(
        f"mount --bind {net.resolv_conf} /etc/resolv.conf && {net.program} inspect --json"))["resolv_conf"]
    lines = [f"nameserver {s['address']}" for s in resolver["nameservers"]]
    lines.append("search " + " ".join(resolver["search"]))
    vm.run("mkdir -p /etc; printf '%s\\n' " + " ".join(f"'{line}'" for line in lines) +
           " >/etc/resolv.conf")
    said = vm.run("nslookup www.sluice.test")
    assert "192.168.9.77" in said, said
    server.kill()


def check_untouched(net, before):
    now = net.snapshot()
    for what, was in before.items():
        assert now[what] == was, f"{what} of the pod was\n{was}\nand is\n{now[what]}"


@test(limit=60, each=CASES)
def pod_network(lab, case):
    kind, mode = case
    net = kind(lab)
    before = net.snapshot()
    sw = net.start(mode)
    vm = net.boot(GUEST_MAC if mode == "substitute" else None)
    check_reach(net, vm)
    check_mtu(net, vm)
    check_names(net, vm)
    check_untouched(net, before)
    found = sw.drops(*HARMLESS)
    assert not found, f"drops: {found}"
    if isinstance(net, Cilium):
        assert net.n_foreign() == 0, "the network refused frames of the pod"


@test(limit=60, each={"bridge/substitute": (Bridge, "substitute"),
                      "hairpin/adopt": (HairpinBridge, "adopt"), "calico/adopt": (Calico, "adopt"),
                      "aws/substitute": (Aws, "substitute"), "cilium/substitute": (Cilium, "substitute")})
def pod_restarts(lab, case):
    """The guest, the switch, and the whole container start again and find all as the first did."""
    kind, mode = case
    net = kind(lab)
    before = net.snapshot()
    net.start(mode)
    net.boot()
    net.stop_guest()
    vm = net.boot(GUEST_MAC if mode == "substitute" else None)
    ping(vm, FAR4)
    net.stop_guest()
    lab.sluiced.kill()
    net.start(mode, guard=False)
    net.boot()
    ping(net.far, net.pod4)
    net.stop()
    check_untouched(net, before)
    net.start(mode)
    vm = net.boot()
    check_reach(net, vm, 8 * MIB)
    check_untouched(net, before)


@test(limit=60)
def kernel_is_mute(lab):
    """The pod's kernel, which has the same address, neither resets nor answers the guest's peers."""
    net = Bridge(lab)
    net.start("adopt")
    vm = net.boot()
    resets = net.near.spawn("exec tcpdump -l -n -i eth0 'tcp[tcpflags] & tcp-rst != 0'")
    resets.wait_for("listening")
    ping(vm, net.near4, count=1)
    tcp(net.near, vm, net.pod4, 4 * MIB)
    tcp(vm, net.near, net.near4, 4 * MIB, port=5002)
    # Only now a reset, the guest's own: nobody listens there.
    status, _ = net.near.try_run(f"busybox nc -w 2 {net.pod4} 4242 </dev/null")
    assert status != 0
    resets.wait_for("Flags [R")
    assert resets.text.count("Flags [R") == 1, resets.text


@test(limit=60, each={"adopt": "adopt", "substitute": "substitute"})
def arp_is_answered_once(lab, mode):
    """Whoever asks for the pod's address hears one answer, the pod's MAC address."""
    net = Bridge(lab)
    net.start(mode)
    vm = net.boot(GUEST_MAC if mode == "substitute" else None)
    ping(vm, net.near4)
    for _ in range(3):
        said = arping(net.near, f"-c 1 -w 2 -I eth0 {net.pod4}")
        replies = [line for line in said.splitlines() if "reply from" in line]
        assert len(replies) == 1 and POD_MAC in replies[0].lower(), said


@test(limit=60)
def a_random_address_fails_on_a_bridge(lab):
    """The network knows the pod's MAC address and no other: transparent does not do."""
    net = Calico(lab)
    net.start("transparent")
    vm = net.boot(GUEST_MAC)
    status, said = vm.try_run(f"ping -c 1 -W 2 {FAR4}")
    assert status != 0, said


@test(limit=60)
def guest_changes_its_address(lab):
    net = Calico(lab)
    sw = net.start("substitute")
    vm = net.boot(GUEST_MAC)
    ping(net.far, net.pod4)
    vm.run("ip link set eth0 down; ip link set eth0 address aa:fc:00:00:00:12 up\n" +
           net.guest_setup().replace("ip addr add", "ip addr replace"))
    ping(vm, FAR4)
    ping(net.far, net.pod4)
    bindings = {b["local"]: b for b in sw.ctl("binding", "show")}
    assert bindings[net.pod4]["lladdr"] == "aa:fc:00:00:00:12", bindings


@test(limit=60)
def spoofers_are_stopped(lab):
    """A guest that claims another's address, or the gateway's: dropped, counted, without effect."""
    net = Bridge(lab)
    sw = net.start("substitute")
    vm = net.boot(GUEST_MAC)
    ping(vm, net.near4)

    def known():
        return [n.get("lladdr") for n in json.loads(net.near.run("ip -json neigh show 10.0.0.254"))]
    before = known()
    vm.run("ip addr add 10.0.0.3/24 dev eth0; ip addr add 10.0.0.254/24 dev eth0")
    vm.try_run("ping -c 2 -W 1 -I 10.0.0.3 10.0.0.254")
    vm.try_run("arping -c 2 -w 3 -U -s 10.0.0.254 -I eth0 10.0.0.254")
    wait_until(lambda: sw.drops().get("vm0", {}).get("spoof_neigh"), "spoofed ARP to be counted")
    assert known() == before
