# SPDX-License-Identifier: BSD-3-Clause
"""sluice-vm inspect, in namespaces that were set up as network plugins set up a pod.

    namespace "node"  br0? -- pod0  <- veth ->  eth0  namespace "pod"

No guest and no sluiced: what counts is that inspect says what was set up, and waits as it should.
"""

import json
import os
import re
import time

from lab import LabError, wait_until
from suite import test

SUITE = "pod"

POD_MAC = "02:00:00:00:aa:01"
NODE_MAC = "ee:ee:ee:ee:ee:ee"

# What a route is unless it says otherwise.
PLAIN_ROUTE = {"type": "unicast", "flags": [], "table": 254, "metric": 0, "scope": "global"}


class Pod:
    """A pod's namespace with an eth0, and inspect in it."""

    def __init__(self, lab, mtu=1500, ipv6=True):
        self.node = lab.namespace("node")
        self.space = lab.namespace("pod")
        self.program = os.path.join(lab.build, "launcher", "sluice-vm")
        self.stderr_path = lab.path("stderr")
        self.stderr = ""
        self.node.run("set -e; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6\n"
                      f"ip link add pod0 address {NODE_MAC} mtu {mtu} type veth "
                      f"peer name eth0 address {POD_MAC} mtu {mtu} netns pod\n"
                      "ip link set pod0 up")
        if not ipv6:
            self.run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
        self.run("ip link set eth0 up")

    def run(self, command):
        """All of it must succeed."""
        return self.space.run("set -e\n" + command)

    def ip(self, words):
        return json.loads(self.run(f"ip -json {words}"))

    def try_inspect(self, options=""):
        """(exit status, standard output); the standard error is in self.stderr."""
        done = self.space.try_run(f"{self.program} inspect {options} 2>{self.stderr_path}")
        with open(self.stderr_path, encoding="utf-8") as file:
            self.stderr = file.read()
        return done

    def inspect(self, options="", warning=None):
        """What inspect --json says, with at most the expected warning."""
        status, output = self.try_inspect(f"--json {options}")
        if status != 0:
            raise LabError(f"inspect {options}: exit status {status}: {self.stderr}")
        if warning is None:
            assert self.stderr == "", self.stderr
        else:
            assert warning in self.stderr and self.stderr.count("\n") == 1, self.stderr
        return json.loads(output)

    def refused(self, options, message, code=1):
        """inspect must fail with one line that says so."""
        status, output = self.try_inspect(options)
        assert (status, output) == (code, ""), (status, output, self.stderr)
        assert self.stderr.startswith("sluice-vm inspect: "), self.stderr
        assert message in self.stderr and self.stderr.count("\n") == 1, self.stderr


def interface(net, name="eth0"):
    return next(i for i in net["interfaces"] if i["ifname"] == name)


def addresses(net, name="eth0"):
    """All but what the kernel gives itself, as address/length."""
    return [f"{a['local']}/{a['prefixlen']}" for a in interface(net, name)["addresses"]
            if a["scope"] == "global"]


def routes(net, family="inet"):
    """Without the kernel's own, and without what goes without saying."""
    return [{key: value for key, value in route.items()
             if key not in ("family", "protocol") and PLAIN_ROUTE.get(key) != value}
            for route in net["routes"]
            if route["family"] == family and route["protocol"] != "kernel"]


def rules(net, family="inet"):
    """Without the three that every namespace is born with."""
    return [rule for rule in net["rules"]
            if rule["family"] == family and rule["priority"] not in (0, 32766, 32767)]


def seconds(function, *args, **kwargs):
    """(how long it took, its result)."""
    started = time.monotonic()
    result = function(*args, **kwargs)
    return time.monotonic() - started, result


