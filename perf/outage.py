# SPDX-License-Identifier: BSD-3-Clause
"""outage: how long a guest is without its network when sluiced is killed and started again.

A QEMU guest sends a numbered datagram every millisecond; sluiced gets SIGKILL and is started again at
once, with the same configuration, and connects to QEMU, which listens. The figure is the longest time
between two datagrams at the peer.
"""

from bench import SLUICE, Bench, Group
from guest import Qemu
from lab import PEER4, guest_mac, last_json, ping, wait_until

PORT = 5003


def sent(lab):
    return lab.sluiced.stats("uplink")["stats64"]["tx"]["packets"]


def outage(lab, _):
    config = lab.config(port={"client": True})
    lab.wire()
    lab.start(config)
    guest = lab.boot(kind=Qemu, cpu=1,
                     nic={"mac": guest_mac(0), "chardev": "server=on,wait=off"})
    ping(guest, PEER4)
    sink = lab.peer.spawn(f"udp_stream recv {PORT}").wait_for("ready")
    source = guest.spawn(f"udp_stream send {PEER4} {PORT} count 100000000 gap 1000")
    wait_until(lambda: sent(lab) > 500, "datagrams to flow")
    lab.sluiced.kill()
    lab.start(config).wait_connected("vm0")
    wait_until(lambda: sent(lab) > 500, "datagrams to flow again")
    source.finish()
    return {"outage": last_json(sink.wait())["longest_gap_ms"]}


GROUPS = [
    Group(
        benches=[Bench("outage", "ms", more_is_better=False, bar=None)],
        sides={SLUICE: outage},
        runs=5, cpus={0},
        setup="sluiced killed and started again; QEMU guest on CPU 1, all else on CPU 0"),
]
