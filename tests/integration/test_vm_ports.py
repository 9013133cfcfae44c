# SPDX-License-Identifier: BSD-3-Clause
"""TCP ports between a VM and the programs beside it: the guest's in the pod, and theirs in it.

    the pod's loopback and address  ->  what the guest listens on     (forward-ports)
    the guest's loopback            ->  what a sidecar listens on     (shared-ports)
    the world                       ->  either, by guard and switch
"""

import json
import os
import signal
import time

from cni import Bridge, Calico
from lab import wait_until
from suite import test
from test_vm_forward import install
from test_vm_reattach import n_connections
from vm import Running, Vm

SUITE = "vm"

MIB = 1 << 20
SIZE = 4 * MIB
EPHEMERAL = "echo '61000 65535' >/proc/sys/net/ipv4/ip_local_port_range"

# 7 takes IPv4 everywhere, 8 on loopback alone, 9 IPv6 alone, and 80 (httpd) both.
SERVE = """
httpd -p 80 -h /tmp
port_flood echo 7 & echo $! >/tmp/seven
socat TCP-LISTEN:8,bind=127.0.0.1,fork,reuseaddr SYSTEM:'echo guest 8' &
socat TCP6-LISTEN:9,ipv6only=1,fork,reuseaddr SYSTEM:'echo guest 9' &
socat TCP-LISTEN:7070,fork,reuseaddr SYSTEM:'echo guest 7070' &
until [ $(netstat -lnt | grep -c -E ':(80|7|8|9|7070) ') = 5 ]; do usleep 10000; done
echo ready; exec sleep 1000
"""

# 200 connections to ADDRESS:7 at once, each with words of its own; run in the pod.
MANY = """
import socket
socks = [socket.create_connection(("{address}", 7), timeout=100) for _ in range(200)]
for i, sock in enumerate(socks):
    sock.sendall(b"%d\\n" % i * 100)
    sock.shutdown(socket.SHUT_WR)
for i, sock in enumerate(socks):
    assert sock.makefile("rb").read() == b"%d\\n" % i * 100, i
    sock.close()
"""


class Pod:
    """A pod with a VM that serves, and what its namespace and others say."""

    def __init__(self, net, script=SERVE, vmm="uml", **settings):
        self.net, self.pod = net, net.pod
        self.vm = Vm(net, vmm=vmm, **settings)
        for program in ("/usr/bin/socat", os.path.join(net.lab.build, "tests/tools/port_flood")):
            install(program, self.vm.rootfs)
        os.rename(self.vm.rootfs + os.path.join(net.lab.build, "tests/tools/port_flood"),
                  self.vm.rootfs + "/bin/port_flood")
        self.data = os.path.join(self.vm.rootfs, "tmp", "data")
        with open(self.data, "wb") as file:
            file.write(os.urandom(SIZE))
        self.script = script

    def start(self):
        self.job = self.vm.start(self.script).wait_for("ready\n")
        return self

    def ports(self):
        return json.loads(self.vm.verb("status", "--json"))["ports"]

    def await_ports(self, *ports, gone=()):
        """Until these are forwarded, and those are not."""
        def is_so():
            now = self.ports()["forwarded"]
            return set(ports) <= set(now) and not set(gone) & set(now)
        try:
            wait_until(is_so, "ports")
        except Exception as error:
            raise AssertionError(f"{ports}, not {gone}: {self.ports()}\n{self.vm.log()}") from error

    def get(self, where, who=None):
        """What a server at `where` (10.1.0.2:80, [::1]:80) says to somebody in the pod."""
        who = who or self.pod
        status, output = who.try_run(f"socat -t 30 -u TCP:{where},connect-timeout=20 -")
        return output if status == 0 else f"failed: {output}"

    def sidecar(self, address, word, *options):
        words = ",".join((address, "fork", "reuseaddr", "backlog=256", *options))
        what = word if word.startswith("EXEC") else f"SYSTEM:'echo {word}'"
        job = self.pod.spawn(f"exec socat -t 30 {words} {what}")
        port = address.split(":")[1].split(",")[0]
        wait_until(lambda: f":{port} " in self.pod.run("ss -Htln"), "the sidecar to listen")
        return job

    def in_guest(self, command):
        """A process beside the workload, which ends with its client."""
        return Running(self.vm.exec_argv(command))

    def fds(self):
        return len(os.listdir(f"/proc/{self.job.process.pid}/fd"))

    def idle_fds(self):
        """With the agent's connections, which it has at last; without those that are just being
        closed: the fewest of a moment."""
        wait_until(lambda: n_connections(self.vm, self.job.process.pid) == 2, "its ports to be told")
        fewest = self.fds()
        for _ in range(10):
            time.sleep(0.05)
            fewest = min(fewest, self.fds())
        return fewest

    def stop(self):
        self.vm.verb("stop", "--grace", "0")
        self.job.wait()
        self.vm.assert_gone()


