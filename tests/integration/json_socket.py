# SPDX-License-Identifier: BSD-3-Clause
"""A connection on which every line is a JSON object: the switch's control socket, QEMU's QMP."""

import json
import socket


class JsonSocketError(Exception):
    """The other end refused what it was asked, or is gone."""


class JsonSocket:
    """One question at a time; what comes beside the answers (events, a greeting) is skipped."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rwb")

    def ask(self, message):
        """The answer's result."""
        self.file.write(json.dumps(message).encode() + b"\n")
        self.file.flush()
        while line := self.file.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise JsonSocketError(f"{message}: {answer['error']}")
            for key in ("result", "return"):
                if key in answer:
                    return answer[key]
        raise JsonSocketError(f"{message}: the connection was closed")

    def close(self):
        self.file.close()
        self.socket.close()