@test(limit=30)
def inspect_flat_bridge(lab):
    """A subnet of the node's bridge, both families, an MTU of its own."""
    pod = Pod(lab, mtu=1450)
    pod.node.run("set -e\nip link add br0 type bridge forward_delay 0; ip link set br0 up\n"
                 "ip link set pod0 master br0; ip addr add 10.244.1.1/24 dev br0")
    pod.run("ip addr add 10.244.1.5/24 brd + dev eth0\n"
            "ip addr add fd00:1::5/64 dev eth0 nodad\n"
            "ip route add default via 10.244.1.1\nip -6 route add default via fd00:1::1")
    net = pod.inspect()
    eth0 = interface(net)
    assert (net["interface"], net["address_state"]) == ("eth0", "ready"), net
    assert {k: eth0[k] for k in ("address", "mtu", "operstate", "link_type", "info_kind")} == {
        "address": POD_MAC, "mtu": 1450, "operstate": "UP", "link_type": "ether",
        "info_kind": "veth"}, eth0
    assert addresses(net) == ["10.244.1.5/24", "fd00:1::5/64"], eth0
    assert eth0["addresses"][0]["broadcast"] == "10.244.1.255", eth0
    assert routes(net) == [{"dst": "default", "gateway": "10.244.1.1", "dev": "eth0"}]
    assert routes(net, "inet6") == [
        {"dst": "default", "gateway": "fd00:1::1", "dev": "eth0", "metric": 1024}]
    assert rules(net) == [] and net["neighbours"] == [], net
    # The bridge is the node's, and the node's interface there is none of ours.
    assert [i["ifname"] for i in net["interfaces"]] == ["lo", "eth0"], net


@test(limit=30)
def inspect_calico(lab):
    """A /32 whose gateway is on the link by a route; it comes before the route that needs it."""
    pod = Pod(lab)
    pod.run("ip addr add 192.168.7.9/32 dev eth0\n"
            "ip route add 169.254.1.1 dev eth0 scope link\n"
            "ip route add default via 169.254.1.1 dev eth0")
    # The node answers for the gateway as it has a route to it, a route by another interface.
    pod.node.run("set -e\necho 1 >/proc/sys/net/ipv4/ip_forward\n"
                 "echo 1 >/proc/sys/net/ipv4/conf/pod0/proxy_arp\n"
                 "echo 0 >/proc/sys/net/ipv4/neigh/pod0/proxy_delay\n"
                 "ip route add 192.168.7.9 dev pod0 scope link\n"
                 "ip link add uplink type veth peer name far; ip link set uplink up\n"
                 "ip addr add 10.9.9.9/32 dev uplink; ip route add default dev uplink")
    pod.run("busybox ping -c 1 -W 20 10.9.9.9")
    net = pod.inspect()
    assert addresses(net) == ["192.168.7.9/32"], interface(net)
    assert routes(net) == [{"dst": "169.254.1.1", "dev": "eth0", "scope": "link"},
                           {"dst": "default", "gateway": "169.254.1.1", "dev": "eth0"}]
    neighbour = net["neighbours"][0]
    assert neighbour["state"][0] in ("REACHABLE", "DELAY", "STALE", "PROBE"), net
    assert (neighbour["dst"], neighbour["lladdr"]) == ("169.254.1.1", NODE_MAC), net


