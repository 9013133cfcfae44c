# SPDX-License-Identifier: BSD-3-Clause
"""Who else there is in a pod: its kernel and sidecars, its services for the guest, a second guest."""

import hashlib
import json
import os
import re
import signal
import time

from cni import FAR4, GUEST_MAC, POD_MAC, Bridge, Calico
from lab import arping, ping, tcp, udp_ping, wait_until
from suite import test

SUITE = "pod"

MIB = 1 << 20
IDENTITY, SERVICE = "169.254.1.254", "169.254.1.253"
QUESTIONS_PER_S = 1000  # that a guest may send on to the network
EPHEMERAL = "echo '61000 65535' >/proc/sys/net/ipv4/ip_local_port_range"


def with_host_port(net, mode, cpu=None):
    """Guard, host port and switch; a guest that knows the services' address."""
    net.hold("--host-port")
    mac = json.loads(net.pod.run("ip -json link show sluice0"))[0]["address"]
    host = {"name": "host", "kind": "packet", "interface": "sluice0p", "role": "host", "mac": mac,
            "addresses": [IDENTITY]}
    sw = net.start(mode, guard=False, more_ports=[host], services=[SERVICE])
    vm = net.boot(GUEST_MAC if mode == "substitute" else None, cpu=cpu)
    vm.run(f"ip addr add {SERVICE}/32 dev eth0 scope host\n"
           f"ip route add {IDENTITY} dev eth0 scope link src {SERVICE}")
    return sw, vm


@test(limit=60, each={"adopt": "adopt", "substitute": "substitute"})
def host_services(lab, mode):
    """The guest reaches a service of the pod on the identity address, and nobody else does."""
    net = Calico(lab)
    before = net.snapshot()
    sw, vm = with_host_port(net, mode)
    heard = net.node.spawn("exec tcpdump -l -n -i pod0 arp")
    heard.wait_for("listening")
    # The guest's own conflict detection (RFC 5227) finds none.
    vm.run(f"arping -D -c 2 -w 3 -I eth0 {net.pod4}")
    ping(vm, IDENTITY)
    tcp(vm, net.pod, IDENTITY, 32 * MIB)
    tcp(net.pod, vm, SERVICE, 32 * MIB, port=5002)
    # The guest's own traffic is what it was, from the pod's address.
    vm.run("ip neigh flush dev eth0")
    ping(vm, FAR4)
    tcp(net.far, vm, net.pod4, 8 * MIB, port=5003)
    now = net.snapshot()
    assert now["link"] == before["link"] and now["addr"] == before["addr"], now
    # Neither the network nor other sources of the guest get there.
    for who in (net.near, net.node):
        who.run(f"ip route replace {IDENTITY} dev {'eth0' if who is net.near else 'pod0'}")
        status, _ = who.try_run(f"busybox ping -c 1 -W 1 {IDENTITY}")
        assert status != 0
    status, _ = vm.try_run(f"ping -c 1 -W 1 -I {net.pod4} {IDENTITY}")
    assert status != 0
    wait_until(lambda: sw.drops().get("vm0", {}).get("isolated"), "stray questions to be counted")
    # Nobody outside has heard of the service address, nor an answer for the identity address.
    assert SERVICE not in net.near.run("ip neigh") + net.node.run("ip neigh")
    heard.poll()
    assert SERVICE not in heard.text and f"{IDENTITY} is-at" not in heard.text, heard.text


@test(limit=60)
def host_services_survive_the_switch(lab):
    net = Calico(lab)
    _, vm = with_host_port(net, "adopt")
    ping(vm, IDENTITY)
    assert net.pod.run("ip neigh show dev sluice0").count("lladdr") <= 1
    net.stop_guest()
    lab.sluiced.kill()
    net.guard.kill()
    _, vm = with_host_port(net, "adopt")
    tcp(vm, net.pod, IDENTITY, 8 * MIB)


@test(limit=90)
def two_guests_behind_one_address(lab):
    """Both are reached by their own IP, from everywhere and from each other, with the pod's MAC."""
    net = Bridge(lab)
    sw = net.start("substitute", more_ports=[net.second_port()])
    one, two = net.boot(GUEST_MAC), net.boot("aa:fc:00:00:00:22", index=1)
    for guest, ip in ((one, net.pod4), (two, net.second4)):
        ping(guest, net.near4)
        ping(net.near, ip)
        tcp(guest, net.near, net.near4, 16 * MIB)
        tcp(net.far, guest, ip, 16 * MIB, port=5002)
    ping(one, net.second4)
    tcp(one, two, net.second4, 64 * MIB, port=5003)
    tcp(two, one, net.pod4, 64 * MIB, port=5004)
    known = {n["dst"]: n.get("lladdr") for n in json.loads(net.near.run("ip -json neigh show"))}
    assert known[net.pod4] == known[net.second4] == POD_MAC, known
    macs = net.node.run("bridge fdb show br br0 dynamic") + net.node.run("bridge fdb show br br0")
    assert GUEST_MAC not in macs and "aa:fc:00:00:00:22" not in macs, macs
    bindings = {b["local"]: b["ifname"] for b in sw.ctl("binding", "show")}
    assert bindings[net.pod4] == "vm0" and bindings[net.second4] == "vm1", bindings


