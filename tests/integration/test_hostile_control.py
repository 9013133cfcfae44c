# SPDX-License-Identifier: BSD-3-Clause
"""Clients of the control socket that mean harm, or know no better.

Beside each of them a guest's streams cross the switch and an ordinary client keeps being answered.
"""

import json
import random
import socket
import time

from lab import LabError, guest_mac
from neighbour import ControlClient, Neighbour, Resources
from suite import test

SUITE = "hostile"

CONTROL_MS = 1000
STALL_SECONDS = 2
TRIES = 5  # who hurts others does so each time; a machine that stalls does not
CLOSED = (BrokenPipeError, ConnectionResetError, ConnectionRefusedError, BlockingIOError)

# Methods and what they take, or will take; one that does not exist is one more error to be answered.
METHODS = {
    "port.list": ["name"], "port.show": ["name"], "port.stats": ["name"],
    "port.add": ["name", "kind", "interface", "socket", "mac", "mtu", "queues", "vlan", "trunks"],
    "port.del": ["name"], "port.set": ["name", "vlan", "mtu", "mac", "trunks", "workers"],
    "fdb.show": ["port", "vlan", "mac", "name"], "fdb.add": ["mac", "vlan", "port", "name"],
    "fdb.del": ["mac", "vlan", "port"], "fdb.flush": ["port", "vlan", "name"],
    "worker.show": ["worker", "name"], "worker.assign": ["port", "queue", "worker", "name"],
    "log.set": ["level", "format"], "log.show": ["level"],
    "config.show": ["path"], "config.check": ["config", "path", "text"],
    "config.reload": ["path", "config"], "events": ["port", "filter"],
    "events.subscribe": ["port", "filter"], "version": ["name"], "no.such.method": ["name"],
    "": ["name"], "port.show ": ["name"], "PORT.SHOW": ["name"], "\u0000": ["name"],
}
VALUES = [None, True, -1, 0, 1.5, 2**31, 2**63, -2**63, 2**64, 1e308, "", "x" * 5000, "\u0000", "../..",
          "%s%s%n", "\U0001f600", [], ["vm0"], {}, {"name": "vm0"}, [[[[]]]]]


def dial(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)  # without a timeout: a full backlog is waited for
    client.settimeout(60)
    return client


def closes(client, seconds=60):
    """Reads until the switch closes the connection; False if it does not."""
    client.settimeout(seconds)
    try:
        while client.recv(65536):
            pass
        return True
    except CLOSED:
        return True
    except TimeoutError:
        return False


def push(client, data):
    """Sends as much as the switch takes: the number of bytes."""
    sent = 0
    try:
        for at in range(0, len(data), 65536):
            client.sendall(data[at:at + 65536])
            sent = at
    except (*CLOSED, TimeoutError):
        pass
    return sent


def half_lines(path):
    clients = [dial(path) for _ in range(40)]
    for i, client in enumerate(clients):
        client.sendall(b'{"jsonrpc": "2.0", "method": "port.show", "id": 1}'[:i])
    time.sleep(0.3)
    for client in clients:
        client.close()


def line_of_64_megabytes(path):
    client = dial(path)
    sent = push(client, b"x" * (64 << 20))
    assert closes(client), "a line without end did not end the connection"
    assert sent < 8 << 20, f"{sent} bytes of one line were taken"


def many_endless_lines(path):
    """As much as is allowed, from as many as are allowed."""
    clients = [dial(path) for _ in range(40)]
    for client in clients:
        client.setblocking(False)
        push(client, b"[" * 1000000)
    for client in clients:
        client.close()


def garbage(path):
    for seed in range(30):
        client = dial(path)
        push(client, random.Random(seed).randbytes(20000) + b"\n")
        client.shutdown(socket.SHUT_WR)
        assert closes(client), "garbage kept the connection open after its end"
        client.close()


def answers(path, line):
    """The response to one line that is not what it should be; None if the connection ended."""
    client = dial(path)
    try:
        client.sendall(line + b"\n")
        with client.makefile("rb") as lines:
            answer = lines.readline()
        return json.loads(answer) if answer else None
    except CLOSED:
        return None
    finally:
        client.close()


def strange_json(path):
    call = b'{"jsonrpc": "2.0", "id": 1, "method": "port.show", "params": %s}'
    lines = [b"[" * 500000, b'{"a":' * 100000, call % (b"[" * 100000 + b"]" * 100000),
             call % (b'{"name": "\xff\xfe\xc0\xaf"}'), b"\xed\xa0\x80", b"\x00", b"", b"null", b"[]",
             b"[" + b",".join([call % b"{}"] * 1000) + b"]", call % b"9" * 100000,
             call % (b'{"name": ' + b"9" * 500000 + b"}"), call % b'{"name": 1e999999999}',
             call % b'{"name": -0}', call % b'{"name": "\\ud800"}', call % b'{"a": 1, "a": 2}',
             b'{"jsonrpc": "2.0", "id": {"a": []}, "method": "version"}',
             b'{"jsonrpc": "2.0", "id": 1e400, "method": "version"}',
             b'{"jsonrpc": "2.0", "id": 1, "method": 7}', b'{"jsonrpc": 2, "id": 1, "method": "x"}',
             b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"m" * 900000 + b'"}']
    for line in lines:
        answer = answers(path, line)
        assert answer is None or "error" in answer, f"{line[:60]!r}: {answer}"