@test(limit=30)
def inspect_aws(lab):
    """A permanent neighbour for the gateway; a second interface by policy rule and table."""
    pod = Pod(lab)
    pod.run("ip addr add 10.0.3.4/32 dev eth0\nip addr add 10.0.9.8/32 dev eth0\n"
            "ip route add 169.254.1.1 dev eth0 scope link\n"
            "ip route add default via 169.254.1.1 dev eth0\n"
            f"ip neigh add 169.254.1.1 lladdr {NODE_MAC} nud permanent dev eth0\n"
            "ip route add 169.254.1.2 dev eth0 scope link table 2\n"
            "ip route add default via 169.254.1.2 dev eth0 onlink table 2\n"
            "ip rule add from 10.0.9.8 lookup 2 priority 512\n"
            "ip rule add not to 10.0.0.0/16 fwmark 0x80/0xff iif eth0 lookup 1000 priority 600\n"
            "ip -6 rule add from fd00::/8 priority 700 prohibit")
    net = pod.inspect()
    assert net["neighbours"] == [{"dst": "169.254.1.1", "dev": "eth0", "lladdr": NODE_MAC,
                                  "state": ["PERMANENT"]}], net["neighbours"]
    second = [route for route in routes(net) if route.get("table") == 2]
    assert second == [{"dst": "169.254.1.2", "dev": "eth0", "scope": "link", "table": 2},
                      {"dst": "default", "gateway": "169.254.1.2", "dev": "eth0",
                       "flags": ["onlink"], "table": 2}], net["routes"]
    common = {"family": "inet", "action": "lookup", "protocol": "unspec"}
    assert rules(net) == [
        {**common, "priority": 512, "src": "10.0.9.8", "srclen": 32, "table": 2},
        {**common, "priority": 600, "not": True, "src": "all", "dst": "10.0.0.0", "dstlen": 16,
         "iif": "eth0", "fwmark": 0x80, "fwmask": 0xff, "table": 1000}], net["rules"]
    assert rules(net, "inet6") == [
        {"family": "inet6", "priority": 700, "src": "fd00::", "srclen": 8, "action": "prohibit",
         "protocol": "unspec"}], net["rules"]


@test(limit=30)
def inspect_cilium(lab):
    """The gateway by a /32 route, the default route with an MTU that the link does not have."""
    pod = Pod(lab)
    pod.run("ip addr add 10.0.1.17/32 dev eth0\n"
            "ip route add 10.0.1.200/32 dev eth0 scope link\n"
            "ip route add default via 10.0.1.200 dev eth0 src 10.0.1.17 mtu 1450")
    net = pod.inspect()
    assert interface(net)["mtu"] == 1500, net
    assert routes(net) == [
        {"dst": "10.0.1.200", "dev": "eth0", "scope": "link"},
        {"dst": "default", "gateway": "10.0.1.200", "dev": "eth0", "prefsrc": "10.0.1.17",
         "metrics": {"mtu": 1450}}], net["routes"]


@test(limit=30)
def inspect_ipv6_only(lab):
    """A /128 whose gateway is the link-local address of the node's end."""
    pod = Pod(lab)
    pod.run("ip addr add fd00:7::9/128 dev eth0 nodad\n"
            "ip -6 route add default via fe80::ecee:eeff:feee:eeee dev eth0\n"
            f"ip neigh add fe80::ecee:eeff:feee:eeee lladdr {NODE_MAC} nud permanent dev eth0 "
            "router")
    net = pod.inspect()
    assert net["interface"] == "eth0" and addresses(net) == ["fd00:7::9/128"], net
    assert routes(net, "inet6") == [{"dst": "default", "gateway": "fe80::ecee:eeff:feee:eeee",
                                     "dev": "eth0", "metric": 1024}], net["routes"]
    assert net["neighbours"] == [
        {"dst": "fe80::ecee:eeff:feee:eeee", "dev": "eth0", "lladdr": NODE_MAC,
         "state": ["PERMANENT"], "router": True}], net["neighbours"]
    # A route that only IPv6 has decides, even beside an interface with an IPv4 address.
    pod.run("ip link add net1 type veth peer name x; ip addr add 10.1.0.2/24 dev net1\n"
            "ip link set net1 up")
    assert pod.inspect()["interface"] == "eth0"


