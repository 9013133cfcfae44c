# SPDX-License-Identifier: BSD-3-Clause
"""ovs-loop64, ovs-loop1500, ovs-tcp-out: against Debian's Open vSwitch with DPDK.

The same places as loop.py and guest_net.py: the switch polls on CPU 0, generator or guest have CPU 1.
Open vSwitch runs with its NORMAL (learning) action, userspace TSO, and memory without hugepages, like
ours. Its vhost-user ports connect to the generator's sockets ("dpdkvhostuserclient"). Its uplink is
its own packet socket on eth0, the only one of its that carries TSO.
"""

import os
import signal
import subprocess

from bench import SLUICE, Bench, Group, Void
from guest import Qemu, die_with_parent, vhost_user
from guest_net import TCP_SECONDS, iperf, sluice_guest
from lab import PEER4, guest_mac, kill_group, ping, wait_until
from loop import (MAC_A, MAC_B, N_SAMPLES, N_SKIPPED, generator, mpps, run_sluice,
                  stop_without_loss)

BRIDGE = "br0"
SETTINGS = ["dpdk-init=true", "pmd-cpu-mask=0x1", "dpdk-lcore-mask=0x1",
            "userspace-tso-enable=true", 'dpdk-extra="--no-huge --legacy-mem -m 4096 --no-pci"']


class Ovs:
    """A database and a switch of their own in a directory; the bridge is there, without ports."""

    def __init__(self, lab):
        self.root = os.path.join(lab.build, "ovs")
        self.lab = lab
        self.db = "unix:" + lab.path("db.sock")
        self.processes = []
        self.env = dict(os.environ, OVS_RUNDIR=lab.workdir, OVS_LOGDIR=lab.workdir,
                        OVS_DBDIR=lab.workdir, OVS_SYSCONFDIR=lab.workdir,
                        OVS_PKGDATADIR=os.path.join(self.root, "usr/share/openvswitch"))

    def __enter__(self):
        database = self.lab.path("conf.db")
        self.run("usr/bin/ovsdb-tool", "create", database,
                 os.path.join(self.root, "usr/share/openvswitch/vswitch.ovsschema"))
        self.spawn("usr/sbin/ovsdb-server", database, "--remote=p" + self.db)
        wait_until(lambda: os.path.exists(self.lab.path("db.sock")), "the database of OVS")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   *(f"other_config:{setting}" for setting in SETTINGS))
        self.spawn("usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", self.db)
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                kill_group(process)

    def argv(self, program, *arguments):
        return ["ip", "netns", "exec", "pod", os.path.join(self.root, program), *arguments]

    def run(self, program, *arguments):
        return subprocess.run(self.argv(program, *arguments), check=True, capture_output=True,
                              text=True, timeout=30, env=self.env).stdout

    def spawn(self, program, *arguments):
        with open(self.lab.path(os.path.basename(program) + ".log"), "wb") as log:
            self.processes.append(subprocess.Popen(
                self.argv(program, *arguments), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, process_group=0, preexec_fn=die_with_parent))

    def vsctl(self, *arguments):
        return self.run("usr/bin/ovs-vsctl", "--db=" + self.db, "--timeout=20", *arguments)

    def add_vhost(self, name, socket):
        """A port that connects to the VMM's socket."""
        self.vsctl("add-port", BRIDGE, name, "--", "set", "Interface", name,
                   "type=dpdkvhostuserclient", "options:vhost-server-path=" + socket)

    def learned(self):
        """What its table knows: the MAC addresses."""
        return self.run("usr/bin/ovs-appctl", "-t", self.control(), "fdb/show", BRIDGE)

    def control(self):
        """The socket of the switch that appctl asks."""
        return next(self.lab.path(name) for name in os.listdir(self.lab.workdir)
                    if name.startswith("ovs-vswitchd") and name.endswith(".ctl"))


def check_learned(ovs):
    known = ovs.learned()
    if MAC_A not in known or MAC_B not in known:
        raise Void(f"OVS flooded: it knows\n{known}")


def loop_ovs(lab, size):
    lab.namespace("pod")
    with Ovs(lab) as ovs:
        for name in ("a", "b"):
            ovs.add_vhost(name, lab.path(f"{name}.sock"))
        with generator(lab, size, server=True) as testpmd:
            rates = testpmd.rates(N_SKIPPED, N_SAMPLES)
            check_learned(ovs)
            stop_without_loss(testpmd)
    return mpps(rates)


def tcp_ovs(lab, _):
    lab.wire()
    with Ovs(lab) as ovs:
        ovs.vsctl("add-port", BRIDGE, "eth0")
        ovs.add_vhost("vm0", lab.path("vm0.sock"))
        guest = Qemu(lab.workdir, [vhost_user(lab.path("vm0.sock"), chardev="server=on,wait=off", mac=guest_mac(0))], cpu=1)
        lab.guests.append(guest)
        lab.configure(guest)
        ping(guest, PEER4)
        return {"ovs-tcp-out": iperf(guest, lab.peer, PEER4)}


def tcp_sluice(lab, _):
    lab.switch()
    guest = lab.boot(cpu=1, kind=Qemu, nic={"mac": guest_mac(0)})
    ping(guest, PEER4)
    return {"ovs-tcp-out": iperf(guest, lab.peer, PEER4)}


def loop_group(size):
    name = f"ovs-loop{size}"
    return Group(
        benches=[Bench(name, "Mpps", more_is_better=True, bar=None)],
        sides={SLUICE: lambda lab, _: {name: run_sluice(lab, size)},
               "ovs-dpdk": lambda lab, _: {name: loop_ovs(lab, size)}},
        runs=5,
        setup=f"{size} B, per direction; generator on CPU 1, switch on CPU 0")


GROUPS = [
    loop_group(64),
    loop_group(1500),
    Group(
        benches=[Bench("ovs-tcp-out", "Gb/s", more_is_better=True, bar=None)],
        sides={SLUICE: tcp_sluice, "ovs-dpdk": tcp_ovs},
        runs=3, cpus={0},
        setup=f"one iperf3 stream, {TCP_SECONDS} s, from a QEMU guest on CPU 1; all else on CPU 0"),
]
