# SPDX-License-Identifier: BSD-3-Clause
"""What a VMM does to a running guest's device: it reconnects, and it changes the guest's memory."""

from guest import Qemu
from lab import PEER4, Stream, guest4, guest_mac, ping, wait_until
from suite import test
from test_traffic import MIB, both_moved

MAC = {"mac": guest_mac(0)}


def restart_under_traffic(lab, config):
    """Kills the switch under streams both ways and starts it again, twice."""
    vm = lab.guests[0]
    streams = [Stream(vm, lab.peer, PEER4), Stream(lab.peer, vm, guest4(), port=5002)]
    for _ in range(2):
        both_moved(lab, 4 * MIB)
        lab.sluiced.kill()
        lab.start(config).wait_connected("vm0")
    both_moved(lab, 4 * MIB)
    out, back = (stream.finish()["longest_gap_ms"] for stream in streams)
    print(f"    outage: {out} ms from the guest, {back} ms to it", flush=True)
    assert max(out, back) < 60000
    ping(vm, PEER4)


@test(limit=90)
def vmm_reconnects(lab):
    """QEMU looks for a switch that was killed until there is one again."""
    config = lab.config()
    lab.wire()
    lab.start(config)
    lab.boot(kind=Qemu, nic={**MAC, "chardev": "reconnect=1"})
    restart_under_traffic(lab, config)


@test(limit=90)
def switch_reconnects(lab):
    """The VMM listens and stays; each switch that is started connects to it."""
    config = lab.config(port={"client": True})
    lab.wire()
    lab.start(config)
    lab.boot(kind=Qemu, nic={**MAC, "chardev": "server=on,wait=off"})
    assert lab.sluiced.show("vm0")["peer"]["mode"] == "client"
    restart_under_traffic(lab, config)


@test(limit=90)
def memory_is_added(lab):
    """Memory plugged into a guest becomes another region of the port, under traffic.

    All memory the guest boots with is in its zone DMA32, what is plugged in lies above 4 GiB, in
    zone Normal, where the guest's kernel looks first when it needs buffers.
    """
    sw = lab.switch()
    vm = lab.boot(kind=Qemu, nic=MAC, arguments=["-m", "256,slots=4,maxmem=2G"])
    streams = [Stream(vm, lab.peer, PEER4), Stream(lab.peer, vm, guest4(), port=5002)]

    def regions():
        return sw.show("vm0")["peer"]["memory_regions"]

    for i in range(2):
        both_moved(lab, 4 * MIB)
        n, total = regions(), memory_blocks(vm)
        vm.qmp("object-add", **{"qom-type": "memory-backend-memfd", "id": f"more{i}",
                                "size": 256 * MIB, "share": True})
        vm.qmp("device_add", driver="pc-dimm", id=f"dimm{i}", memdev=f"more{i}")
        wait_until(lambda n=n: regions() > n, "the port to have one more region")
        wait_until(lambda total=total: memory_blocks(vm) > total, "the guest to see its memory")
    vm.run("for block in /sys/devices/system/memory/memory*; do\n"
           "  [ $(cat $block/state) = online ] || echo online >$block/state || exit 1\ndone")
    before = taken_from_new_memory(vm)
    both_moved(lab, 16 * MIB)
    pages = taken_from_new_memory(vm) - before
    assert pages > 1000, f"only {pages} pages of the new memory were used"
    for stream in streams:
        got = stream.finish()
        assert got["longest_gap_ms"] < 60000, got
    ping(vm, PEER4)


def taken_from_new_memory(vm):
    return int(vm.run("awk '/pgalloc_normal/ { print $2 }' /proc/vmstat"))


def memory_blocks(vm):
    return int(vm.run("ls -d /sys/devices/system/memory/memory* | wc -l"))
