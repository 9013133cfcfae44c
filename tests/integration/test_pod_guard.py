# SPDX-License-Identifier: BSD-3-Clause
"""sluice-vm guard: what the pod's own kernel answers, as its peer sees it; and the host port.

There is no guest and no switch here. The pod's eth0 has an address and a MAC as a CNI gives them; the
peer asks with frames made by hand (frames.py), and with its own kernel.
"""

import contextlib
import json
import os
import signal

from frames import (ANY4, ETH_QINQ, ETH_VLAN, HOST4, HOST6, UDP, Prober, address, arp, behind_options, echo, ip,
                    packet_socket, solicit, tcp, udp, udp_bytes)
from lab import PEER4, PEER6, guest4, guest6, ping, tcp as tcp_stream, udp_ping, wait_until
from suite import test

SUITE = "pod"

POD4, POD6 = guest4(), guest6()
POD_MAC = "02:00:00:00:aa:01"
IDENTITY, SERVICE = "169.254.1.254", "169.254.1.253"
LISTENING, CLOSED, KEPT = 8080, 4444, 5001

# What shared mode asks of the pod's sysctls.
EPHEMERAL = "echo '61000 65535' >/proc/sys/net/ipv4/ip_local_port_range"


class Pod:
    """The pod's namespace and its peer's, wired and with addresses; a prober at the peer."""

    def __init__(self, lab):
        self.lab = lab
        self.program = os.path.join(lab.build, "launcher", "sluice-vm")
        lab.wire()
        self.net = lab.pod
        self.net.run(
            f"ip link set eth0 address {POD_MAC}\n"
            "cd /proc/sys/net; echo 0 >ipv6/conf/eth0/accept_dad\n"
            "echo 0 >ipv6/conf/eth0/disable_ipv6\n"
            "echo 0 >ipv4/icmp_ratelimit; echo 0 >ipv6/icmp/ratelimit; echo 1 >ipv4/ipfrag_time\n"
            "echo 1 >ipv6/ip6frag_time; echo 0 >ipv4/tcp_synack_retries\n"
            f"ip addr add {POD4}/24 dev eth0; ip addr add {POD6}/64 dev eth0 nodad")
        self.net.settle()
        self.prober = Prober("peer", "eth0", POD_MAC)
        mac = self.prober.mac.hex(":")
        self.net.run(f"ip neigh add {HOST4} lladdr {mac} dev eth0 nud permanent\n"
                     f"ip neigh add {HOST6} lladdr {mac} dev eth0 nud permanent")
        self.net.spawn(f"socat TCP6-LISTEN:{LISTENING},fork,ipv6only=0 SYSTEM:cat")
        wait_until(lambda: str(LISTENING) in self.net.run("ss -Htln"), "the pod to listen")
        self.prober.marker()

    def hold(self, options="", prefix=""):
        """A holder that says it holds: the job, the only process of which it is."""
        job = self.net.spawn(f"exec {prefix} {self.program} guard hold {options}")
        return job.wait_for("\n")

    def refuse(self, options="", prefix=""):
        """The one line of a holder that does not."""
        status, said = self.net.try_run(f"{prefix} {self.program} guard hold {options}")
        assert status != 0, said
        assert said.startswith("sluice-vm guard: ") and said.count("\n") == 1, said
        return said

    def end(self, job, how=signal.SIGTERM):
        """Its exit status."""
        os.kill(job.process.pid, how)
        return job.process.wait(60)

    def shown(self):
        return json.loads(self.net.run(f"{self.program} guard show --json"))

    def counter(self, name):
        return self.shown()["counters"][name]["packets"]

    def network(self):
        """All that is said of eth0, and the pod's routes."""
        return self.net.run("ip -d addr show eth0; ip -d link show eth0; ip route show table all;"
                            "ip -6 route show table all; ip rule; ip neigh show nud permanent")

    def questions(self):
        """What a pod's kernel answers by itself: {question: (frame, answer)}."""
        found = {}
        for host, pod in ((HOST4, POD4), (HOST6, POD6)):
            echo_reply, unreachable = ("icmp6 129", "icmp6 1") if ":" in pod else ("icmp 0", "icmp 3")
            found.update({
                ("listening", pod): (tcp(host, pod, LISTENING), "tcp SA"),
                ("closed", pod): (tcp(host, pod, CLOSED), "tcp RA"),
                ("udp", pod): (udp(host, pod, CLOSED), unreachable),
                ("echo", pod): (echo(host, pod), echo_reply),
                ("protocol", pod): (ip(host, pod, 253, bytes(8)), None),
            })
        return found

    def check(self, answered):
        """Each question is answered if answered(question), and only then."""
        for question, (packet, answer) in self.questions().items():
            got = self.prober.ask(packet)
            if not answered(question):
                assert got == [], (question, got)
            elif answer is not None:
                assert got == [answer], (question, got)
            else:  # whatever ICMP thinks of it
                assert len(got) == 1, (question, got)


