# SPDX-License-Identifier: BSD-3-Clause
"""Networks as CNI plugins hand them to pods, each with a guest that has the pod's addresses.

    namespace "far"     namespace "node"                        namespace "pod"         guest
    192.168.9.2  <----> 192.168.9.1   what the CNI makes <----> eth0 (untouched)
                                 ^                               └ sluiced ── vm0.sock <-> eth0
                                 └────> namespace "near": another pod of the node

A Network says what is particular about one: how the node serves its pods, what it gives them, and
how a guest is configured that stands for the pod.
"""

import json
import os

from guest import Uml, vhost_user
from lab import wait_until

POD_MAC, NEAR_MAC = "02:00:00:00:aa:02", "02:00:00:00:aa:03"
GUEST_MAC = "aa:fc:00:00:00:11"  # of a guest that has one of its own
FAR4, FAR6 = "192.168.9.2", "fd09::2"


class Network:
    """What all have in common: a node that routes, a host behind it, and two pods."""

    pod4 = near4 = pod6 = near6 = None
    mtu = 1500        # of the pod's interface
    route_mtu = None  # of its default route
    gateway_macs = ()  # that the pod's kernel has been told

    def __init__(self, lab):
        self.lab = lab
        self.guard = None
        self.program = os.path.join(lab.build, "launcher", "sluice-vm")
        self.node = lab.namespace("node")
        self.far = lab.namespace("far")
        self.pod = lab.namespace("pod")
        self.near = lab.namespace("near")
        self._wire_far()
        self.resolv_conf = lab.path("resolv.conf")  # of the pod, as a kubelet writes it
        with open(self.resolv_conf, "w", encoding="ascii") as file:
            file.write(f"search ns.svc.cluster.local sluice.test\nnameserver {FAR4}\n"
                       "options ndots:5\n")
        self.plug("pod", POD_MAC, self.pod4, self.pod6)
        self.plug("near", NEAR_MAC, self.near4, self.near6)
        for pod in (self.pod, self.near):
            pod.settle()

    def _wire_far(self):
        self.node.run(
            "ip link add far0 type veth peer name eth0 netns far\n"
            "ip addr add 192.168.9.1/24 dev far0; ip addr add fd09::1/64 dev far0 nodad\n"
            "ip link set far0 up; ip route add default via 192.168.9.2\n"
            "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        self.far.run(
            f"ip addr add {FAR4}/24 dev eth0; ip addr add {FAR6}/64 dev eth0 nodad\n"
            "ip link set eth0 up; ip route add default via 192.168.9.1\n"
            "ip -6 route add default via fd09::1")

    def link(self, name, mac):
        """A pod's eth0, the node's end of which is called after the pod."""
        self.node.run(f"ip link add {name}0 mtu {self.mtu} type veth peer name eth0 address {mac} "
                      f"mtu {self.mtu} netns {name}")
        # The pod's own addresses are good at once; a guest checks its own.
        self.lab.namespaces[name].run("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad")

    def plug(self, name, mac, ip4, ip6):
        """Connects a pod: its eth0, addresses and routes, and the node's side."""
        raise NotImplementedError

    def guest_setup(self):
        """Shell commands that give a guest what the pod has."""
        raise NotImplementedError

    def addresses(self):
        return [a for a in (self.pod4, self.pod6) if a]

    # --- what runs in the pod

    def ports(self, mode, **guest):
        vm0 = {"name": "vm0", "kind": "vhost-user", "socket": self.lab.path("vm0.sock"),
               "role": "guest", "addresses": self.addresses(), "mtu": self.mtu, **guest}
        if mode == "adopt":
            vm0["mac"] = POD_MAC
        uplink = {"name": "uplink", "kind": "packet", "interface": "eth0", "role": "uplink",
                  "mac-mode": mode}
        return [uplink, vm0]

    def start(self, mode, guard=True, options="", more_ports=(), uplink=None, **guest):
        """Guard and switch, as a launcher starts them."""
        if guard:
            self.hold(options)
        ports = [*self.ports(mode, **guest), *more_ports]
        ports[0].update(uplink or {})
        return self.lab.start(self.lab.config(ports=ports))

    def hold(self, options=""):
        self.guard = self.pod.spawn(f"exec {self.program} guard hold --interface eth0 {options}")
        self.guard.wait_for("is guarded")

    def boot(self, mac=None, index=0, cpu=None):
        vm = Uml(self.lab.workdir, [vhost_user(self.lab.path(f"vm{index}.sock"))],
                 name=f"guest{index}", cpu=cpu)
        self.lab.guests.append(vm)
        if mac:
            vm.run(f"ip link set eth0 address {mac}")
        vm.run("ip link set lo up; ip link set eth0 up\n"
               "until [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do usleep 1000; done\n" +
               (self.guest_setup() if index == 0 else self.second_guest_setup()))
        wait_until(lambda: "tentative" not in vm.run("ip -6 addr show dev eth0"),
                   "the guest's addresses to be checked for duplicates")
        shown = vm.run("ip -6 addr show dev eth0")
        assert "dadfailed" not in shown, shown
        return vm

    def stop_guest(self):
        self.lab.guests.pop().kill()
        self.lab.sluiced.wait_connected("vm0", False)

    def stop(self):
        """Everything of the container is gone at once, as when it is killed."""
        for guest in self.lab.guests:
            guest.kill()
        self.lab.guests.clear()
        self.lab.sluiced.kill()
        if self.guard:
            self.guard.kill()

    def snapshot(self):
        """The pod's network as its owner sees it, without what changes by itself."""
        link = json.loads(self.pod.run("ip -json -details link show dev eth0"))[0]
        addr = json.loads(self.pod.run("ip -json addr show dev eth0"))[0]["addr_info"]
        routes = [json.loads(self.pod.run(f"ip -json {family} route show table all") or "[]")
                  for family in ("-4", "-6")]
        mine = [[r for r in table if r.get("dev") != "sluice0"] for table in routes]
        for table in mine:
            for route in table:
                route.pop("expires", None)
        return {"link": link, "addr": addr, "routes": mine}