def check_guests_ports(pod):
    """The pod's loopback, and its addresses as a sidecar sees them."""
    ip4, ip6 = pod.net.pod4, f"[{pod.net.pod6}]"
    pod.await_ports("127.0.0.1:7", f"{ip4}:7", "127.0.0.1:8", "[::1]:9", f"{ip6}:9", "127.0.0.1:80",
                    "[::1]:80", f"{ip4}:80", f"{ip6}:80",
                    gone=(f"{ip4}:8", "127.0.0.1:9", f"{ip4}:9", "[::1]:7"))
    for where in ("127.0.0.1", "[::1]", ip4, ip6):
        page = pod.pod.run(f"busybox wget -q -O - http://{where}:80/seven")
        assert page.strip().isdigit(), page
    assert pod.get("127.0.0.1:8") == "guest 8\n"
    assert "refused" in pod.get(f"{ip4}:8")
    assert pod.get("[::1]:9") == pod.get(f"{ip6}:9") == "guest 9\n"


def check_sums(pod):
    """4 MiB to the guest and back, on both of the pod's addresses; and to a sidecar."""
    want = pod.pod.run(f"sha256sum <{pod.data}")
    for address in ("127.0.0.1", pod.net.pod4):
        assert pod.pod.run(f"socat -t 30 - TCP:{address}:7 <{pod.data} | sha256sum") == want
    for where in ("TCP:127.0.0.1:8080", "TCP6:[::1]:8080"):
        got = pod.vm.exec(f"socat -t 30 - {where} </tmp/data | sha256sum").check().out
        assert got.decode() == want, got


def check_taken(pod):
    """What a sidecar had stays its own; who is refused hears of it."""
    assert pod.get("127.0.0.1:7070") == pod.get(f"{pod.net.pod4}:7070") == "sidecar 7070\n"
    taken = {"127.0.0.1:7070", f"{pod.net.pod4}:7070"}
    wait_until(lambda: set(pod.ports()["taken"]) == taken, "those to be found taken")
    wait_until(lambda: 'port=7070' in pod.vm.log(), "the log to say so")
    before = pod.ports()["shared"]["refused"]
    for port in (22, 7070, 8081):
        said = pod.vm.exec(f"echo {port} | socat -t 5 - VSOCK-CONNECT:2:1027").out
        assert said == b"", said
    wait_until(lambda: pod.ports()["shared"]["refused"] >= before + 3, "them to be counted")
    assert pod.ports()["shared"]["refused"] == before + 3, pod.ports()
    assert pod.vm.log().count("shared-port-refused") == 1, pod.vm.log()


def check_end(pod):
    """A server that ends frees its port: a sidecar can have it, and keeps it while it is away."""
    pod.vm.exec("kill $(cat /tmp/seven)").check()
    pod.await_ports("127.0.0.1:8", gone=("127.0.0.1:7", f"{pod.net.pod4}:7"))
    assert "refused" in pod.get("127.0.0.1:7")
    sidecar = pod.sidecar("TCP-LISTEN:7", "sidecar 7")
    again = pod.in_guest("socat TCP-LISTEN:7,fork SYSTEM:'echo guest' & "
                         "until netstat -lnt | grep -q ':7 '; do usleep 10000; done; "
                         "exec socat TCP-LISTEN:17,fork SYSTEM:'echo guest'")
    pod.await_ports("127.0.0.1:17", gone=("127.0.0.1:7",))
    assert pod.get("127.0.0.1:7") == "sidecar 7\n"
    wait_until(lambda: "127.0.0.1:7" in pod.ports()["taken"], "it to be found taken")
    sidecar.kill()
    more = pod.in_guest("exec socat TCP-LISTEN:27,fork SYSTEM:'echo guest'")
    pod.await_ports("127.0.0.1:27", gone=("127.0.0.1:7",))
    assert "refused" in pod.get("127.0.0.1:7") and "127.0.0.1:7" in pod.ports()["taken"]
    for job in (again, more):
        job.signal(signal.SIGTERM)
        job.wait()


