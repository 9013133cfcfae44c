# SPDX-License-Identifier: BSD-3-Clause
"""`sluice-vm port-forward`: TCP ports of a guest, reached without its network."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

from cni import Calico
from guest import die_with_parent
from lab import wait_until
from suite import test
from vm import Running, Vm

SUITE = "vm"

MIB = 1 << 20
# Small services for each connection: the standard streams of a program are the connection.
SERVE = """
ip link set lo up
socat -t 30 TCP-LISTEN:7,fork,backlog=128 EXEC:/bin/cat &  # nc's backlog is 2
nc -ll -p 9 -e /bin/sha256sum &
nc -ll -p 19 -e /tmp/give &
nc -ll -p 20 -e /tmp/leave &
socat TCP6-LISTEN:21,bind=[::1],fork EXEC:/bin/hostname &
until [ $(netstat -lnt | grep -c -E ':(7|9|19|20|21) ') = 5 ]; do usleep 10000; done
echo ready; exec sleep 1000
"""


class Forward(Running):
    """A port-forward that runs; `port[remote]` is the local one."""

    def __init__(self, vm, *words):
        super().__init__([vm.program, "port-forward", "--name", vm.name, "--run-dir", vm.run_dir,
                          *words])
        self.port = {}

    def listens(self, remote):
        self.wait_for(f" -> {remote}\n")
        lines = re.findall(r"from 127\.0\.0\.1:(\d+) -> (\d+)", self.seen.decode())
        self.port = {int(there): int(here) for here, there in lines}
        return self.port[remote]

    def connect(self, remote, address="127.0.0.1"):
        return socket.create_connection((address, self.port[remote]), timeout=120)


def install(program, root):
    """With the libraries that it is linked to, where the loader looks for them."""
    ldd = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in [program, *re.findall(r"(?:=> |^\s+)(/\S+) \(", ldd, re.MULTILINE)]:
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)


def start(lab):
    vm = Vm(Calico(lab))
    install("/usr/bin/socat", vm.rootfs)
    for name, text in (("give", f"#!/bin/sh\nexec head -c {64 * MIB} /tmp/data\n"),
                       ("leave", "#!/bin/sh\nexec head -c 5\n")):
        path = os.path.join(vm.rootfs, "tmp", name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o755)
    with open(os.path.join(vm.rootfs, "tmp", "data"), "wb") as file:
        file.write(os.urandom(MIB) * 64)
    return vm, vm.start(SERVE).wait_for("ready\n")


def read_all(sock):
    data = hashlib.sha256()
    n = 0
    while part := sock.recv(1 << 18):
        data.update(part)
        n += len(part)
    return n, data.hexdigest()


def sum_of(path, n_bytes=64 * MIB):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(n_bytes)).hexdigest()


@test(limit=90)
def forward_streams(lab):
    """64 MiB there and back, 16 both ways at once, by their sums; ends of directions arrive."""
    vm, job = start(lab)
    data = os.path.join(vm.rootfs, "tmp", "data")
    want = sum_of(data)
    forward = Forward(vm, ":7", "0:9", ":19")
    for remote in (7, 9, 19):
        forward.listens(remote)

    def send(sock, n_bytes=64 * MIB):
        with open(data, "rb") as file:
            sock.sendfile(file, count=n_bytes)
        sock.shutdown(socket.SHUT_WR)

    with forward.connect(9) as sock:
        send(sock)  # the sum comes only after the end
        assert sock.makefile().read().split()[0] == want
    with forward.connect(19) as sock:
        assert read_all(sock) == (64 * MIB, want)
    with forward.connect(7) as sock:
        sender = threading.Thread(target=send, args=[sock, 16 * MIB])
        sender.start()
        assert read_all(sock) == (16 * MIB, sum_of(data, 16 * MIB))
        sender.join()
    forward.signal(signal.SIGTERM)
    forward.wait()
    stop(vm, job)


def stop(vm, job):
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()


def port_forward(vm, *words, data=b"", code=0):
    """To its end: what it printed, or of one that failed the line that says why."""
    argv = [vm.program, "port-forward", "--name", vm.name, "--run-dir", vm.run_dir, *words]
    done = subprocess.run(argv, input=data, capture_output=True, timeout=120, check=False,
                          preexec_fn=die_with_parent)
    assert done.returncode == code, done
    if code == 0:
        return done.stdout
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("sluice-vm port-forward: "), lines
    return lines[0]


def check_many(forward):
    socks = [forward.connect(7, "::1" if i % 2 else "127.0.0.1") for i in range(50)]
    for i, sock in enumerate(socks):
        sock.sendall(b"%d\n" % i * 1000)
    for i, sock in enumerate(socks):
        sock.shutdown(socket.SHUT_WR)
        assert sock.makefile("rb").read() == b"%d\n" % i * 1000, i
        sock.close()


def check_stdio(vm):
    blob = os.urandom(3 * MIB)
    assert port_forward(vm, "--stdio", "9", data=blob).split()[0].decode() == \
        hashlib.sha256(blob).hexdigest()
    assert port_forward(vm, "--stdio", "7", data=blob) == blob
    assert "Connection refused" in port_forward(vm, "--stdio", "4444", code=1)
    assert "in use" in port_forward(vm, "7:7", "7:7", code=1)
    for words in ((), ("--stdio",), ("--stdio", "1:2"), ("x:7",), ("7:0",), ("--stdio", "7", "9")):
        port_forward(vm, *words, code=2)


@test(limit=90)
def forward_many(lab):
    """50 at a time, ports that refuse, IPv6, one that ends first; and the VM's end is its own."""
    vm, job = start(lab)
    forward = Forward(vm, ":7", ":20", ":21", ":4444")
    for remote in (7, 20, 21, 4444):
        forward.listens(remote)
    # The last is said before the first connection: all of it is there.
    forward.wait_for(f"Forwarding from [::1]:{forward.port[4444]} -> 4444\n")
    assert f"Forwarding from [::1]:{forward.port[7]} -> 7\n" in forward.seen.decode()
    fds = f"/proc/{forward.process.pid}/fd"
    n_idle = len(os.listdir(fds))
    check_many(forward)
    with forward.connect(20) as sock:  # it takes five bytes, and does not wait for an end
        sock.sendall(b"12345")
        assert sock.makefile("rb").read() == b"12345"
    with forward.connect(21) as sock:  # listens on ::1 alone
        assert sock.makefile("rb").read() == vm.exec("hostname").out
    with forward.connect(4444) as sock:
        assert sock.recv(10) == b""
    wait_until(lambda: len(os.listdir(fds)) <= n_idle, "connections to be closed")
    check_stdio(vm)
    with forward.connect(7) as sock:  # one that was refused is no end of others
        sock.sendall(b"still\n")
        assert sock.makefile("rb").readline() == b"still\n"
        stop(vm, job)
        assert sock.recv(10) == b""
    done = forward.wait().check(1)
    assert done.err.decode().splitlines() == [
        f"sluice-vm port-forward: {forward.port[4444]} -> 4444: Connection refused",
        "sluice-vm port-forward: the VM \"vm0\" has ended"], done.err
    assert "no VM of the name" in port_forward(vm, ":7", code=1)