class Bridge(Network):
    """A flat subnet on the node's bridge, which is the gateway (bridge plugin, flannel)."""

    pod4, near4, pod6, near6 = "10.0.0.2", "10.0.0.3", "fd00::2", "fd00::3"
    hairpin = "off"

    def _wire_far(self):
        super()._wire_far()
        self.node.run("ip link add br0 address 02:00:00:00:bb:01 type bridge forward_delay 0\n"
                      "ip addr add 10.0.0.254/24 dev br0; ip addr add fd00::254/64 dev br0 nodad\n"
                      "ip link set br0 up")

    def plug(self, name, mac, ip4, ip6):
        self.link(name, mac)
        self.node.run(f"ip link set {name}0 master br0 up\n"
                      f"ip link set {name}0 type bridge_slave hairpin {self.hairpin}")
        # Such plugins turn duplicate address detection off, or wait for it.
        self.lab.namespaces[name].run(
            f"ip link set eth0 up; ip addr add {ip4}/24 dev eth0\n"
            f"ip addr add {ip6}/64 dev eth0 nodad\n"
            "ip route add default via 10.0.0.254; ip -6 route add default via fd00::254")

    def guest_setup(self):
        return (f"ip addr add {self.pod4}/24 dev eth0; ip addr add {self.pod6}/64 dev eth0\n"
                "ip route add default via 10.0.0.254; ip -6 route add default via fd00::254")


    # A guest beside the first, with an address that the pod's kernel does not have.
    second4 = "10.0.0.5"

    def second_port(self):
        return {"name": "vm1", "kind": "vhost-user", "socket": self.lab.path("vm1.sock"),
                "role": "guest", "addresses": [self.second4]}

    def second_guest_setup(self):
        return f"ip addr add {self.second4}/24 dev eth0; ip route add default via 10.0.0.254"


class HairpinBridge(Bridge):
    """The same, with the reflection that bridge plugins turn on."""

    hairpin = "on"


