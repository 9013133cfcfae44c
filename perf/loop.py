# SPDX-License-Identifier: BSD-3-Clause
"""loop64, loop1500: frames that go round and round between two vhost-user ports.

    testpmd io, CPU 1                          under test, CPU 0
    net_virtio_user0 (MAC ..:0a)  <-- a.sock -->  port a
    net_virtio_user1 (MAC ..:0b)  <-- b.sock -->  port b

The generator sends one burst of 32 frames per port, each addressed to its other port, and from then on
sends out of one port what it receives on the other. Nothing is ever added: a frame that is lost
is missing for the rest of the run, so a run with a loss is void, whoever lost it. The rate is what
the slower of the two programs makes of 64 frames under way.

The switch under test learns and looks up both addresses; a switch that only floods would do
less, so a run without both in its table is void. The peer swaps the addresses of each frame and
sends it out of the other port: the least that a forwarder that touches the headers can do.
"""

import os

from bench import SLUICE, Bench, Group, Void
from lab import wait_until
from testpmd import Testpmd

MAC_A, MAC_B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
N_SKIPPED, N_SAMPLES = 2, 4  # seconds; the generator's first report is empty


def generator(lab, size, server=False, mode="io", to_b=MAC_B):
    """`server`: it listens on the sockets, and the switch connects. `to_b`: the address by which
    its first port reaches the second."""
    vdevs = [f"net_virtio_user{i},path={lab.path(socket)},queue_size=256,mrg_rxbuf=1,in_order=0,"
             f"mac={mac}{',server=1' if server else ''}"
             for i, socket, mac in ((0, "a.sock", MAC_A), (1, "b.sock", MAC_B))]
    return Testpmd("generator", 1, 0, vdevs, [
        f"--forward-mode={mode}", f"--eth-peer=0,{to_b}", f"--eth-peer=1,{MAC_A}",
        f"--txpkts={size}", "--tx-first", "--stats-period=1"])


def mpps(rates):
    """Per direction: the mean over both ports and all seconds."""
    if min(rates) == 0:
        raise Void(f"the loop stood still: {rates}")
    return sum(rates) / len(rates) / 2 / 1e6


def stop_without_loss(testpmd):
    if n_dropped := testpmd.stop():
        raise Void(f"{testpmd.name} dropped {n_dropped} frames")


def check_learned(sluiced):
    learned = {entry["mac"]: entry["ifname"] for entry in sluiced.ctl("fdb", "show")}
    if (learned.get(MAC_A), learned.get(MAC_B)) != ("a", "b"):
        raise Void(f"the switch flooded: it knows {learned}")


def run_sluice(lab, size):
    lab.namespace("pod")
    ports = [{"name": name, "kind": "vhost-user", "socket": lab.path(f"{name}.sock")}
             for name in ("a", "b")]
    sluiced = lab.start(lab.config(ports=ports, worker_cpus=0))
    with generator(lab, size) as testpmd:
        rates = testpmd.rates(N_SKIPPED, N_SAMPLES)
        check_learned(sluiced)
        if dropped := sluiced.drops():
            raise Void(f"the switch dropped {dropped}")
        stop_without_loss(testpmd)
    return mpps(rates)


def run_peer(lab, size):
    sockets = [lab.path("a.sock"), lab.path("b.sock")]
    vdevs = [f"net_vhost{i},iface={socket}" for i, socket in enumerate(sockets)]
    # It waits for both links, then begins to forward: the first burst waits in the rings.
    with Testpmd("peer", 0, 1, vdevs, ["--forward-mode=macswap"]) as peer:
        wait_until(lambda: all(map(os.path.exists, sockets)), "the sockets of the peer")
        with generator(lab, size) as testpmd:
            rates = testpmd.rates(N_SKIPPED, N_SAMPLES)
            stop_without_loss(testpmd)
        stop_without_loss(peer)
    return mpps(rates)


def group(size, bar):
    name = f"loop{size}"
    return Group(
        benches=[Bench(name, "Mpps", more_is_better=True, bar=bar)],
        sides={SLUICE: lambda lab, _: {name: run_sluice(lab, size)},
               "testpmd-macswap": lambda lab, _: {name: run_peer(lab, size)}},
        runs=7,
        setup=f"{size} B, per direction; generator on CPU 1, switch on CPU 0")


GROUPS = [group(64, 1.0), group(1500, 1.3)]
