# SPDX-License-Identifier: BSD-3-Clause
"""Hostile guests and VMMs on port vm1, and what guest 0, the peer and the control socket notice.

One switch and one guest live through all attacks (`hostile --list`), a second or two of each: what an
attack leaves behind meets the next one. HOSTILE=NAME,NAME in the environment picks attacks.
"""

import os
import subprocess
import time

from lab import PEER4, last_json
from neighbour import Neighbour, Resources
from suite import test

SUITE = "hostile"

SECONDS = 1
TRIES = 5  # an attack that hurts does so each time; a machine that stalls does not
SOAK_SECONDS = 3600

CONTROL_MS = 1000  # the slowest answer that a client of the control socket may see
SLOW = 4           # times more patience with a switch that is full of a sanitizer's checks
STALL_SECONDS = 2  # the longest time for which the neighbour's stream may stand still

# What TCP does by itself when two processors carry both its ends, the switch and the attack: it fills
# guest 0's ring now and then, and sends again what was lost.
RING_FULL = 1000
RESENT = 1000

# Frames of the attacker's own that the kernel behind the uplink, or we in its stead, refuse.
REFUSED = {("uplink", reason) for reason in
           ("refused", "mtu", "gso_mismatch", "headers_long", "tunnel_gso", "segments_many",
            "socket_full")} | {
    ("vm0", reason) for reason in ("gso_mismatch", "headers_long", "segments_many", "tunnel_gso")}

# These send frames that somebody else has to refuse.
ODD_FRAMES = ("absurd-csum", "absurd-gso", "avail-dither", "frame-noise", "header-toctou",
              "random-messages", "ring-noise", "set-features-churn", "used-ring-overlap")

# These send as fast as they can, to guest 0 and the peer: what is shared, their rings and processors,
# is shared with them. A stream that loses segments must go on, after TCP's own pause.
FLOODS = ("absurd-gso", "frame-flood", "frame-noise", "gso-amplifier", "header-split",
          "header-toctou", "mac-flood")
FLOOD_STALL_SECONDS = 3

# Says that guest 0's address is its own, and the switch learns what it hears: frames for guest 0 are
# the thief's until guest 0 speaks again. It does so five times a second, and TCP's own pauses, which
# double each time, come on top.
THEFT = "mac-theft"


class Attacks:
    """A switch with a neighbour on vm0, and the tool that attacks vm1."""

    def __init__(self, lab):
        self.lab = lab
        self.tool = os.path.join(lab.build, "tests", "hostile", "hostile")
        self.sw = lab.switch(n_guests=2)
        self.sanitized = self.sw.is_sanitized()
        self.slow = SLOW if self.sanitized else 1
        vm = lab.boot()
        # Somebody keeps sending to vm1: attacks on receive rings need it.
        lab.peer.run("ip neigh add 10.0.0.3 lladdr 02:00:00:00:00:02 dev eth0 nud permanent")
        lab.peer.spawn("exec python3 -c '"
                       "import socket, time\n"
                       "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                       "while True:\n"
                       "    for size in (20, 200, 1400):\n"
                       '        s.sendto(bytes(size), ("10.0.0.3", 9))\n'
                       "    time.sleep(0.002)'")
        self.neighbour = Neighbour(lab, vm)
        self.behave()
        self.neighbour.beside(lambda: False)
        self.before = self.resources()

    def list(self):
        listed = subprocess.run([self.tool, "--list"], capture_output=True, text=True, check=True)
        rows = [line.split("\t") for line in listed.stdout.splitlines()]
        picked = os.environ.get("HOSTILE")
        return [(name, cost) for name, cost, _ in rows
                if not picked or name in picked.split(",")]

    def resources(self):
        self.sw.wait_connected("vm1", False)
        return Resources(self.sw.process.pid)

    def behave(self):
        """An honest guest gets what it should on the port that was attacked."""
        done = last_json(self.lab.pod.run(
            f"{self.tool} {self.lab.path('vm1.sock')} --well-behaved"))
        assert done["answers"] == 20, done

    def spawn(self, name, options):
        return self.lab.pod.spawn(
            f"exec {self.tool} {self.lab.path('vm1.sock')} {name} {options}")

    def run(self, name, options):
        """One attack: (what the tool says, what the neighbour saw, what became of vm1)."""
        before = self.sw.stats("vm1")["stats64"]["rx"]["packets"]
        job = self.spawn(name, options)
        seen = self.neighbour.beside(lambda: job.process.poll() is None)
        done = last_json(job.wait(240))
        self.sw.wait_connected("vm1", False)
        done["rx_packets"] = self.sw.stats("vm1")["stats64"]["rx"]["packets"] - before
        reason = self.sw.show("vm1")["reason"]
        seen["reasons"] |= set() if reason == "no VMM is connected" else {reason}
        return done, seen

    def check(self, name, seen):
        """What is wrong with what was seen, whenever it is; empty if nothing is."""
        wrong = list(complaints_of_others(name, seen))
        report = self.sw.sanitizer_report()
        if report:
            wrong.append("a sanitizer: " + report)
        return wrong

    def leaks(self):
        """What is left of attacks; a moment's patience for what is still being closed."""
        deadline = time.monotonic() + 60
        while found := self.resources().grown(self.before, self.sanitized):
            if time.monotonic() > deadline:
                return found
            time.sleep(0.02)
        return []

    def close(self):
        self.neighbour.close()
        status = self.sw.stop()
        assert status == 0, f"sluiced's exit status is {status}"


