# SPDX-License-Identifier: BSD-3-Clause
"""A running sluice-vsock, clients of its guest, and services for it.

    with Vsock(lab) as device:
        vm = device.boot(Uml)
        vm.spawn("vsock_stream serve 1000 echo").wait_for("ready")
        client = device.connect(1000)
"""

import contextlib
import hashlib
import os
import select
import socket
import subprocess

from guest import die_with_parent, vsock
from lab import SANITIZER_ENV, SANITIZER_WORDS, LabError, kill_group, last_json

CHUNK = 1 << 20


class Refused(Exception):
    """The connection was closed without a line."""


class Vsock:
    """From READY to its end, which is the guest's."""

    def __init__(self, lab, cid=3):
        self.lab = lab
        self.device = lab.path("vm.device")
        self.host = lab.path("vm.vsock")
        self.log = lab.path("vsock.log")
        argv = [os.path.join(lab.build, "switch", "vsock", "sluice-vsock"),
                "--device", self.device, "--host", self.host, "--cid", str(cid)]
        notify_path = lab.path("vsock.notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.log, "wb") as log:
            notify.bind(notify_path)
            notify.settimeout(60)
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                env=dict(os.environ, NOTIFY_SOCKET=notify_path, **SANITIZER_ENV),
                preexec_fn=die_with_parent)
            assert b"READY=1" in notify.recv(4096)

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        try:
            if failure:
                print(self.tail() + "".join(vm.tail() for vm in self.lab.guests), flush=True)
            # First the guests: UML does not outlive its devices.
            for vm in self.lab.guests:
                vm.kill()
            if self.lab.guests and not failure:
                assert self.wait_exit() == 0, self.tail()
                assert not any(word in self.tail() for word in SANITIZER_WORDS), self.tail()
        finally:
            kill_group(self.process)

    def tail(self, n_lines=60):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-n_lines:])

    def boot(self, kind, **options):
        vm = kind(self.lab.workdir, [vsock(self.device)], **options)
        self.lab.guests.append(vm)
        vm.run("modprobe vmw_vsock_virtio_transport")
        return vm

    def connect(self, port, timeout=60):
        """A client's connection to a port of the guest's; Refused."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(timeout)
        client.connect(self.host)
        client.sendall(b"CONNECT %d\n" % port)
        line = b""
        while not line.endswith(b"\n"):
            try:
                byte = client.recv(1)
            except ConnectionResetError:
                byte = b""
            if not byte:
                client.close()
                raise Refused(f"port {port}")
            line += byte
        assert line.startswith(b"OK ") and int(line[3:]) > 0, line
        return client

    @contextlib.contextmanager
    def listen(self, port):
        """The socket that the guest's connections to this port of the host come to."""
        path = f"{self.host}_{port}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.settimeout(60)
            listener.bind(path)
            listener.listen()
            try:
                yield listener
            finally:
                os.unlink(path)

    def wait_exit(self, timeout=60):
        """Its exit status."""
        return self.process.wait(timeout)

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def read_exactly(client, n_bytes):
    data = b""
    while len(data) < n_bytes:
        part = client.recv(n_bytes - len(data))
        assert part, f"the stream ended after {len(data)} of {n_bytes} bytes"
        data += part
    return data


def read_to_end(client):
    """(bytes, sha256)"""
    digest, n_bytes = hashlib.sha256(), 0
    while data := client.recv(CHUNK):
        digest.update(data)
        n_bytes += len(data)
    return n_bytes, digest.hexdigest()


def send_stream(client, n_bytes):
    """Sends that much, shuts down, and returns (sha256, what was answered)."""
    digest, chunk = hashlib.sha256(), os.urandom(CHUNK)
    for i in range(n_bytes // CHUNK):
        block = i.to_bytes(8, "little") + chunk[8:]
        digest.update(block)
        client.sendall(block)
    client.shutdown(socket.SHUT_WR)
    answer = b""
    while data := client.recv(CHUNK):
        answer += data
    return digest.hexdigest(), last_json(answer.decode())


def fill(client):
    """Sends until nobody takes any more for two seconds: how much that was."""
    client.setblocking(False)
    sent = 0
    while select.select([], [client], [], 2)[1]:
        with contextlib.suppress(BlockingIOError):
            sent += client.send(bytes(CHUNK))
        if sent > 64 * CHUNK:
            raise LabError("somebody takes everything")
    client.setblocking(True)
    return sent
