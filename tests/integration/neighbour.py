# SPDX-License-Identifier: BSD-3-Clause
"""What those beside an attack get: guest 0's TCP streams, and a client of the control socket.

    sw = lab.switch(n_guests=2); vm = lab.boot()
    neighbour = Neighbour(lab, vm)
    seen = neighbour.beside(attack)          # a HostJob, or None for a quiet moment

While the attack runs, streams cross guest 0's port in turn from and to the peer, each compared by its
SHA-256, and a control client asks 20 times a second. beside() says what it was like; its caller says
what is fair.
"""

import json
import os
import socket
import threading
import time

from lab import PEER4, LabError, guest4, last_json

MIB = 1 << 20
STREAM_BYTES = 32 * MIB
HERTZ = 20

# What `port show` says of a port that nobody has misused.
INNOCENT = ("no VMM is connected", "the VMM is connected but has not shared",
            "the guest's driver has not enabled")


class ControlClient:
    """One connection to the control socket."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.input = self.socket.makefile("rb")
        self.n_calls = 0

    def send(self, method, params=None, number=None):
        request = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            request["params"] = params
        self.socket.sendall(json.dumps(request).encode() + b"\n")

    def call(self, method, params=None):
        """The response: a dict with "result" or "error". Events in between are skipped.

        A request that could not be read is answered without its number.
        """
        self.n_calls += 1
        self.send(method, params, self.n_calls)
        while True:
            line = self.input.readline()
            if not line:
                raise LabError(f"{method}: the control connection was closed")
            response = json.loads(line)
            if response.get("id") == self.n_calls or \
                    (response.get("id") is None and "error" in response):
                return response

    def close(self):
        self.input.close()
        self.socket.close()


class Watch(threading.Thread):
    """Asks the switch HERTZ times a second, until stop(), and keeps the worst."""

    def __init__(self, control):
        super().__init__(daemon=True)
        self.client = ControlClient(control)
        self.done = threading.Event()
        self.streaming_since = None  # set by the user while a stream should be moving
        self.reset()
        self.start()

    def reset(self):
        self.error = None
        self.n_answers = 0
        self.worst_ms = 0.0
        self.stall = 0.0
        self.reasons = set()
        self.moved_at = time.monotonic()
        self.packets = None

    def run(self):
        try:
            while not self.done.wait(1 / HERTZ):
                self.look()
        except (OSError, LabError, ValueError, KeyError) as error:
            self.error = f"the control client: {error!r}"

    def look(self):
        started = time.monotonic()
        ports = self.client.call("port.show")["result"]
        now = time.monotonic()
        self.worst_ms = max(self.worst_ms, (now - started) * 1000)
        self.n_answers += 1
        for port in ports:
            if port["ifname"] == "vm1" and port.get("reason"):
                self.reasons.add(port["reason"])
        self.measure_stall(self.client.call("port.stats", {"name": "vm0"})["result"][0])

    def measure_stall(self, stats):
        """Each direction of a stream has packets from the guest: data, or acknowledgements."""
        now, since = time.monotonic(), self.streaming_since
        packets = stats["stats64"]["rx"]["packets"]
        if packets != self.packets or since is None:
            self.packets, self.moved_at = packets, now
        else:
            self.stall = max(self.stall, now - max(self.moved_at, since))

    def stop(self):
        self.done.set()
        self.join(60)
        self.client.close()


class Resources:
    """What a process holds: descriptors, mappings, private memory."""

    def __init__(self, pid):
        self.fds = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
            self.maps = len(maps.readlines())
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            self.anon_kib = next(int(line.split()[1]) for line in status
                                 if line.startswith("RssAnon"))

    def __str__(self):
        return f"{self.fds} descriptors, {self.maps} mappings, {self.anon_kib} KiB"

    def grown(self, before, sanitized, allow_kib=4096):
        """What has grown since `before` and should not have; empty if nothing.

        glibc's heaps and thread caches grow a little by themselves, a sanitizer's by much more.
        """
        found = []
        if self.fds > before.fds:
            found.append(f"{self.fds - before.fds} descriptors more than before")
        if self.maps > before.maps + (100 if sanitized else 6):
            found.append(f"{self.maps - before.maps} mappings more than before")
        if self.anon_kib > before.anon_kib + allow_kib + (131072 if sanitized else 0):
            found.append(f"{self.anon_kib - before.anon_kib} KiB of memory more than before")
        return found


def count_drops(sw):
    return {(port["ifname"], reason): drop["count"] for port in sw.ctl("port", "stats")
            for reason, drop in port["drop_reasons"].items()}


def retransmitted(node):
    """Segments that this machine's TCP had to send again since it came up."""
    names, values = [line.split() for line in node.run("cat /proc/net/snmp").splitlines()
                     if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


class Neighbour:
    """Guest 0's user."""

    def __init__(self, lab, vm):
        self.lab = lab
        self.vm = vm
        self.watch = Watch(lab.sluiced.control)
        self.n_streams = 0

    def stream(self):
        """One stream, from the guest and to it in turn: (bytes, seconds)."""
        self.n_streams += 1
        source, sink, address = ((self.vm, self.lab.peer, PEER4),
                                 (self.lab.peer, self.vm, guest4()))[self.n_streams % 2]
        port = 5000 + self.n_streams % 1000
        receiver = sink.spawn(f"tcp_pump recv {port}").wait_for("ready")
        self.watch.streaming_since = time.monotonic()
        sent = last_json(source.run(
            f"tcp_pump send {address} {port} {STREAM_BYTES} {self.n_streams}", 240))
        self.watch.streaming_since = None
        got = last_json(receiver.wait(240))
        assert got["bytes"] == STREAM_BYTES and got["sha256"] == sent["sha256"], \
            f"the neighbour's stream was damaged: {sent} became {got}"
        return got["bytes"], got["seconds"]

    def beside(self, still_going):
        """Streams as long as still_going() is true, at least two: a dict of what was seen."""
        before = count_drops(self.lab.sluiced)
        resent = retransmitted(self.vm) + retransmitted(self.lab.peer)
        self.watch.reset()
        n_bytes, seconds, n_streams = 0, 0.0, 0
        while n_streams < 2 or still_going():
            more = self.stream()
            n_bytes, seconds, n_streams = n_bytes + more[0], seconds + more[1], n_streams + 1
        watch = self.watch
        assert watch.error is None, watch.error
        drops = {key: count - before.get(key, 0)
                 for key, count in count_drops(self.lab.sluiced).items()
                 if count > before.get(key, 0)}
        return {"gbps": n_bytes * 8 / 1e9 / seconds, "streams": n_streams, "stall": watch.stall,
                "control_ms": watch.worst_ms, "answers": watch.n_answers, "drops": drops,
                "reasons": {r for r in watch.reasons if not r.startswith(INNOCENT)},
                "retransmitted": retransmitted(self.vm) + retransmitted(self.lab.peer) - resent}

    def close(self):
        self.watch.stop()