class Nginx:
    """A sidecar: nginx in the pod, with one file to fetch."""

    SIZE = 16 * MIB

    def __init__(self, lab, net, port):
        root = lab.path("www")
        os.makedirs(root)
        with open(os.path.join(root, "file"), "wb") as file:
            data = os.urandom(self.SIZE)
            file.write(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.url = f"http://{net.pod4}:{port}/file"
        config = lab.path("nginx.conf")
        paths = "".join(f"{name}_temp_path {lab.path(name)};" for name in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(config, "w", encoding="ascii") as file:
            file.write(f"daemon off; master_process off; pid {lab.path('nginx.pid')};\n"
                       "events {}\n"
                       f"http {{ {paths} access_log off;\n"
                       f"  server {{ listen {net.pod4}:{port}; root {root}; }} }}\n")
        program = os.path.join(lab.build, "guest", "nginx", "usr", "sbin", "nginx")
        net.pod.spawn(f"exec {program} -e stderr -p {lab.workdir} -c {config}")
        wait_until(lambda: f":{port}" in net.pod.run("ss -Htln"), "nginx to listen")

    def fetch(self, who):
        got = who.run(f"busybox wget -q -O - {self.url} | sha256sum").split()[0]
        assert got == self.sha256, "the file was damaged"


@test(limit=60, each={"adopt": "adopt", "substitute": "substitute"})
def sidecar_and_guest(lab, mode):
    """Shared mode: servers of both on one address, connections of both, and nobody resets any."""
    net = Bridge(lab)
    net.pod.run(EPHEMERAL)
    net.start(mode, options="--mode shared --kernel-ports tcp/8080,udp/5002",
              uplink={"kernel-ports": "tcp/8080,udp/5002"})
    nginx = Nginx(lab, net, 8080)
    vm = net.boot(GUEST_MAC if mode == "substitute" else None)
    resets = net.near.spawn("exec tcpdump -l -n -i eth0 'tcp[tcpflags] & tcp-rst != 0'")
    resets.wait_for("listening")
    for _ in range(2):
        nginx.fetch(net.near)
        tcp(net.near, vm, net.pod4, 8 * MIB, port=6001)
        tcp(net.pod, net.near, net.near4, 8 * MIB, port=7001)
        tcp(vm, net.near, net.near4, 8 * MIB, port=7002)
    # Fragments of both: the first of each goes to its owner, the rest to both.
    udp_ping(net.near, net.pod, net.pod4, "count 20 size 4000", port=5002)
    udp_ping(net.near, vm, net.pod4, "count 20 size 4000", port=6002)
    ping(net.near, net.pod4)
    ping(vm, net.near4)
    ping(net.pod, net.near4)
    resets.poll()
    resets.kill()
    assert "Flags" not in resets.text, resets.text


@test(limit=90)
def port_changes_hands(lab):
    """A port goes to the guest and back while it is connected to: each attempt is answered once.

    A connection that was open then is another matter: the new owner knows nothing of it and resets.
    """
    net = Bridge(lab)
    net.pod.run(EPHEMERAL)
    kept = lab.path("kernel-ports")

    def guard_keeps(ports):
        with open(kept, "w", encoding="ascii") as file:
            file.write(ports + "\n")
        os.kill(net.guard.process.pid, signal.SIGHUP)
        net.guard.wait_for(f"keeps {ports}\n")
        net.guard.text = ""

    def filter_keeps(ports):
        sw.ctl("port", "set", "uplink", f"kernel-ports={ports}")
        shown = next(p for p in sw.ctl("config", "show")[0]["ports"] if p["name"] == "uplink")
        assert shown["kernel-ports"] == ports, shown

    def answers(of):
        """The next two connections are that one's."""
        for _ in range(2):
            clients.wait_for(f"{of}\n")
            assert "refused" not in clients.text, clients.text
            clients.text = ""
    with open(kept, "w", encoding="ascii") as file:
        file.write("tcp/5001,tcp/6001\n")
    sw = net.start("adopt", options=f"--mode shared --kernel-ports-file {kept}",
                   uplink={"kernel-ports": "tcp/5001,tcp/6001"})
    vm = net.boot()
    # Both have a server at the port, which says whose it is.
    net.pod.spawn("exec socat TCP-LISTEN:6001,fork,reuseaddr SYSTEM:'echo pod'")
    vm.spawn("exec nc -ll -p 6001 -e echo guest")
    wait_until(lambda: "6001" in net.pod.run("ss -Htln"), "the pod to listen")
    wait_until(lambda: "6001" in vm.run("netstat -ltn"), "the guest to listen")
    heard = net.near.spawn("exec tcpdump -l -n -i eth0 src port 6001")
    heard.wait_for("listening")
    clients = net.near.spawn(f"while :; do busybox nc -w 3 {net.pod4} 6001 </dev/null; done")
    answers("pod")
    for _ in range(5):
        # To the guest: the kernel is mute before the guest hears of it. Back: the other way round.
        guard_keeps("tcp/5001")
        filter_keeps("tcp/5001")
        answers("guest")
        filter_keeps("tcp/5001,tcp/6001")
        guard_keeps("tcp/5001,tcp/6001")
        answers("pod")
    clients.kill()
    heard.poll()
    heard.kill()
    answered = {}  # by the client's port: the sequence numbers of those who said yes
    for to, flags, seq in re.findall(r"> [0-9.]+\.(\d+): Flags \[(\S+)\], seq (\d+)", heard.text):
        assert flags != "R.", f"an attempt to connect was refused:\n{heard.text}"
        if flags == "S.":
            answered.setdefault(to, set()).add(seq)
    assert len(answered) >= 11, heard.text
    assert all(len(by) == 1 for by in answered.values()), answered


@test(limit=60)
def ten_thousand_neighbours(lab):
    """As many PERMANENT entries as a large cluster has are all answered for, and change in time."""
    net = Calico(lab)
    net.pod.run("for t in ipv4 ipv6; do echo 20000 >/proc/sys/net/$t/neigh/default/gc_thresh3; done;"
                "true")
    batch = lab.path("neighbours")
    with open(batch, "w", encoding="ascii") as file:
        for i in range(10000):
            file.write(f"neigh add 10.9.{i // 250}.{i % 250 + 1} "
                       f"lladdr 02:09:00:00:{i // 250:02x}:{i % 250 + 1:02x} dev eth0 nud permanent\n"
                       f"neigh add fd0a::{i + 1:x} "
                       f"lladdr 02:0a:00:00:{i >> 8:02x}:{i & 255:02x} dev eth0 nud permanent\n")
    net.pod.run(f"ip -batch {batch}")
    sw = net.start("adopt")
    vm = net.boot()
    count = wait_until(lambda: len(sw.ctl("neighbour", "show")) >= 20000, "the entries to be read")
    assert count
    vm.run("ip route add 10.9.0.0/16 dev eth0; ip route add fd0a::/64 dev eth0")
    for ip, mac in (("10.9.0.1", "02:09:00:00:00:01"), ("10.9.39.250", "02:09:00:00:27:fa"),
                    ("10.9.20.7", "02:09:00:00:14:07")):
        said = arping(vm, f"-c 1 -w 3 -I eth0 {ip}")
        assert mac in said.lower(), said
    for number in (1, 256, 10000):
        ip = f"fd0a::{number:x}"
        mac = f"02:0a:00:00:{(number - 1) >> 8:02x}:{(number - 1) & 255:02x}"
        wait_until(lambda ip=ip, mac=mac: mac in vm.run(
            f"ping -c 1 -W 1 {ip} >/dev/null; ip neigh show {ip}").lower(), f"{ip} to be {mac}")
    net.pod.run("ip neigh replace 10.9.20.7 lladdr 02:09:00:00:ff:ff dev eth0 nud permanent")
    wait_until(lambda: "02:09:00:00:ff:ff" in vm.try_run("arping -c 1 -w 1 -I eth0 10.9.20.7")[1].lower(),
               "the changed entry to be answered with")
    ping(vm, FAR4)


@test(limit=60)
def arp_storm(lab):
    """A guest that asks for everything: bounded, counted, and its neighbours do not notice."""
    net = Bridge(lab)
    sw = net.start("substitute", more_ports=[net.second_port()])
    storm, calm = net.boot(GUEST_MAC), net.boot("aa:fc:00:00:00:22", index=1)
    ping(calm, net.near4)
    noise = storm.spawn("raw_frames send eth0 own ff:ff:ff:ff:ff:ff arp 10.0.0.2 10.0.77.1 "
                        "count 10000000")
    wait_until(lambda: sw.drops().get("vm0", {}).get("neigh_rate"), "the storm to be limited")
    started = time.monotonic()
    busy = sw.cpu_seconds(sw.process.pid)
    before = sw.stats("uplink")["stats64"]["tx"]["packets"]
    time.sleep(2)
    busy = sw.cpu_seconds(sw.process.pid) - busy
    passed = sw.stats("uplink")["stats64"]["tx"]["packets"] - before
    took = time.monotonic() - started
    assert busy < 0.2 * took, f"the control thread was busy for {busy} s of {took}"
    assert passed < took * QUESTIONS_PER_S + 1100, f"{passed} frames of the storm in {took} s"
    tcp(calm, net.near, net.near4, 64 * MIB)
    tcp(net.near, calm, net.second4, 64 * MIB, port=5002)
    noise.kill()