def never_reading(path):
    """Asks until the switch has enough of it; what it keeps for such a client is bounded."""
    clients = [dial(path) for _ in range(8)]
    request = b'{"jsonrpc": "2.0", "id": 1, "method": "port.stats"}\n' * 1000
    for client in clients:
        client.settimeout(0.2)
    for _ in range(20):
        for client in clients:
            push(client, request)
    for client in clients:
        client.close()


def slow_reader(path):
    """All of 3000 answers come, in order, however late they are fetched."""
    client = ControlClient(path)
    for first in range(0, 3000, 500):
        for number in range(first, first + 500):
            client.send("version", None, number)
        for number in range(first, first + 500):
            assert json.loads(client.input.readline())["id"] == number
    client.close()


def thousand_connections(path):
    clients = []
    try:
        for _ in range(1000):
            clients.append(dial(path))
        left, deadline = clients, time.monotonic() + 60
        while len(left) >= 100:
            assert time.monotonic() < deadline, f"{len(left)} connections were kept"
            left = [client for client in left if not closes(client, 0.001)]
    finally:
        for client in clients:
            client.close()


def connect_storm(path):
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        client = dial(path)
        push(client, b'{"jsonrpc": "2.0", "id": 1, "method": "port.show"}\n')
        client.close()


def notifications(path):
    """Requests without id are not answered; the next with one is."""
    client = ControlClient(path)
    client.socket.sendall(b'{"jsonrpc": "2.0", "method": "port.stats"}\n' * 2000)
    assert "result" in client.call("version")
    client.close()


def descriptors(path):
    """A control client that passes descriptors: they go nowhere."""
    for _ in range(20):
        client = dial(path)
        socket.send_fds(client, [b'{"jsonrpc": "2.0", "id": 1, "method": "version"}\n'],
                        [client.fileno()] * 100)
        client.shutdown(socket.SHUT_WR)
        assert closes(client), "still open"
        client.close()


def wrong_types(path):
    """Every method with every parameter of every wrong kind: answered, one by one."""
    client = ControlClient(path)
    for method, names in METHODS.items():
        for params in [{name: value} for name in names for value in VALUES] + \
                [{name: value for name in names} for value in VALUES] + \
                [[], [1], "name", 7, True, {"": 1}, {"a" * 5000: 1}, {"name": "vm0", "other": 1}]:
            answer = client.call(method, params)
            assert ("error" in answer) != ("result" in answer), (method, params, answer)
            if not isinstance(params, dict) and params != []:
                assert "error" in answer, (method, params, answer)
    client.close()


CLIENTS = [half_lines, line_of_64_megabytes, many_endless_lines, garbage, strange_json, never_reading,
           slow_reader, thousand_connections, connect_storm, notifications, descriptors, wrong_types]


class Client:
    """One of them, in a process of its own, for Python's threads get into each other's way."""

    def __init__(self, lab, function):
        here = __file__.rsplit("/", 1)[0]
        self.job = lab.pod.spawn(
            f"cd {here} && exec python3 -c 'import test_hostile_control as t\n"
            f't.{function.__name__}("{lab.sluiced.control}")\'')

    def still_going(self):
        return self.job.process.poll() is None


def try_client(lab, neighbour, function):
    """What went wrong, and what those beside it measured, in two."""
    client = Client(lab, function)
    seen = neighbour.beside(client.still_going)
    print(f"  {function.__name__:22} {seen['gbps']:5.2f} Gb/s in {seen['streams']:2} streams, stall "
          f"{seen['stall'] * 1000:4.0f} ms, control {seen['control_ms']:5.1f} ms", flush=True)
    wrong, measured = [], []
    try:
        client.job.wait(240)
    except LabError as error:
        wrong.append(str(error))
    slow = 4 if lab.sluiced.is_sanitized() else 1
    if seen["control_ms"] > CONTROL_MS * slow:
        measured.append(f"an ordinary client waited {seen['control_ms']:.0f} ms")
    if seen["stall"] > STALL_SECONDS * slow:
        measured.append(f"the neighbour's stream stood still for {seen['stall']:.1f} s")
    return wrong, measured


def one_client(lab, neighbour, before, function):
    """What is wrong; what was measured is if it is so each time."""
    for _ in range(TRIES):
        wrong, measured = try_client(lab, neighbour, function)
        if wrong or not measured:
            break
    found = leaks(lab, before)
    return wrong + measured + (["; ".join(found)] if found else [])


def leaks(lab, before):
    deadline = time.monotonic() + 60
    # What glibc keeps of 64 clients' buffers at the same time is its own affair, once.
    while found := Resources(lab.sluiced.process.pid).grown(
            before, lab.sluiced.is_sanitized(), allow_kib=65536):
        if time.monotonic() > deadline:
            return found
        time.sleep(0.02)
    return []


@test(limit=180)
def control_attacks(lab):
    sw = lab.switch()
    vm = lab.boot()
    neighbour = Neighbour(lab, vm)
    neighbour.beside(lambda: False)
    before = Resources(sw.process.pid)
    failed = []
    for _ in range(20 if lab.soak else 1):
        for function in CLIENTS:
            failed += [f"{function.__name__}: {what}"
                       for what in one_client(lab, neighbour, before, function)]
            assert sw.process.poll() is None, f"{function.__name__} ended sluiced"
    print(f"  {Resources(sw.process.pid)} after, {before} before", flush=True)
    assert sw.show("vm0")["address"] == guest_mac(0), sw.show("vm0")
    neighbour.close()
    assert sw.stop() == 0
    assert not failed, "\n".join(failed)