@test()
def exclusive_is_mute(lab):
    """The kernel answers ARP and ND, once, and nothing else; its taps see everything."""
    pod = Pod(lab)
    pod.check(lambda question: True)
    holder = pod.hold()
    tap = packet_socket("pod", "eth0")
    pod.check(lambda question: False)
    tap.setblocking(False)
    n_seen = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            frame = tap.recv(65536)
            n_seen += frame[26:30] == address(HOST4) or frame[22:38] == address(HOST6)
    assert n_seen == len(pod.questions()), n_seen
    assert pod.counter("guest") >= len(pod.questions())

    assert pod.prober.ask(arp(HOST4, POD4)) == [f"arp 2 {POD4}"]
    assert pod.prober.ask(solicit(HOST6, POD6, pod.prober.mac.hex(":"))) == ["icmp6 136"]
    assert pod.end(holder) == 0
    assert pod.shown() is None
    pod.check(lambda question: True)


@test()
def inner_ipv6(lab):
    """ND for a service address of IPv6, or from one who claims it, does not reach the kernel."""
    pod = Pod(lab)
    question = solicit(HOST6, POD6, pod.prober.mac.hex(":"))
    assert pod.prober.ask(question) == ["icmp6 136"]
    holder = pod.hold(f"--service {SERVICE},{POD6}")
    lab.peer.run("ip -6 neigh flush dev eth0")
    assert pod.prober.ask(question) == []
    assert pod.counter("inner_neighbour") == 1
    pod.end(holder)


@test()
def reflections(lab):
    """A frame with the pod's own MAC, back from a bridge: no answer to the guest's DAD probe."""
    pod = Pod(lab)
    assert pod.prober.ask(arp(ANY4, POD4), source=POD_MAC) == [f"arp 2 {POD4}"]
    holder = pod.hold()
    assert pod.prober.ask(arp(ANY4, POD4), source=POD_MAC) == []
    assert pod.counter("reflected") == 1
    # A probe of somebody else's is answered: the address is taken.
    assert pod.prober.ask(arp(ANY4, POD4)) == [f"arp 2 {POD4}"]
    pod.end(holder)


@test()
def tagged_frames(lab):
    """VLANs on eth0 are the guest's, 802.1ad too; a priority is no VLAN."""
    pod = Pod(lab)
    holder = pod.hold()
    assert pod.prober.ask(arp(HOST4, POD4), tags=[(ETH_VLAN, 5)]) == []
    assert pod.counter("tagged") == 1
    assert pod.prober.ask(arp(HOST4, POD4), tags=[(ETH_QINQ, 5)]) == []
    assert pod.counter("tagged") == 2
    assert pod.prober.ask(arp(HOST4, POD4), tags=[(ETH_VLAN, 0)]) == [f"arp 2 {POD4}"]
    for tags in ([(ETH_VLAN, 0)], [(ETH_VLAN, 0), (ETH_VLAN, 0)], [(ETH_QINQ, 0), (ETH_VLAN, 0)]):
        assert pod.prober.ask(tcp(HOST4, POD4, LISTENING), tags=tags) == [], tags
    assert pod.counter("tagged") == 2
    pod.end(holder)


@test()
def holder_killed(lab):
    """SIGKILL: the table is gone, and the next holder finds everything as the first did."""
    pod = Pod(lab)
    before = pod.network()
    for _ in range(2):
        holder = pod.hold("--host-port")
        shown = pod.shown()
        assert shown["holder"] == {"netlink-port": shown["holder"]["netlink-port"],
                                   "pid": holder.process.pid, "program": "sluice-vm"}, shown
        busy = pod.refuse()
        assert f"there is a guard, held by sluice-vm (pid {holder.process.pid})" in busy, busy
        pod.end(holder, signal.SIGKILL)
        assert pod.shown() is None
        assert pod.net.run("nft list ruleset") == ""
        assert pod.prober.ask(tcp(HOST4, POD4, CLOSED)) == ["tcp RA"]
    assert pod.end(pod.hold("--host-port")) == 0
    assert pod.network() == before


