# SPDX-License-Identifier: BSD-3-Clause
"""Sleeping and waking: single packets at random moments, of which none may be left lying.

A wake-up lost shows as a round trip that only the next packet completes: a time-out here.
"""

import time

from lab import PEER4, guest4, udp_ping, wait_until
from suite import test


@test(limit=60, each={"spin-0": 0, "spin-50": 50, "spin-max": "max"})
def random_single_packets(lab, spin_us):
    sw = lab.switch(spin_us=spin_us)
    vm = lab.boot()
    count = 50000 if lab.soak else 1200
    for gap in (0, 150, 2000):
        udp_ping(vm, lab.peer, PEER4, f"count {count} gap {gap} seed {gap}", timeout=500)
        udp_ping(lab.peer, vm, guest4(), f"count {count} gap {gap} seed {gap}", timeout=500)
    if spin_us == 0:
        assert sum(sw.stats(name)["wakeups"] for name in ("uplink", "vm0")) > 0


@test(limit=60)
def random_single_packets_between_guests(lab):
    lab.switch(n_guests=2, spin_us=0)
    vm0, vm1 = lab.boot(0), lab.boot(1)
    for gap in (150, 2000):
        udp_ping(vm0, vm1, guest4(1), f"count {20000 if lab.soak else 1500} gap {gap}", timeout=500)


@test(limit=40)
def idle_switch_sleeps(lab):
    """With a connected, idle guest the switch takes next to no CPU time."""
    sw = lab.switch()
    lab.boot()

    # A guest that has just booted still has multicast groups to join: wait for 2 quiet seconds.
    def quiet():
        before = sw.cpu_seconds()
        time.sleep(2)
        return sw.cpu_seconds() - before <= 0.1

    wait_until(quiet, "two seconds with at most 5 % CPU")