@test(limit=30)
def inspect_several_defaults(lab):
    """The default route of the lowest metric tells the pod's interface, --interface another."""
    pod = Pod(lab)
    pod.run("ip link add net1 type veth peer name net1 netns node; ip link set net1 up\n"
            "ip addr add 10.0.0.2/24 dev eth0; ip addr add 10.1.0.2/24 dev net1\n"
            "ip netns exec node ip link set net1 up\n"
            "ip route add default via 10.0.0.1 metric 200\n"
            "ip route add default via 10.1.0.1 metric 100\n"
            "ip route add default via 10.0.0.254 metric 300\n"
            "ip route add default via 10.0.0.1 table 7\n"
            "ip route add 172.16.0.0/12 nexthop via 10.0.0.1 weight 3 nexthop via 10.1.0.1")
    net = pod.inspect()
    assert net["interface"] == "net1", net
    defaults = [(r["gateway"], r["dev"], r["metric"], r["table"]) for r in net["routes"]
                if r["dst"] == "default"]
    assert sorted(defaults, key=lambda r: (r[3], r[2])) == [
        ("10.0.0.1", "eth0", 0, 7), ("10.1.0.1", "net1", 100, 254), ("10.0.0.1", "eth0", 200, 254),
        ("10.0.0.254", "eth0", 300, 254)], defaults
    multipath = next(r for r in net["routes"] if r["dst"] == "172.16.0.0/12")
    assert multipath["nexthops"] == [
        {"gateway": "10.0.0.1", "dev": "eth0", "weight": 3, "flags": []},
        {"gateway": "10.1.0.1", "dev": "net1", "weight": 1, "flags": []}], multipath
    assert pod.inspect("--interface eth0")["interface"] == "eth0"
    # Sluice's own interface is never the pod's, whatever the routes say.
    pod.run("ip link add sluice0 type veth peer name sluice0p; ip link set sluice0 up\n"
            "ip addr add 169.254.1.254/32 dev sluice0\n"
            "ip route add default dev sluice0 scope link metric 1")
    assert pod.inspect()["interface"] == "net1"


def assert_like_ip(ours, theirs, keys):
    """Entry by entry, the same values of `keys`."""
    assert len(ours) == len(theirs), (ours, theirs)
    for our, their in zip(ours, theirs):
        for key in keys:
            assert our.get(key) == their.get(key), (key, our, their)


def by_key(entries, *keys):
    return sorted(entries, key=lambda entry: [str(entry.get(key)) for key in keys])


def compare_interfaces(pod, net):
    ours, theirs = by_key(net["interfaces"], "ifname"), by_key(pod.ip("-d addr"), "ifname")
    assert_like_ip(ours, theirs, ["ifindex", "ifname", "mtu", "operstate", "link_type", "master"])
    for our, their in zip(ours, theirs):
        # M-DOWN is ip's guess at the far end.
        assert set(our["flags"]) == set(their["flags"]) - {"M-DOWN"}, (our, their)
        assert our.get("info_kind") == their.get("linkinfo", {}).get("info_kind"), (our, their)
        assert our["link_type"] == "loopback" or our["address"] == their["address"], (our, their)
        assert_like_ip(our["addresses"], their["addr_info"],
                       ["family", "local", "prefixlen", "scope", "address", "broadcast", "label",
                        "deprecated", "noprefixroute", "secondary", "tentative", "nodad"])


def compare_routes(pod, net, family, option):
    tables = {"main": 254, "local": 255}
    theirs = {}
    for route in pod.ip(f"-d {option} route show table all"):
        table = route.get("table", "main")
        route["table"] = tables.get(table) or int(table)
        route["metric"] = route.get("metric", 0)
        route["metrics"] = route.get("metrics", [None])[0]
        if route.get("pref") == "medium":
            del route["pref"]
        if (table, route["protocol"]) != ("local", "kernel"):
            theirs[json.dumps(route, sort_keys=True)] = route  # ip lists some of IPv6 twice
    keys = ["dst", "table", "metric", "dev"]
    assert_like_ip(by_key([r for r in net["routes"] if r["family"] == family], *keys),
                   by_key(theirs.values(), *keys),
                   keys + ["type", "gateway", "via", "prefsrc", "flags", "metrics", "from", "pref",
                           "scope", "protocol"])


def compare_neighbours_and_rules(pod, net, family, option):
    ours = [n for n in net["neighbours"] if (":" in n["dst"]) == (family == "inet6")]
    assert_like_ip(by_key(ours, "dst"), by_key(pod.ip(f"{option} neigh"), "dst"),
                   ["dst", "dev", "lladdr", "state"])
    ours = [rule for rule in net["rules"] if rule["family"] == family]
    theirs = [{**rule, "table": int(rule["table"]) if "table" in rule else None}
              for rule in pod.ip(f"-N {option} rule")]
    assert_like_ip(ours, theirs, ["priority", "src", "srclen", "dst", "dstlen", "goto", "table",
                                  "uid_start", "uid_end", "dport_start", "dport_end"])


