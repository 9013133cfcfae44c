# SPDX-License-Identifier: BSD-3-Clause
"""A terminal of this machine, and a program that has it as its own.

    term = Terminal(["sluice-exec", "-it", ...], rows=24, columns=80)
    term.wait_for("$ ").type("stty size\r")
    term.resize(50, 132)
    done = term.wait()
"""

import contextlib
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from guest import LIBC, PR_SET_PDEATHSIG
from lab import LabError


def _own_terminal():
    """For preexec_fn: stdin becomes the controlling terminal of a new session."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """We are the keyboard and the screen; `seen` is what has been on it."""

    def __init__(self, argv, rows=24, columns=80, env=None):
        self.argv, self.seen = argv, b""
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        os.set_blocking(self.master, False)
        self.process = subprocess.Popen(argv, stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=env, preexec_fn=_own_terminal)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(fd)

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def mode(self):
        return termios.tcgetattr(self.slave)

    def tail(self):
        return self.seen[-1000:]

    def is_raw(self):
        return not self.mode()[3] & (termios.ICANON | termios.ISIG | termios.ECHO)

    def is_restored(self):
        return self.mode() == self.before

    def _read(self, timeout):
        """Takes in what the screen is told: whether there was something."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EAGAIN):
                raise
            return False
        self.seen += data
        return bool(data)

    def wait_for(self, text, timeout=180):
        text = text.encode() if isinstance(text, str) else text
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            ended = self.process.poll() is not None
            if (not self._read(0.05) and ended) or time.monotonic() > deadline:
                raise LabError(f"{self.argv}: waited in vain for {text!r}\n{self.tail()!r}")
        return self

    def type(self, keys):
        """All of it, while the screen is read."""
        keys = keys.encode() if isinstance(keys, str) else keys
        deadline = time.monotonic() + 120
        while keys:
            try:
                keys = keys[os.write(self.master, keys):]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(f"{self.argv}: {len(keys)} bytes are not taken") from None
            self._read(0.001)
        return self

    def try_type(self, keys, seconds):
        """As much as is taken until nothing has been for that long: how much."""
        n_typed, since = 0, time.monotonic()
        while n_typed < len(keys) and time.monotonic() - since < seconds:
            try:
                n_typed += os.write(self.master, keys[n_typed:n_typed + 4096])
                since = time.monotonic()
            except BlockingIOError:
                pass
            self._read(0.001)
        return n_typed

    def wait(self, timeout=180):
        """Its end: the exit status as a shell has it."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            self._read(0.02)
            if time.monotonic() > deadline:
                raise LabError(f"{self.argv}: did not end\n{self.tail()!r}")
        while self._read(0):
            pass
        status = self.process.returncode
        return 128 - status if status < 0 else status
