#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A name server that knows one name: dns_server.py ADDRESS NAME IP. Says "ready", answers for ever.

RFC 1035: an answer is the question with a header that says so and, for the name's A record, that.
What is below the name ("tcp.NAME") has the same address, but by UDP it is told that the answer was cut
short: it has to ask again by TCP (RFC 7766).
"""

import contextlib
import socket
import struct
import sys
import threading

TYPE_A, CLASS_IN = 1, 1
RESPONSE, AUTHORITATIVE, TRUNCATED, NO_SUCH_NAME = 0x8000, 0x0400, 0x0200, 3
QUESTION_AT = 12
POINTER_TO_QUESTION = 0xC000 | QUESTION_AT


def read_name(message, at):
    """(name, where it ends)"""
    labels = []
    while (length := message[at]):
        labels.append(message[at + 1:at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def answer(message, known, ip, tcp):
    ident, = struct.unpack("!H", message[:2])
    name, end = read_name(message, QUESTION_AT)
    kind, = struct.unpack("!H", message[end:end + 2])
    below = name.endswith("." + known)
    flags = RESPONSE | AUTHORITATIVE | (0 if name == known or below else NO_SUCH_NAME)
    flags |= TRUNCATED if below and not tcp else 0
    found = (name == known or (below and tcp)) and kind == TYPE_A
    record = struct.pack("!HHHIH4s", POINTER_TO_QUESTION, TYPE_A, CLASS_IN, 60, 4,
                         socket.inet_aton(ip)) if found else b""
    return struct.pack("!6H", ident, flags, 1, int(found), 0, 0) + message[12:end + 4] + record


def serve_tcp(server, known, ip):
    """A question a connection; behind their length, both of them."""
    while True:
        connection, _ = server.accept()
        # Who asked may have lost patience.
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as stream:
            size = stream.read(2)
            if len(size) == 2:
                said = answer(stream.read(struct.unpack("!H", size)[0]), known, ip, True)
                connection.sendall(struct.pack("!H", len(said)) + said)


def main():
    address, name, ip = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server, \
            socket.create_server((address, 53), family=family) as tcp:
        server.bind((address, 53))
        threading.Thread(target=serve_tcp, args=(tcp, name, ip), daemon=True).start()
        print("ready", flush=True)
        while True:
            message, asker = server.recvfrom(512)
            server.sendto(answer(message, name, ip, False), asker)


if __name__ == "__main__":
    main()