CROWD = f"""\
ip link add br0 type bridge; ip link add d0 mtu 9000 type veth peer name d1
ip link set d0 master br0 up; ip link set br0 up; ip addr add 10.3.0.1/16 dev br0
ip addr add 10.0.0.2 peer 10.0.0.1/32 dev eth0
ip addr add 10.0.5.2/24 brd + dev eth0 label eth0:1
ip addr add 10.0.5.3/24 dev eth0 valid_lft 1000 preferred_lft 500
ip addr add 10.0.6.1/24 dev eth0 noprefixroute
ip addr add 10.9.9.9/32 dev lo
ip addr add fd00::2/64 dev eth0 nodad
ip addr add fd00::3/64 dev eth0 nodad preferred_lft 0
ip route add default via 10.0.0.1 dev eth0 proto static mtu 1400 advmss 1300
ip route add 10.200.0.0/16 via inet6 fe80::1 dev eth0 onlink proto bird
ip route add 10.77.0.0/16 dev br0 src 10.3.0.1 metric 5 tos 0x10
ip route add unreachable 10.66.0.0/16
ip route add local 10.55.0.0/16 dev lo table 9
ip -6 route add fd01::/16 via fd00::1 metric 7
ip -6 route add blackhole fd02::/16
ip -6 route add fd04::/16 from fd00::/64 via fd00::1
ip -6 route add fd05::/16 dev eth0 pref low
ip neigh add 10.0.0.1 lladdr {NODE_MAC} nud permanent dev eth0
ip neigh add 10.0.5.9 lladdr {NODE_MAC} nud reachable dev eth0
ip neigh add fd00::1 lladdr {NODE_MAC} nud stale dev eth0 router
ip rule add uidrange 1-9 ipproto tcp dport 80-90 goto 32766 priority 9
ip rule add suppress_prefixlength 0 lookup main priority 8
"""


@test(limit=30)
def inspect_is_what_ip_says(lab):
    """All of a crowded namespace, entry by entry beside ip -json; and nothing is changed."""
    pod = Pod(lab)
    pod.run(CROWD)
    pod.space.settle()

    def state():  # but for lifetimes, which run out
        shown = pod.run("ip addr; ip route show table all; ip rule; ip -d link show type veth")
        return re.sub("_lft [0-9]+sec", "", shown)
    before = state()
    net = pod.inspect()
    assert state() == before
    compare_interfaces(pod, net)
    for family, option in (("inet", "-4"), ("inet6", "-6")):
        compare_routes(pod, net, family, option)
        compare_neighbours_and_rules(pod, net, family, option)
    assert next(r for r in net["rules"] if r["priority"] == 8)["suppress_prefixlen"] == 0, net
    lifetimes = [a["valid_life_time"] for a in interface(net)["addresses"]
                 if a["local"] == "10.0.5.3"]
    assert 900 < lifetimes[0] <= 1000, lifetimes


@test(limit=30)
def inspect_late_address(lab):
    """An address that comes after a second is waited for, and no longer than that."""
    pod = Pod(lab, ipv6=False)
    late = pod.space.spawn("until pidof sluice-vm >/dev/null; do sleep 0.02; done; sleep 1\n"
                           "ip addr add 10.0.0.2/24 dev eth0")
    took, net = seconds(pod.inspect, "--wait 60")
    late.wait()
    assert addresses(net) == ["10.0.0.2/24"] and net["address_state"] == "ready", net
    assert 0.5 < took < 30, took


