# SPDX-License-Identifier: BSD-3-Clause
"""A dpdk-testpmd with two ports, which forwards on one CPU until it is told to stop."""

import re
import select
import signal
import subprocess
import time

from bench import Void
from guest import die_with_parent
from lab import kill_group

RX_PPS = re.compile(r"Rx-pps:\s+(\d+)")
DROPPED = re.compile(r"TX-dropped: (\d+)")


class Testpmd:
    """Forwards on `cpu`; its main thread, which only prints, has `main_cpu`."""

    def __init__(self, name, cpu, main_cpu, vdevs, options):
        argv = ["dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
                "-l", f"{main_cpu},{cpu}", f"--main-lcore={main_cpu}", f"--file-prefix={name}"]
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        self.name = name
        self.text = ""
        self.process = subprocess.Popen(
            argv + ["--", "--total-num-mbufs=16384", *options], bufsize=0, process_group=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        kill_group(self.process)
        self.process.stdin.close()
        self.process.stdout.close()

    def tail(self):
        return "\n".join(self.text.splitlines()[-20:])

    def _read(self, deadline):
        """Takes in more output; False at its end."""
        out = self.process.stdout
        if not select.select([out], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Void(f"{self.name} took too long\n{self.tail()}")
        data = out.read(65536)
        self.text += data.decode(errors="replace")
        return bool(data)

    def rates(self, n_skipped, n_samples):
        """Packets per second of both ports together, second by second, after n_skipped seconds."""
        n_wanted = n_skipped + n_samples
        deadline = time.monotonic() + n_wanted + 15
        while len(found := RX_PPS.findall(self.text)) < 2 * n_wanted:
            if not self._read(deadline):
                raise Void(f"{self.name} ended early\n{self.tail()}")
        numbers = [int(number) for number in found[2 * n_skipped:2 * n_wanted]]
        return [a + b for a, b in zip(numbers[::2], numbers[1::2])]

    def stop(self):
        """Ends it in order: how many frames it dropped because a ring was full or not there."""
        # The signal ends the printing of statistics, the end of input what comes after that.
        self.process.send_signal(signal.SIGINT)
        self.process.stdin.close()
        deadline = time.monotonic() + 10
        while self._read(deadline):
            pass
        if self.process.wait() != 0:
            raise Void(f"{self.name} ended with {self.process.returncode}\n{self.tail()}")
        # One figure per port, and the sum.
        return sum(int(number) for number in DROPPED.findall(self.text)[:2])
