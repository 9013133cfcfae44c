# SPDX-License-Identifier: BSD-3-Clause
"""What is particular about some pods: few capabilities, odd guests, gateways that do not answer."""

from cni import FAR4, GUEST_MAC, POD_MAC, Aws, Bridge, Calico, Cilium
from lab import arping, ping, tcp, wait_until
from suite import test

SUITE = "pod"

MIB = 1 << 20
ONLY_NET_RAW = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw")


@test(limit=60)
def without_net_admin(lab):
    """No bridge, no promiscuous mode, no routes, no guard; an eth0 without an address."""
    net = Bridge(lab)
    net.pod.run("ip -4 addr flush dev eth0; ip -6 addr flush dev eth0\n"
                "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    words = " ".join(ONLY_NET_RAW)
    for forbidden in ("link set eth0 promisc on", "link add br9 type bridge",
                      "route add 10.99.0.0/16 dev eth0"):
        status, said = net.pod.try_run(f"{words} ip {forbidden}")
        assert status != 0 and "not permitted" in said, said
    guard = net.pod.spawn(f"exec {words} {net.program} guard hold --interface eth0")
    guard.wait_for("\n")
    sw = lab.start(lab.config(ports=net.ports("substitute")), prefix=ONLY_NET_RAW)
    vm = net.boot(GUEST_MAC)
    for address in (net.near4, FAR4, net.near6):
        ping(vm, address)
    ping(net.near, net.pod4)
    tcp(net.near, vm, net.pod4, 32 * MIB)
    tcp(vm, net.far, FAR4, 32 * MIB, port=5002)
    assert not sw.drops("unbound", "not_ours", "port_down", "socket_full"), sw.drops()
    # Nobody else has the address: the guest answers for it, with the pod's MAC.
    said = arping(net.near, f"-c 1 -w 2 -I eth0 {net.pod4}")
    assert said.lower().count(POD_MAC) == 1, said


@test(limit=30)
def without_net_admin_but_with_an_address(lab):
    """There a guard is needed and cannot be had: one line says so."""
    net = Bridge(lab)
    status, said = net.pod.try_run(f"{' '.join(ONLY_NET_RAW)} {net.program} guard hold")
    assert status != 0 and "reset" in said and said.count("\n") == 1, said


@test(limit=60)
def guest_with_a_pair_of_addresses(lab):
    """A guest that knows no on-link routes: a /31, the other one of which stands for the gateway."""
    net = Calico(lab)
    net.start("substitute", **{"point-to-point": True})
    net.guest_setup = lambda: ("ip addr add 10.1.0.2/31 dev eth0\n"
                               "ip route add default via 10.1.0.3 dev eth0")
    vm = net.boot(GUEST_MAC)
    ping(vm, FAR4)
    tcp(vm, net.far, FAR4, 32 * MIB)
    tcp(net.far, vm, net.pod4, 32 * MIB, port=5002)
    neighbours = vm.run("ip neigh show 10.1.0.3")
    assert "ee:ee:ee:ee:ee:ee" in neighbours, neighbours


@test(limit=60)
def guest_is_announced(lab):
    """The network hears where the pod's address is, three times, when its guest appears."""
    net = Bridge(lab)
    net.start("substitute")
    heard = net.near.spawn("exec tcpdump -l -e -n -i eth0 'arp or (icmp6 and ip6[40] == 136)'")
    heard.wait_for("listening")
    vm = net.boot(GUEST_MAC)
    vm.run("ip neigh flush dev eth0")
    ping(vm, net.near4, count=1)
    ping(vm, net.near6, count=1)

    def announcements():
        heard.poll()
        lines = [line for line in heard.text.splitlines() if POD_MAC in line]
        return (sum(f"who-has {net.pod4} tell {net.pod4}" in line for line in lines),
                sum(f"> ff02::1: ICMP6, neighbor advertisement, tgt is {net.pod6}," in line
                    for line in lines))
    wait_until(lambda: min(announcements()) >= 3, "three announcements of each address")
    assert GUEST_MAC not in heard.text, heard.text


@test(limit=30)
def gateway_is_resolved(lab):
    """The switch asks for the gateway itself, before there is any guest to do so."""
    net = Calico(lab)
    sw = net.start("adopt")

    def known():
        return {n["dst"]: n["lladdr"] for n in sw.ctl("neighbour", "show") if n["gateway"]}
    wait_until(lambda: known() == {"169.254.1.1": "ee:ee:ee:ee:ee:ee",
                                   "fe80::1": "ee:ee:ee:ee:ee:ee"}, "both gateways to be known")


@test(limit=60, each={"static": "static", "off": "off"})
def neighbours_are_chosen(lab, mode):
    """A gateway that answers nobody is known from the pod's kernel, unless that is turned off."""
    net = Aws(lab)
    sw = net.start("adopt", uplink={"neighbours": mode})
    vm = net.boot()
    if mode == "static":
        ping(vm, FAR4)
    else:
        status, said = vm.try_run(f"ping -c 2 -W 2 {FAR4}")
        assert status != 0, said
    sw.ctl("neighbour", "add", "10.2.0.99", "02:00:00:00:00:99")
    vm.run("ip route add 10.2.0.99 dev eth0")
    question = "-c 1 -w 2 -I eth0 10.2.0.99"
    said = arping(vm, question) if mode == "static" else vm.try_run(f"arping {question}")[1]
    assert ("02:00:00:00:00:99" in said.lower()) == (mode == "static"), said
    sw.ctl("neighbour", "del", "10.2.0.99")
    assert "10.2.0.99" not in {n["dst"] for n in sw.ctl("neighbour", "show")}


@test(limit=60)
def guest_of_a_lab_is_found_out(lab):
    """Addresses that nobody configured are learned from their guest, up to its limit."""
    net = Bridge(lab)
    sw = net.start("substitute", addresses=[], **{"anti-spoof": "off", "binding-limit": 3})
    net.guest_setup = lambda: "ip addr add 10.0.0.7/24 dev eth0"
    vm = net.boot(GUEST_MAC)
    ping(vm, net.near4)
    ping(net.near, "10.0.0.7")
    tcp(net.near, vm, "10.0.0.7", 16 * MIB)
    for i in (8, 9, 10, 11):
        vm.run(f"ip addr add 10.0.0.{i}/24 dev eth0")
        vm.try_run(f"ping -c 1 -W 1 -I 10.0.0.{i} {net.near4}")
    # The gateway's is nobody's to take, however free there is a place.
    vm.try_run("arping -c 1 -w 1 -U -s 10.0.0.254 -I eth0 10.0.0.254")

    def bound():
        return {b["local"] for b in sw.ctl("binding", "show") if ":" not in b["local"]}
    wait_until(lambda: len(bound()) >= 3, "three addresses to be learned")
    assert bound() == {"10.0.0.7", "10.0.0.8", "10.0.0.9"}, bound()


@test(limit=60)
def dhcp_lease_of_the_pod(lab):
    """A guest with a MAC address of its own gets the lease that is the pod's."""
    net = Bridge(lab)
    conf = lab.path("udhcpd.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write("start 10.0.0.100\nend 10.0.0.110\ninterface eth0\n"
                   f"lease_file {lab.path('leases')}\nopt subnet 255.255.255.0\n"
                   f"opt router 10.0.0.254\nstatic_lease {POD_MAC} {net.pod4}\n")
    open(lab.path("leases"), "w", encoding="ascii").close()
    net.start("substitute")
    net.near.spawn(f"exec busybox udhcpd -f {conf}").wait_for("started")
    net.guest_setup = lambda: ""
    vm = net.boot(GUEST_MAC)
    vm.run("printf '#!/bin/sh\\n[ \"$1\" = bound ] && ip addr add $ip/24 dev eth0\\nexit 0\\n' "
           ">/tmp/lease; chmod +x /tmp/lease; udhcpc -i eth0 -n -q -t 20 -T 1 -s /tmp/lease")
    assert net.pod4 in vm.run("ip -4 addr show dev eth0")
    ping(vm, net.near4)


@test(limit=60)
def segments_fit_the_route(lab):
    """Both ends of a connection are told the route's MTU: nothing of it is ever fragmented."""
    net = Cilium(lab)
    net.start("substitute")
    vm = net.boot(GUEST_MAC)
    heard = net.far.spawn("exec tcpdump -l -v -n -i eth0 'tcp[tcpflags] & tcp-syn != 0 or "
                          "ip[6:2] & 0x3fff != 0'")
    heard.wait_for("listening")
    tcp(vm, net.far, FAR4, 16 * MIB)
    tcp(net.far, vm, net.pod4, 16 * MIB, port=5002)
    heard.wait_for("mss 1410")
    assert "offset 1" not in heard.text and "flags [+]" not in heard.text, heard.text
