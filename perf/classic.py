# SPDX-License-Identifier: BSD-3-Clause
"""tcp-classic-out, tcp-classic-in: what the all-DPDK switch makes of a guest's TCP.

The same switch, guest and peer twice: with the default ports, and with DPDK's drivers net_af_packet
(eth0) and net_vhost (the guest) as ethdev ports. The figure under "sluice" is the all-DPDK switch's; the
peer is the default. Before it is measured a stream is compared by its SHA-256, each way.
"""

from bench import SLUICE, Bench, Group
from guest_net import TCP_SECONDS, iperf
from lab import PEER4, guest4, ping, tcp

MIB = 1 << 20
OPTIONS = {"tcp-classic-out": "", "tcp-classic-in": "-R"}


def classic_ports(lab):
    return [{"name": "uplink", "kind": "ethdev", "devargs": "net_af_packet0,iface=eth0"},
            {"name": "vm0", "kind": "ethdev",
             "devargs": f"net_vhost0,iface={lab.path('vm0.sock')},tso=1"}]


def sample(lab, wanted):
    guest = lab.boot(cpu=1)
    ping(guest, PEER4)
    tcp(guest, lab.peer, PEER4, 64 * MIB)
    tcp(lab.peer, guest, guest4(), 64 * MIB)
    return {name: iperf(guest, lab.peer, PEER4, OPTIONS[name]) for name in wanted}


def run_classic(lab, wanted):
    lab.switch(ports=classic_ports(lab))
    return sample(lab, wanted)


def run_default(lab, wanted):
    lab.switch()
    return sample(lab, wanted)


GROUPS = [
    Group(
        benches=[Bench(name, "Gb/s", more_is_better=True, bar=None) for name in OPTIONS],
        sides={SLUICE: run_classic, "default-ports": run_default},
        runs=3, cpus={0},
        setup=f"one iperf3 stream, {TCP_SECONDS} s; guest on CPU 1, all else on CPU 0"),
]