class Routed(Network):
    """Every pod is a link of its own to a node that routes."""

    gateway = "169.254.1.1"

    def gateway_setup(self, name):
        """The node's end of a link: what answers for the gateway."""
        raise NotImplementedError

    def plug(self, name, mac, ip4, ip6):
        pod = self.lab.namespaces[name]
        self.link(name, mac)
        self.node.run(f"ip link set {name}0 up; ip route add {ip4}/32 dev {name}0 scope link\n"
                      f"ip neigh add {ip4} lladdr {mac} dev {name}0 nud permanent\n"
                      f"{self.gateway_setup(name)}")
        pod.run(f"ip link set eth0 up; ip addr add {ip4}/32 dev eth0\n"
                f"ip route add {self.gateway} dev eth0 scope link\n"
                f"ip route add default via {self.gateway} {self._mtu_words()}")

    def _mtu_words(self):
        return f"mtu {self.route_mtu}" if self.route_mtu else ""

    def guest_setup(self):
        return (f"ip addr add {self.pod4}/32 dev eth0\n"
                f"ip route add {self.gateway} dev eth0 scope link\n"
                f"ip route add default via {self.gateway} {self._mtu_words()}")

    def node_mac(self, name="pod"):
        return json.loads(self.node.run(f"ip -json link show dev {name}0"))[0]["address"]


class Calico(Routed):
    """/32 addresses, a gateway that is answered for by proxy ARP, a static entry for the pod."""

    pod4, near4, pod6, near6 = "10.1.0.2", "10.1.0.3", "fd01::2", "fd01::3"

    def gateway_setup(self, name):
        return (f"ip link set {name}0 down; ip link set {name}0 address ee:ee:ee:ee:ee:ee up\n"
                f"echo 1 >/proc/sys/net/ipv4/conf/{name}0/proxy_arp\n"
                f"echo 0 >/proc/sys/net/ipv4/neigh/{name}0/proxy_delay\n"
                f"ip -6 addr flush dev {name}0; ip addr add fe80::1/64 dev {name}0 nodad\n"
                f"ip route replace {getattr(self, name + '4')}/32 dev {name}0 scope link\n"
                f"ip neigh replace {getattr(self, name + '4')} dev {name}0 nud permanent lladdr "
                f"{POD_MAC if name == 'pod' else NEAR_MAC}\n"
                f"ip -6 route add {getattr(self, name + '6')}/128 dev {name}0")

    def plug(self, name, mac, ip4, ip6):
        super().plug(name, mac, ip4, ip6)
        self.lab.namespaces[name].run(
            f"ip addr add {ip6}/128 dev eth0 nodad; ip -6 route add default via fe80::1 dev eth0")

    def guest_setup(self):
        return (super().guest_setup() + f"\nip addr add {self.pod6}/128 dev eth0\n"
                "ip -6 route add default via fe80::1 dev eth0")


class Aws(Routed):
    """A gateway that answers nobody: the pod's kernel was given its address for good."""

    pod4, near4 = "10.2.0.2", "10.2.0.3"

    def gateway_setup(self, name):
        # Requests that arrive are ignored, whoever they ask for.
        return f"echo 8 >/proc/sys/net/ipv4/conf/{name}0/arp_ignore"

    def plug(self, name, mac, ip4, ip6):
        super().plug(name, mac, ip4, ip6)
        self.lab.namespaces[name].run(
            f"ip neigh add {self.gateway} lladdr {self.node_mac(name)} dev eth0 nud permanent")


class Cilium(Routed):
    """The node's address is the gateway; its route is narrower than its link; sources are checked."""

    pod4, near4 = "10.3.0.2", "10.3.0.3"
    gateway = "10.3.0.1"
    route_mtu = 1450

    def gateway_setup(self, name):
        ip4, mac = getattr(self, name + "4"), POD_MAC if name == "pod" else NEAR_MAC
        return (f"ip addr add {self.gateway}/32 dev {name}0\n"
                f"nft add table netdev check_{name}\n"
                f"nft 'add chain netdev check_{name} in "
                f"{{ type filter hook ingress device {name}0 priority 0; }}'\n"
                f"nft add counter netdev check_{name} foreign\n"
                f"nft add rule netdev check_{name} in ether saddr != {mac} "
                "counter name foreign drop\n"
                f"nft add rule netdev check_{name} in ip saddr != {ip4} "
                "counter name foreign drop")

    def n_foreign(self):
        """Frames from the pod that its network refused."""
        shown = json.loads(self.node.run("nft -j list counters table netdev check_pod"))
        return next(o["counter"]["packets"] for o in shown["nftables"] if "counter" in o)