def complaints_of_others(name, seen):
    """What no attack has the right to cause."""
    fair = {("vm0", "ring_full"), ("uplink", "socket_full")}
    if name in ODD_FRAMES + FLOODS:
        fair |= REFUSED
    foul = {key: n for key, n in seen["drops"].items() if key[0] != "vm1" and key not in fair}
    if foul:
        yield f"frames of others were dropped: {foul}"
    if not seen["answers"]:
        yield "the control socket did not answer at all"


def complaints_of_measures(name, seen, slow):
    """What two busy processors may cause as well, now and then."""
    ring_full = seen["drops"].get(("vm0", "ring_full"), 0) + \
        seen["drops"].get(("uplink", "socket_full"), 0)
    if ring_full > RING_FULL * slow and name not in FLOODS:
        yield f"the neighbour's ring was full for {ring_full} frames"
    patience = FLOOD_STALL_SECONDS if name in FLOODS + (THEFT,) else STALL_SECONDS
    if seen["stall"] > patience * slow:
        yield f"the neighbour's stream stood still for {seen['stall']:.1f} s"
    if seen["retransmitted"] > RESENT * slow and name not in FLOODS:
        yield f"the neighbour's stream sent {seen['retransmitted']} segments again"
    if seen["control_ms"] > CONTROL_MS * slow:
        yield f"the control socket took {seen['control_ms']:.0f} ms to answer"


def complaints_of_cost(cost, done, seen):
    if cost == "hangup":
        if not done["disconnects"] or done["survived"]:
            yield f"the attacker was not thrown out: {done}"
        if not seen["reasons"]:
            yield "port show gave no reason"
    elif cost == "passes":
        if done["rx_packets"] < done["chains"] - 512 or not done["chains"]:
            yield f"legal frames were lost: {done}"
    elif cost != "-" and not seen["drops"].get(("vm1", cost)):
        yield f"vm1 counted nothing as {cost}"
    if not done["rounds"]:
        yield f"nothing was tried: {done}"


def describe(name, done, seen):
    drops = ", ".join(f"{port} {reason} {n}" for (port, reason), n in sorted(seen["drops"].items()))
    return (f"  {name:23} {seen['gbps']:5.2f} Gb/s in {seen['streams']:2} streams, "
            f"{seen['retransmitted']:4} resent, stall {seen['stall'] * 1000:4.0f} ms, "
            f"control {seen['control_ms']:4.1f} ms; {done['rounds']} rounds, "
            f"{done['disconnects']} hang-ups; {drops or 'no drops'}")


def try_attack(attacks, name, cost, options):
    """(what is wrong, what the tool says). What was measured is wrong if it is so each time."""
    for seconds in range(SECONDS, SECONDS + TRIES):
        done, seen = attacks.run(name, f"--seconds {seconds} {options}")
        print(describe(name, done, seen), flush=True)
        wrong = attacks.check(name, seen)
        if cost == "hangup" and done["survived"]:
            wrong.append(f"the attacker was not thrown out: {done}")
        measured = list(complaints_of_cost(cost, done, seen))
        measured += complaints_of_measures(name, seen, attacks.slow)
        if wrong or not measured:
            break
        print(f"    {name}, once more: {'; '.join(measured)}", flush=True)
    return wrong + measured, done


def one_attack(attacks, name, cost, seed):
    """What is wrong."""
    wrong, _ = try_attack(attacks, name, cost, f"--seed {seed}")
    attacks.behave()
    return wrong + attacks.leaks()


@test(limit=420)
def guest_attacks(lab):
    """Every attack there is; the neighbour and the control socket hardly notice."""
    started = time.monotonic()
    attacks = Attacks(lab)
    failed, passes = [], 0
    while passes == 0 or (lab.soak and time.monotonic() < started + SOAK_SECONDS):
        for name, cost in attacks.list():
            wrong = one_attack(attacks, name, cost, passes + 1)
            failed += [f"{name}: {what}" for what in wrong]
            for what in wrong:
                print(f"    {name}: {what}", flush=True)
            assert attacks.sw.process.poll() is None, f"{name} ended sluiced"
        passes += 1
    print(f"  {attacks.resources()} after, {attacks.before} before; "
          f"{time.monotonic() - started:.0f} s in all", flush=True)
    attacks.close()
    assert not failed, "\n".join(failed)


@test(limit=180)
def connect_rounds(lab):
    """A VMM comes and goes hundreds of times; nothing is left of any of them."""
    attacks = Attacks(lab)
    rounds = 10000 if lab.soak else 500
    wrong, done = try_attack(attacks, "connect-cycle", "-", f"--rounds {rounds} --seconds 1200")
    assert done["rounds"] == rounds, done
    wrong += attacks.leaks()
    shown = attacks.sw.show("vm1")["peer"]["connections"]
    print(f"  {attacks.resources()} after, {attacks.before} before", flush=True)
    attacks.behave()
    attacks.close()
    assert shown >= rounds, f"{shown} connections counted"
    assert not wrong, "\n".join(wrong)