@test()
def interface_made_anew(lab):
    """An eth0 that was deleted and is back, with another MAC, is guarded as that one is."""
    pod = Pod(lab)
    holder = pod.hold()
    mac = "02:00:00:00:aa:02"
    lab.pod.run("ip link del eth0")
    lab.pod.run("ip link add eth0 type veth peer name eth0 netns peer\n"
                f"ip link set eth0 address {mac} up; ip addr add {POD4}/24 dev eth0")
    lab.peer.run("ip link set eth0 up")
    prober = Prober("peer", "eth0", mac)
    lab.pod.run(f"ip neigh add {HOST4} lladdr {prober.mac.hex(':')} dev eth0 nud permanent")
    wait_until(lambda: mac in lab.pod.run(f"{pod.program} guard show"), "the guard to follow")
    prober.marker()
    assert prober.ask(tcp(HOST4, POD4, CLOSED)) == []
    assert prober.ask(arp(ANY4, POD4), source=mac) == []
    assert pod.counter("reflected") == 1
    pod.end(holder)
    assert prober.ask(tcp(HOST4, POD4, CLOSED)) == ["tcp RA"]


# --- shared mode -----------------------------------------------------------------------------------

@test()
def shared_ports(lab):
    """Listed ports and the ephemeral ones are the kernel's, of both families; the rest is silence."""
    pod = Pod(lab)
    pod.net.run(EPHEMERAL)
    holder = pod.hold(f"--mode shared --kernel-ports tcp/{LISTENING},udp/{KEPT}")
    pod.check(lambda question: question[0] == "listening")
    for host, pod_addr in ((HOST4, POD4), (HOST6, POD6)):
        unreachable = "icmp6 1" if ":" in host else "icmp 3"
        assert pod.prober.ask(udp(host, pod_addr, KEPT)) == [unreachable]
        assert pod.prober.ask(tcp(host, pod_addr, KEPT)) == []
        assert pod.prober.ask(udp(host, pod_addr, LISTENING)) == []
        assert pod.prober.ask(tcp(host, pod_addr, 60999)) == []
        assert pod.prober.ask(tcp(host, pod_addr, 61000)) == ["tcp RA"]
        assert pod.prober.ask(udp(host, pod_addr, 65535)) == [unreachable]
    assert pod.prober.ask(arp(HOST4, POD4)) == [f"arp 2 {POD4}"]
    assert pod.counter("echo_request") == 2
    # Ports that the switch's filter does not look for are not the kernel's.
    for packet in (tcp(HOST6, POD6, LISTENING), udp(HOST6, POD6, KEPT), tcp(HOST6, POD6, 61000)):
        assert pod.prober.ask(behind_options(packet)) == []
    pod.end(holder)
    assert pod.prober.ask(behind_options(tcp(HOST6, POD6, LISTENING))) == ["tcp SA"]