def check_from_elsewhere(pod):
    """What comes in by another interface, which has no guard, finds nobody on the pod's address."""
    near, ip4 = pod.net.near, pod.net.pod4
    assert pod.get(f"{ip4}:7070", near) == "guest 7070\n"
    pod.pod.run("ip link add net1 type veth peer name net1 netns near\n"
                "ip addr add 10.77.0.1/30 dev net1; ip link set net1 up")
    near.run("ip addr add 10.77.0.2/30 dev net1; ip link set net1 up\n"
             f"ip route add {ip4}/32 via 10.77.0.1")
    assert pod.get(f"{ip4}:7070", near) == "sidecar 7070\n"  # the way leads there
    status, output = near.try_run(f"socat -u TCP:{ip4}:80,connect-timeout=1 -")
    assert status != 0 and "timed out" in output, output
    pod.pod.run("ip link del net1")


@test(limit=60)
def ports_of_guest_and_pod(lab):
    """All there is behind an exclusive guard: both directions, both families, and the world's."""
    pod = Pod(Calico(lab), **{"shared-ports": "8080,tcp/9090"})
    pod.sidecar("TCP-LISTEN:7070", "sidecar 7070")
    pod.sidecar("TCP-LISTEN:8080,bind=127.0.0.1", "EXEC:/bin/cat")
    pod.sidecar("TCP6-LISTEN:9090,bind=[::1]", "sidecar 9090")
    pod.start()
    check_guests_ports(pod)
    n_idle = pod.idle_fds()
    # Neither is there twice: 8080 and 9090 are in the guest for us alone.
    forwarded = pod.ports()["forwarded"]
    assert not [port for port in forwarded if port.endswith((":8080", ":9090"))], forwarded
    assert pod.vm.exec("socat -u TCP:127.0.0.1:9090 -").out == b"sidecar 9090\n"
    check_sums(pod)
    for address in ("127.0.0.1", pod.net.pod4):
        status, output = pod.pod.try_run(f"python3 -c '{MANY.format(address=address)}'", 240)
        assert status == 0, output + pod.vm.log()
    # A sidecar is nobody's but the pod's: what the world connects to is the guest.
    assert pod.get(f"{pod.net.pod4}:7070", pod.net.near) == "guest 7070\n"
    assert "failed" in pod.get(f"{pod.net.pod4}:8", pod.net.near)
    check_taken(pod)
    wait_until(lambda: pod.fds() <= n_idle, "connections to leave nothing behind")
    wait_until(lambda: pod.ports()["connections"] == pod.ports()["shared"]["connections"] == 0,
               "them to be counted")
    check_from_elsewhere(pod)
    check_end(pod)
    pod.stop()
    assert ":80 " not in pod.pod.run("ss -Htln")


@test(limit=60)
def ports_under_qemu(lab):
    """Its kernel has tcp_diag as a module, which the agent has loaded."""
    pod = Pod(Calico(lab), vmm="qemu", **{"shared-ports": "8080"})
    pod.sidecar("TCP-LISTEN:8080,bind=127.0.0.1", "sidecar")
    pod.start()
    pod.await_ports("127.0.0.1:7", "[::1]:9", f"{pod.net.pod4}:7", gone=("127.0.0.1:9",))
    assert pod.get("[::1]:9") == "guest 9\n"
    assert pod.vm.exec("socat -u TCP:127.0.0.1:8080 -").out == b"sidecar\n"
    assert b"tcp_diag" in pod.vm.exec("cat /proc/modules").out
    pod.stop()