@test(limit=40)
def inspect_tentative_address(lab):
    """Duplicate address detection is waited for; one that takes for ever is told as it is."""
    pod = Pod(lab)
    pod.run("ip addr add fd00::2/64 dev eth0")
    net = pod.inspect("--wait 60")
    assert addresses(net) == ["fd00::2/64"] and net["address_state"] == "ready", net
    assert not any(a.get("tentative") for a in interface(net)["addresses"]
                   if a["scope"] == "global"), net
    pod.run("ip addr del fd00::2/64 dev eth0\n"
            "echo 100 >/proc/sys/net/ipv6/conf/eth0/dad_transmits; ip addr add fd00::3/64 dev eth0")
    took, net = seconds(pod.inspect, "--wait 0.5", "eth0 has only addresses that did not pass")
    address = next(a for a in interface(net)["addresses"] if a["local"] == "fd00::3")
    assert net["address_state"] == "tentative" and address["tentative"] is True, net
    assert 0.4 < took < 10, took
    # One that can be used is enough.
    pod.run("ip addr add 10.0.0.2/24 dev eth0")
    assert seconds(pod.inspect, "--wait 60")[0] < 30


@test(limit=40)
def inspect_duplicate_address(lab):
    """An address that another machine has: shown as such, and nothing to build on."""
    pod = Pod(lab)
    pod.node.run("set -e; echo 0 >/proc/sys/net/ipv6/conf/pod0/disable_ipv6\n"
                 "ip addr add fd00::2/64 dev pod0 nodad")
    pod.run("ip addr add fd00::2/64 dev eth0")
    wait_until(lambda: "dadfailed" in pod.run("ip addr show dev eth0"), "the duplicate to be found")
    net = pod.inspect("--wait 1", "eth0 has only addresses that did not pass")
    address = next(a for a in interface(net)["addresses"] if a["local"] == "fd00::2")
    assert net["address_state"] == "tentative" and address["dadfailed"] is True, net


@test(limit=40, each={"off": False, "link-local": True})
def inspect_no_address(lab, ipv6):
    """Some plugins leave addresses to the guest: a warning, after the wait, and exit status 0."""
    pod = Pod(lab, ipv6=ipv6)
    warning = "eth0 has no address"
    took, net = seconds(pod.inspect, "--wait 1", warning)
    assert net["interface"] == "eth0" and net["address_state"] == "none", net
    assert addresses(net) == [] and (ipv6 or interface(net)["addresses"] == []), net
    assert interface(net)["address"] == POD_MAC and 0.9 < took < 10, (net, took)
    took, net = seconds(pod.inspect, "--wait 0", warning)
    assert net["address_state"] == "none" and took < 5, (net, took)


@test(limit=30)
def inspect_refuses(lab):
    """What cannot be, in one line and at once."""
    pod = Pod(lab)
    pod.run("ip addr add 10.0.0.2/24 dev eth0\n"
            "ip link add sluice0 type veth peer name sluice0p")
    started = time.monotonic()
    pod.refused("--interface eth7", 'there is no interface "eth7" in this pod (there are eth0)')
    pod.refused("--interface lo", "lo is the loopback")
    pod.refused("--interface sluice0", "sluice0 is one of Sluice's own")
    pod.refused("--wait -1", '--wait: "-1" is not a number of seconds', 2)
    pod.refused("--wait 1s", '--wait: "1s" is not a number of seconds', 2)
    pod.refused("--wait nan", '--wait: "nan" is not a number of seconds', 2)
    pod.refused("--wait", "--wait: needs a value", 2)
    pod.refused("--jsno", "--jsno: unknown option", 2)
    pod.refused("eth0", "eth0: unexpected", 2)
    pod.run("ip link del eth0")
    pod.refused("", "this pod has no interface (there is none but the loopback)")
    assert time.monotonic() - started < 20
    pod.run("ip link add net1 type veth peer name net2")
    pod.refused("--wait 0.2", "there is no default route that tells which of the pod's interfaces "
                "to use (there are net2, net1): name one")
    pod.run("ip link set net1 up; ip addr add 10.0.0.2/24 dev net1")
    assert pod.inspect("--interface net1")["interface"] == "net1"


@test(limit=30)
def inspect_full_disk(lab):
    """An answer that cannot be written is a failure, not half an answer."""
    pod = Pod(lab)
    pod.run("ip addr add 10.0.0.2/24 dev eth0")
    pod.refused("--json >/dev/full", "No space left on device")
    pod.refused(">/dev/full", "No space left on device")