@test()
def shared_ports_change(lab):
    """SIGHUP: the file's ports, at once; a file that is wrong changes nothing, and is said."""
    pod = Pod(lab)
    pod.net.run(EPHEMERAL)
    path = lab.path("kernel-ports")

    def write(text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def hang_up(expected):
        holder.process.send_signal(signal.SIGHUP)
        holder.wait_for(expected)
    write(f"tcp/{LISTENING}\n")
    assert "not both" in pod.refuse(f"--mode shared --kernel-ports-file {path} --kernel-ports tcp/1")
    assert "--kernel-ports: is for --mode shared" in pod.refuse(f"--kernel-ports-file {path}")
    holder = pod.hold(f"--mode shared --kernel-ports-file {path}")
    assert pod.prober.ask(tcp(HOST4, POD4, LISTENING)) == ["tcp SA"]
    assert pod.prober.ask(tcp(HOST4, POD4, CLOSED)) == []
    write(f"tcp/{CLOSED}\n")
    hang_up(f"keeps tcp/{CLOSED}\n")
    assert pod.prober.ask(tcp(HOST4, POD4, LISTENING)) == []
    assert pod.prober.ask(tcp(HOST4, POD4, CLOSED)) == ["tcp RA"]
    write("tcp/0\n")
    hang_up(f"--kernel-ports-file: {path}: ")
    assert pod.prober.ask(tcp(HOST4, POD4, CLOSED)) == ["tcp RA"]
    write("")
    hang_up("keeps no port\n")
    assert pod.prober.ask(tcp(HOST4, POD4, CLOSED)) == []
    assert pod.end(holder) == 0


@test()
def shared_connections(lab):
    """The kernel's own traffic is as without a guard: both directions, fragments, errors, ping."""
    pod = Pod(lab)
    pod.net.run(EPHEMERAL)
    holder = pod.hold(f"--mode shared --kernel-ports tcp/{KEPT},udp/{KEPT}")
    for peer, own in ((PEER4, POD4), (PEER6, POD6)):
        tcp_stream(lab.peer, lab.pod, own, 8 << 20, port=KEPT)
        tcp_stream(lab.pod, lab.peer, peer, 8 << 20, port=9000)
        # One to four fragments each way; the answers come to an ephemeral port.
        udp_ping(lab.peer, lab.pod, own, "count 40 size 100 to 5000", port=KEPT)
        udp_ping(lab.pod, lab.peer, peer, "count 40 size 100 to 5000", port=9000)
        ping(lab.pod, peer, count=1)
        word = "ping6" if ":" in own else "ping"
        status, said = lab.peer.try_run(f"busybox {word} -c 1 -W 1 {own}")
        assert status == 1 and "100% packet loss" in said, said
        refused = "import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n" \
                  f"s.connect(('{peer if ':' in peer else '::ffff:' + peer}', 9))\n" \
                  "s.settimeout(60); s.send(b'x')\ntry: s.recv(1)\n" \
                  "except ConnectionRefusedError: print('refused')"
        assert "refused" in lab.pod.run(f'python3 -c "{refused}"')
    pod.end(holder)


@test()
def shared_fragments(lab):
    """A first fragment goes by its port; later ones alone make nobody say anything."""
    pod = Pod(lab)
    pod.net.run(EPHEMERAL)
    holder = pod.hold(f"--mode shared --kernel-ports udp/{KEPT}")
    for number, (host, own) in enumerate(((HOST4, POD4), (HOST6, POD6)), 10):
        def fragments(port, number):
            whole = udp_bytes(host, own, port, size=1592)
            return (ip(host, own, UDP, whole[:800], more=True, number=number),
                    ip(host, own, UDP, whole[800:], offset=800, number=number))
        error = "icmp6 1" if ":" in host else "icmp 3"
        assert pod.prober.ask(*fragments(KEPT, number)) == [error]
        assert pod.prober.ask(*fragments(CLOSED, number + 10)) == []
        # The kernel has later fragments of both, and a first one of its own: that is reported.
        first, later = fragments(KEPT, number + 20)
        assert pod.prober.ask(first, fragments(KEPT, number + 30)[1]) == []
        expired = "icmp6 3" if ":" in host else "icmp 11"
        seen = pod.prober.collect(lambda frame: True)
        assert seen == [expired], seen
        # Fragments of what is the guest's are still waited for no longer than that one was.
        assert pod.prober.ask(later) == []
    pod.end(holder)


@test()
def shared_refusals(lab):
    pod = Pod(lab)
    assert 'set the pod\'s safe sysctl net.ipv4.ip_local_port_range to "61000 65535"' in \
        pod.refuse("--mode shared")
    assert "--kernel-ports: is for --mode shared" in pod.refuse("--kernel-ports tcp/80")
    pod.net.run(EPHEMERAL)
    assert '--kernel-ports: "tcp/": want' in pod.refuse("--mode shared --kernel-ports tcp/")
    assert pod.shown() is None


# --- refusals --------------------------------------------------------------------------------------

RAW_ONLY = "setpriv --bounding-set -all,+net_raw"


@test()
def net_raw_only(lab):
    """Without CAP_NET_ADMIN: refused, unless nothing is to be guarded or somebody else does."""
    pod = Pod(lab)
    assert "the pod's kernel would reset the VM's connections" in pod.refuse(prefix=RAW_ONLY)
    assert "--host-port needs CAP_NET_ADMIN" in pod.refuse("--host-port", RAW_ONLY)
    status, said = lab.pod.try_run(f"{RAW_ONLY} {pod.program} guard show")
    assert status == 1 and "needs CAP_NET_ADMIN" in said, said
    job = pod.hold("--outside-guard", RAW_ONLY)
    assert "guarded from outside" in job.output()
    assert pod.end(job) == 0
    assert pod.end(pod.hold("--mode off", RAW_ONLY)) == 0

    lab.pod.run("ip addr flush dev eth0 scope global; ip -6 addr flush dev eth0 scope global")
    job = pod.hold(prefix=RAW_ONLY)
    assert "has no address and so needs no guard" in job.output()
    assert pod.end(job) == 0


@test()
def machine_refused(lab):
    """Where the kernel shows the machine's own sysctls, or none, only --lab goes on."""
    pod = Pod(lab)
    fake = lab.path("core")
    os.mkdir(fake)

    def covered(command):
        return f"unshare -m sh -c 'mount --bind {fake} /proc/sys/net/core && exec {command}'"
    status, said = lab.pod.try_run(covered(f"{pod.program} guard hold"))
    assert status == 1 and "cannot tell whether" in said, said
    for name in ("somaxconn", "netdev_max_backlog"):
        with open(os.path.join(fake, name), "w", encoding="ascii"):
            pass
    status, said = lab.pod.try_run(covered(f"{pod.program} guard hold"))
    assert status == 1 and "the machine's own network namespace" in said, said
    # Who would do without a guard is no better off there.
    for words in ("--mode off", "--outside-guard"):
        status, said = lab.pod.try_run(covered(f"{RAW_ONLY} {pod.program} guard hold {words}"))
        assert status == 1 and "the machine's own network namespace" in said, (words, said)
    job = lab.pod.spawn("exec " + covered(f"{pod.program} guard hold --lab")).wait_for("\n")
    assert "is guarded" in job.output()
    pod.end(job)


@test()
def bad_interface(lab):
    pod = Pod(lab)
    assert 'there is no interface "eth7"' in pod.refuse("--interface eth7")
    assert "--interface" in pod.refuse("--interface 'e\"'")


# --- host port -------------------------------------------------------------------------------------

def far_prober(lab):
    """Where the switch's packet socket is to be; it has the service address."""
    mac = json.loads(lab.pod.run("ip -j link show sluice0"))[0]["address"]
    prober = Prober("pod", "sluice0p", mac, IDENTITY, mark=SERVICE)
    lab.pod.run(f"ip neigh add {SERVICE} lladdr {prober.mac.hex(':')} dev sluice0 nud permanent")
    return prober


@test()
def host_port(lab):
    """A service on the identity address is reached by service addresses, through sluice0 alone."""
    pod = Pod(lab)
    before = pod.network()
    holder = pod.hold("--host-port")
    lab.pod.run("echo 1 >/proc/sys/net/ipv4/ip_forward")
    assert lab.pod.run("cat /proc/sys/net/ipv4/conf/sluice0/forwarding") == "1\n"
    links = json.loads(lab.pod.run("ip -j -d addr"))
    ends = {link["ifname"]: link for link in links if link["ifname"].startswith("sluice0")}
    assert all("UP" in end["flags"] and end["mtu"] == 1500 for end in ends.values()), ends
    assert [(a["local"], a["prefixlen"]) for a in ends["sluice0"]["addr_info"]] == [(IDENTITY, 32)]
    assert ends["sluice0p"]["addr_info"] == [], ends
    assert all(end["address"].startswith("aa:fc:00:") for end in ends.values()), ends

    chains = [entry["chain"] for entry in pod.shown()["nftables"] if "chain" in entry]
    assert [(chain["name"], chain["policy"]) for chain in chains] == [
        ("uplink", "drop"), ("host_port", "drop"), ("host_far_end", "drop")], chains

    guest = far_prober(lab)
    assert guest.ask(tcp(SERVICE, IDENTITY, LISTENING)) == ["tcp SA"]
    assert guest.ask(echo(SERVICE, IDENTITY)) == ["icmp 0"]
    # No other address of the pod's by this way, no ARP for one, no way out, no other source.
    assert guest.ask(tcp(SERVICE, POD4, LISTENING), arp(SERVICE, POD4)) == []
    outside = Prober("peer", "eth0", POD_MAC)
    assert guest.ask(udp(SERVICE, PEER4, 9), udp(HOST4, PEER4, 9), udp(POD4, IDENTITY, 9),
                     tcp(HOST6, POD6, LISTENING)) == []
    assert outside.marker() == [], "it was forwarded"
    assert pod.counter("host_stray") == 5

    pod.end(holder)
    assert "sluice0" not in lab.pod.run("ip link; ip route show table all")
    lab.pod.run("echo 0 >/proc/sys/net/ipv4/ip_forward")
    assert pod.network() == before


@test(each={"off": "--mode off", "exclusive": "",
            "shared": f"--mode shared --kernel-ports tcp/{LISTENING},udp/9"})
def host_port_from_outside(lab, mode):
    """A peer on the uplink cannot reach or find the inner addresses, whatever ip_forward says."""
    pod = Pod(lab)
    lab.pod.run(f"echo 1 >/proc/sys/net/ipv4/ip_forward; {EPHEMERAL}")
    holder = pod.hold(f"{mode} --host-port")
    guest = far_prober(lab)
    found = pod.prober.ask(arp(HOST4, IDENTITY), tcp(HOST4, IDENTITY, LISTENING),
                           udp(SERVICE, POD4, LISTENING), udp(HOST4, SERVICE, 9))
    came_through = guest.marker()
    if mode == "--mode off":  # what there is to prevent
        assert f"arp 2 {IDENTITY}" in found and "tcp SA" in found, found
        assert came_through == ["icmp 3", "udp 7777"], came_through
    else:
        assert found == [] and came_through == [], (found, came_through)
        assert pod.counter("inner_neighbour") == 1 and pod.counter("inner_packet") == 3
    pod.end(holder)


@test()
def host_port_untouched(lab):
    """eth0 and the pod's routes are the same before, during (sluice0's own aside), and after."""
    pod = Pod(lab)

    def eth0():
        return lab.pod.run("ip -d addr show eth0; ip -d link show eth0; ip rule")

    def routes():
        return [line for line in
                lab.pod.run("ip route show table all; ip -6 route show table all").splitlines()
                if "sluice0" not in line]
    before = eth0(), routes()
    holder = pod.hold("--host-port")
    assert (eth0(), routes()) == before
    pod.end(holder, signal.SIGKILL)
    # What is left behind is replaced: nothing has changed but the interfaces' numbers.
    assert "sluice0" in lab.pod.run("ip link")
    left = json.loads(lab.pod.run("ip -j addr show sluice0"))[0]
    holder = pod.hold("--host-port")
    anew = json.loads(lab.pod.run("ip -j addr show sluice0"))[0]
    assert anew["address"] == left["address"] and anew["ifindex"] != left["ifindex"]
    assert (eth0(), routes()) == before
    pod.end(holder)
    assert (eth0(), routes()) == before


@test()
def host_port_refusals(lab):
    """Addresses that the pod's network uses in any way are not taken, and nothing is left over."""
    pod = Pod(lab)
    lab.pod.run("ip route add 169.254.7.0/24 dev eth0\n"
                "ip route add 192.0.2.0/24 via 10.0.0.200 table 7\n"
                "ip route add 169.254.8.8 dev eth0; ip route add default via 169.254.8.8\n"
                "ip neigh add 10.1.2.3 lladdr 02:00:00:00:00:99 dev eth0 nud permanent\n"
                "ip addr add 192.168.9.9/32 dev lo")
    before = pod.network()
    for options, reason in (
            ("--identity 169.254.1.1", "169.254.1.1: is the gateway in many pods"),
            ("--identity 169.254.7.5", "169.254.7.5: the pod routes 169.254.7.0/24 on eth0"),
            ("--service 169.254.7.5", "169.254.7.5: the pod routes 169.254.7.0/24 on eth0"),
            ("--identity 10.0.0.200", "10.0.0.200: is a gateway of the pod's, on eth0"),
            ("--identity 169.254.8.8", "169.254.8.8: "),
            ("--identity 10.1.2.3", "10.1.2.3: is a neighbour of the pod's, on eth0"),
            ("--identity 192.168.9.9", "192.168.9.9: the pod has 192.168.9.9 on lo"),
            (f"--identity {POD4}", f"{POD4}: the pod "),
            ("--identity fd00::1", "fd00::1: the host port has IPv4 addresses only"),
            (f"--service {IDENTITY}", f"{IDENTITY}: is there twice"),
            ("--service 169.254.1.1", "169.254.1.1: is the gateway in many pods")):
        said = pod.refuse(f"--host-port {options}")
        assert f"sluice-vm guard: host port: {reason}" in said, (options, said)
        assert pod.network() == before and "sluice0" not in lab.pod.run("ip link"), options
    lab.pod.run("ip link add sluice0 type dummy || ip link add sluice0 type bridge")
    assert "that is not ours" in pod.refuse("--host-port")
