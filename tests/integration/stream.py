# SPDX-License-Identifier: BSD-3-Clause
"""Long streams through a process's stdin and stdout, compared by their SHA-256."""

import hashlib
import os
import subprocess
import threading
import time

from guest import die_with_parent
from lab import LabError

PIECE = 1 << 20


class Pump:
    """A process that is fed `n_bytes`, no two MiB of which are alike, and read from.

    What it says on stderr is read as well, so that it never waits for that.
    """

    def __init__(self, argv, n_bytes):
        self.argv, self.n_bytes = argv, n_bytes
        self.n_out = 0
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.err = b""
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, process_group=0,
                                        preexec_fn=die_with_parent)
        self.threads = [threading.Thread(target=body, daemon=True)
                        for body in (self._feed, self._read, self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _feed(self):
        base, left = os.urandom(PIECE), self.n_bytes
        try:
            while left > 0:
                piece = (os.urandom(64) + base[64:])[:left]
                self.sent.update(piece)
                self.process.stdin.write(piece)
                left -= len(piece)
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def _read(self):
        while data := self.process.stdout.read1(PIECE):
            self.got.update(data)
            self.n_out += len(data)

    def _read_errors(self):
        self.err = self.process.stderr.read()

    def wait_for(self, n_bytes, timeout=240):
        """Until so many have come out."""
        deadline = time.monotonic() + timeout
        while self.n_out < n_bytes:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise LabError(f"{self.argv}: {self.n_out} of {n_bytes} bytes came")
            time.sleep(0.002)

    def check(self, timeout=240):
        """All of it has come back, and the process ended well."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise LabError(f"{self.argv}: {self.n_out} of {self.n_bytes} bytes came") from error
        for thread in self.threads:
            thread.join(60)
        assert status == 0, f"{self.argv}: exit status {status}: {self.err!r}"
        assert self.n_out == self.n_bytes, f"{self.n_out} of {self.n_bytes} bytes came"
        assert self.got.digest() == self.sent.digest(), "the stream was damaged"