RESOLV_CONF = """\
# of the cluster
search default.svc.cluster.local svc.cluster.local
nameserver 169.254.20.10
nameserver 127.0.0.11
nameserver fe80::53%eth0
options ndots:5 edns0
"""


@test(limit=30)
def inspect_names(lab):
    """resolv.conf and the host name of this very container, for programs and for people."""
    pod = Pod(lab)
    pod.run("ip addr add 10.0.0.2/24 dev eth0; ip route add default via 10.0.0.1 mtu 1400")
    path = lab.path("resolv.conf")

    def inspect_in_container(options):
        return pod.run("unshare --mount --uts sh -c '"
                       f"mount --bind {path} /etc/resolv.conf && hostname web-0.example && "
                       f"{pod.program} inspect {options}'")

    with open(path, "w", encoding="utf-8") as file:
        file.write(RESOLV_CONF)
    net = json.loads(inspect_in_container("--json"))
    assert net["hostname"] == "web-0.example", net
    assert net["resolv_conf"] == {
        "nameservers": [
            {"address": "169.254.20.10", "loopback": False, "link_local": True},
            {"address": "127.0.0.11", "loopback": True, "link_local": False},
            {"address": "fe80::53", "scope": "eth0", "loopback": False, "link_local": True}],
        "search": ["default.svc.cluster.local", "svc.cluster.local"],
        "ndots": 5, "timeout": 5, "attempts": 2, "options": ["ndots:5", "edns0"]}, net
    text = inspect_in_container("")
    for line in ("pod web-0.example\n", f"  * eth0 veth {POD_MAC} mtu 1500 state UP",
                 "      10.0.0.2/24 scope global permanent\n",
                 "    default via 10.0.0.1 dev eth0 mtu 1400\n",
                 "    nameserver 127.0.0.11 (loopback)\n",
                 "    nameserver fe80::53%eth0 (link-local)\n",
                 "    search default.svc.cluster.local svc.cluster.local\n"):
        assert line in text, text
    with open(path, "a", encoding="utf-8") as file:
        file.write("nameserver nowhere\n")
    assert ": line 7 is malformed, it is left out\n" in inspect_in_container("--json")


@test(limit=60)
def inspect_crowd(lab):
    """Ten thousand permanent neighbours and a thousand routes, of which none is lost."""
    pod = Pod(lab)
    path = lab.path("batch")
    with open(path, "w", encoding="ascii") as file:
        file.write("addr add 10.0.0.2/16 dev eth0\n")
        for i in range(10000):
            file.write(f"neigh add 10.0.{i // 250 + 1}.{i % 250 + 1} lladdr {NODE_MAC} "
                       "nud permanent dev eth0\n")
        for i in range(1000):
            file.write(f"route add 172.16.{i // 250}.{i % 250}/32 via 10.0.1.1\n")
    pod.run(f"ip -batch {path}")
    took, net = seconds(pod.inspect)
    assert len({n["dst"] for n in net["neighbours"]}) == len(net["neighbours"]) == 10000
    assert len(routes(net)) == 1000 and took < 20, took


@test(limit=60)
def inspect_while_it_changes(lab):
    """Addresses that come and go while the kernel lists them: no answer is half of each state."""
    pod = Pod(lab)
    lasting = {f"10.{i // 250 + 50}.{i % 250}.1/32" for i in range(1000)}
    for name, lines in (
            ("lasting", [f"addr add {address} dev eth0" for address in lasting]),
            ("churn", [f"addr {verb} 10.99.{i}.1/24 dev eth0" for verb in ("add", "del")
                       for i in range(200)])):
        with open(lab.path(name), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
    pod.run(f"ip -batch {lab.path('lasting')}")
    churn = pod.space.spawn(f"echo go; while ip -batch {lab.path('churn')}; do :; done")
    churn.wait_for("go")
    for _ in range(30):
        found = addresses(pod.inspect())
        assert lasting <= set(found) and len(set(found)) == len(found), len(found)
    churn.kill()