@test(limit=60)
def ports_in_shared_mode(lab):
    """The world reaches the sidecar's shared port and the guest's others, each by its owner."""
    net = Bridge(lab)
    net.pod.run(EPHEMERAL)
    script = SERVE.replace("echo ready", "socat TCP-LISTEN:62000,fork SYSTEM:'echo guest' &\n"
                           "until netstat -lnt | grep -q :62000; do usleep 10000; done; echo ready")
    pod = Pod(net, script, guard="shared", **{"shared-ports": "8080", "kernel-ports": "tcp/7070"})
    pod.sidecar("TCP-LISTEN:8080", "sidecar 8080")
    pod.start()
    pod.await_ports("127.0.0.1:7", f"{net.pod4}:7")
    assert pod.get(f"{net.pod4}:8080", net.near) == "sidecar 8080\n"
    assert pod.vm.exec("socat -u TCP:127.0.0.1:8080 -").out == b"sidecar 8080\n"
    net.near.run(f"busybox wget -q -O - http://{net.pod4}:80/seven")
    assert pod.pod.run(f"socat -t 30 - TCP:{net.pod4}:7 <{pod.data} | sha256sum") == \
        net.near.run(f"socat -t 30 - TCP:{net.pod4}:7 <{pod.data} | sha256sum")
    # What the pod's kernel keeps is bound by nobody but its own programs.
    forwarded = pod.ports()["forwarded"]
    kept = (":7070", ":8080", ":62000")
    assert not [port for port in forwarded if port.endswith(kept)], forwarded
    assert "refused" in pod.get(f"{net.pod4}:7070", net.near)
    pod.job.signal(signal.SIGKILL)
    pod.job.wait()
    pod.vm.assert_gone()


@test(limit=60)
def ports_of_a_hostile_guest(lab):
    """10 000 requests, connections that say nothing, thousands of ports: nobody is held up."""
    pod = Pod(Calico(lab), "echo ready; exec sleep 1000", **{"shared-ports": "8080"})
    pod.sidecar("TCP-LISTEN:8080,bind=127.0.0.1", "sidecar")
    pod.start()
    n_idle = pod.idle_fds()
    asked = pod.vm.exec("port_flood ask 10000 22").check().out
    assert asked == b"connected 10000\n", asked
    wait_until(lambda: pod.ports()["shared"]["refused"] >= 10000, "them to be counted")
    assert pod.ports()["shared"]["refused"] == 10000, pod.ports()
    holder = pod.in_guest("exec port_flood hold 1000 8").wait_for("holding ")
    wait_until(lambda: pod.ports()["shared"]["connections"] > 0, "some of them")
    assert pod.ports()["shared"]["connections"] <= 256, pod.ports()
    assert pod.vm.exec("echo still").out == b"still\n"
    holder.signal(signal.SIGTERM)
    holder.wait()
    wait_until(lambda: pod.ports()["shared"]["connections"] == 0, "them to be gone")
    assert pod.vm.exec("socat -u TCP:127.0.0.1:8080 -").out == b"sidecar\n"
    flood = pod.in_guest("exec port_flood listen 2000 3")
    pod.await_ports("127.0.0.1:20000")
    while flood.process.poll() is None:
        assert pod.fds() < n_idle + 1024 + 64, pod.fds()
        assert pod.vm.exec("echo still").out == b"still\n"
    flood.wait().check()
    pod.await_ports(gone=("127.0.0.1:20000",))
    wait_until(lambda: pod.fds() <= n_idle, "all ports to be closed")
    pod.stop()


@test(limit=60)
def ports_where_there_is_no_guard(lab):
    """Nothing is bound unless it is asked for, then on loopback alone; some ports may not be."""
    pod = Pod(Calico(lab), "for port in 7 8 7007; do\n"
              "socat TCP-LISTEN:$port,fork SYSTEM:'echo guest' & done\n"
              "until [ $(netstat -lnt | grep -c -E ':(7|8|7007) ') = 3 ]; do usleep 10000; done\n"
              "echo ready; wait", guard="off")
    pod.start()
    assert pod.ports() == {}, pod.ports()
    pod.stop()
    pod.vm.settings["forward-ports"] = "on"
    pod.vm.prefix = ["setpriv", "--bounding-set=-net_bind_service"]
    pod.start()
    pod.await_ports("127.0.0.1:7007")
    wait_until(lambda: pod.ports()["privileged"] == 2, "the agent to have seen all three")
    assert pod.ports()["forwarded"] == ["127.0.0.1:7007"], pod.ports()
    assert pod.get("127.0.0.1:7007") == "guest\n"
    assert pod.vm.log().count("CAP_NET_BIND_SERVICE") == 1, pod.vm.log()
    pod.stop()
