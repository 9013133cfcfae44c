# SPDX-License-Identifier: BSD-3-Clause
"""A client of sluice-agent, through sluice-vsock: lib/agent_wire.h in a few lines.

    with Vsock(lab) as vsock:                          # vsock.socket is the VMM's end
        with vsock.connect() as agent:
            agent.exec(["/bin/cat"], stdin=b"hello")   # (status, stdout, stderr)
"""

import json
import os
import socket
import struct
import subprocess
import time

from guest import die_with_parent
from lab import LabError, wait_until

(HELLO, START, ARGV, ENV, STARTED, STDIN, STDIN_CREDIT, STDIN_CLOSE, STDOUT, STDERR, RESIZE, SIGNAL,
 EXIT, ERROR, ATTACH, ATTACHED, OUTPUT_ACK, STATUS, POWEROFF) = range(1, 20)

AGENT_PORT = 1024


class Vsock:
    """The vsock device of one guest."""

    def __init__(self, lab, name="vsock"):
        self.socket = os.path.join(lab.workdir, name + ".dev")
        self.host = os.path.join(lab.workdir, name + ".host")
        self.log = os.path.join(lab.workdir, name + ".log")
        program = os.path.join(lab.build, "switch", "vsock", "sluice-vsock")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--device", self.socket, "--host", self.host, "--cid", "3"],
                stdin=subprocess.DEVNULL, stderr=log, preexec_fn=die_with_parent)
        wait_until(lambda: os.path.exists(self.socket), "sluice-vsock's device")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def connect(self, timeout=120):
        """To the agent, as soon as it listens."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return AgentClient(self.host, deadline)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LabError(f"the agent does not answer: {error}") from error
                time.sleep(0.02)


class AgentClient:
    """`path` is a VM's socket, or with port None an agent's own (--socket-dir)."""

    def __init__(self, path, deadline, port=AGENT_PORT):
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(max(0.1, deadline - time.monotonic()))
            self.sock.connect(path)
            if port is not None:
                self._ask_for(port)
            self.send(HELLO, b"SLUICE\r\n" + struct.pack("<I", 1))
            kind, _payload = self.receive()
            if kind != HELLO:
                raise ConnectionError(f"frame {kind} instead of HELLO")
            self.sock.settimeout(120)  # the deadline was for getting there
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _ask_for(self, port):
        self.sock.sendall(b"CONNECT %d\n" % port)
        answer = self._line()
        if not answer.startswith(b"OK"):
            raise ConnectionRefusedError(repr(answer))

    def _line(self):
        text = b""
        while not text.endswith(b"\n"):
            byte = self.sock.recv(1)
            if not byte:
                raise ConnectionResetError("the connection ended")
            text += byte
        return text

    def _exactly(self, n_bytes):
        data = b""
        while len(data) < n_bytes:
            more = self.sock.recv(n_bytes - len(data))
            if not more:
                raise ConnectionResetError("the connection ended")
            data += more
        return data

    def send(self, kind, payload=b""):
        self.sock.sendall(struct.pack("<BBHI", kind, 0, 0, len(payload)) + payload)

    def receive(self):
        """The next frame: (type, payload)."""
        kind, _, _, length = struct.unpack("<BBHI", self._exactly(8))
        return kind, self._exactly(length)

    def follow(self, acknowledge):
        """Output up to its end: (status as a shell has it, stdout, stderr)."""
        out, err = b"", b""
        while True:
            kind, payload = self.receive()
            if kind == STDOUT:
                out += payload
            elif kind == STDERR:
                err += payload
            elif kind == ERROR:
                return struct.unpack_from("<I", payload)[0], out, err + payload[4:]
            elif kind == EXIT:
                signalled, _dumped, _zero, number = struct.unpack("<BBHI", payload)
                assert self.sock.recv(1) == b"", "something came behind EXIT"
                return number + (128 if signalled else 0), out, err
            if acknowledge and kind in (STDOUT, STDERR):
                self.send(OUTPUT_ACK, struct.pack("<QQ", len(out), len(err)))

    def exec(self, argv, stdin=b""):
        self.send(START, b"{}")
        self.send(ARGV, b"".join(word.encode() + b"\0" for word in argv))
        self.send(ENV, b"PATH=/bin\0")
        while (frame := self.receive())[0] != STDIN_CREDIT:
            if frame[0] == ERROR:
                return struct.unpack_from("<I", frame[1])[0], b"", frame[1][4:]
        if stdin:
            self.send(STDIN, stdin)
        self.send(STDIN_CLOSE)
        return self.follow(acknowledge=False)

    def attach(self):
        """The workload from its first byte on: as exec()."""
        self.send(ATTACH, struct.pack("<QQ", 0, 0))
        return self.follow(acknowledge=True)

    def status(self):
        self.send(STATUS)
        kind, payload = self.receive()
        assert kind == STATUS, kind
        return json.loads(payload)

    def poweroff(self):
        self.send(POWEROFF)
        assert self.sock.recv(1) == b"", "an answer to POWEROFF"
