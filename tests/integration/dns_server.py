#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A name server that knows one name: dns_server.py ADDRESS NAME IP. Says "ready", answers for ever.

RFC 1035: an answer is the question with a header that says so and, for the name's A record, that.
"""

import socket
import struct
import sys

TYPE_A, CLASS_IN = 1, 1
RESPONSE, AUTHORITATIVE, NO_SUCH_NAME = 0x8000, 0x0400, 3
QUESTION_AT = 12
POINTER_TO_QUESTION = 0xC000 | QUESTION_AT


def read_name(message, at):
    """(name, where it ends)"""
    labels = []
    while (length := message[at]):
        labels.append(message[at + 1:at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels).lower(), at + 1


def answer(message, known, ip):
    ident, = struct.unpack("!H", message[:2])
    name, end = read_name(message, QUESTION_AT)
    kind, = struct.unpack("!H", message[end:end + 2])
    found = name == known and kind == TYPE_A
    flags = RESPONSE | AUTHORITATIVE | (0 if name == known else NO_SUCH_NAME)
    record = struct.pack("!HHHIH4s", POINTER_TO_QUESTION, TYPE_A, CLASS_IN, 60, 4,
                         socket.inet_aton(ip)) if found else b""
    return struct.pack("!6H", ident, flags, 1, int(found), 0, 0) + message[12:end + 4] + record


def main():
    address, name, ip = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        print("ready", flush=True)
        while True:
            message, asker = server.recvfrom(512)
            server.sendto(answer(message, name, ip), asker)


if __name__ == "__main__":
    main()
