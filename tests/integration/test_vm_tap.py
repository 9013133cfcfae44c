# SPDX-License-Identifier: BSD-3-Clause
"""A VM without a switch (`datapath: tap`): the kernel passes frames between its TAP and eth0."""

import json
import signal

from cni import FAR4, POD_MAC, Calico
from suite import test
from test_vm_doctor import Doctor, levels, with_mounts
from test_vm_faults import refused
from test_vm_rest import check_network
from vm import Vm, kill, ping

SUITE = "vm"

TAP = "slt-vm0"
SLEEPER = "ip addr show dev eth0; echo ready; exec sleep 1000"


class JumboCalico(Calico):
    """More than Ethernet's MTU, as clouds have it."""

    mtu = 8900

    def snapshot(self):
        """The TAP has a route of its own."""
        seen = super().snapshot()
        routes = [[r for r in table if r.get("dev") != TAP] for table in seen["routes"]]
        return {**seen, "routes": routes}


class TapVm(Vm):
    def __init__(self, net, **settings):
        super().__init__(net, datapath="tap", **settings)

    def leftovers(self):
        links = self.net.pod.run("ip -o link")
        return super().leftovers() + ([links] if TAP in links else [])

    def status(self):
        return json.loads(self.verb("status", "--json"))


def check_guest(net, vm, said):
    """It is the pod, for those who know the pod by its address, and with frames of any size."""
    assert POD_MAC in said and net.pod4 in said and f"mtu {net.mtu}" in said, said
    assert f"mtu {net.mtu}" in net.pod.run(f"ip link show dev {TAP}")
    check_network(net, vm)
    ping(net.near, net.pod4, f"-s {net.mtu - 28}")
    # What listens in the guest does so in the pod as well.
    vm.exec("mkdir /tmp/www; echo page >/tmp/www/index.html; httpd -p 8080 -h /tmp/www").check()
    for address in ("127.0.0.1", net.pod4):
        net.pod.run(f"until busybox wget -q -O - http://{address}:8080/ | grep -q page; "
                    "do sleep 0.1; done", 120)


@test(limit=90)
def tap(lab):
    """Reached both ways; eth0 keeps what it has; nothing is left of one that was killed."""
    net = JumboCalico(lab)
    vm = TapVm(net)
    before = net.snapshot()
    job = vm.start(SLEEPER)
    check_guest(net, vm, job.wait_for("ready\n").seen.decode())
    assert net.snapshot() == before
    status = vm.status()
    assert status["datapath"] == "tap" and "switch" not in status, status
    assert "no-anti-spoof" in vm.log(), vm.log()
    assert f'fwd to "{TAP}"' in net.pod.run(f"{vm.program} guard show")
    kill(status["pid"])
    job.wait()
    vm.assert_gone()
    assert net.snapshot() == before and net.pod.run("nft list ruleset") == ""
    # Its successor ends as it should.
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    vm.exec(f"ping -c 1 -W 30 {FAR4}").check()
    vm.verb("stop", "--grace", "0")
    job.wait().check(128 + signal.SIGKILL)
    vm.assert_gone()
    assert net.snapshot() == before


@test(limit=60)
def tap_is_refused(lab):
    """What only the switch does, and a pod that is somebody's: said in a line."""
    net = Calico(lab)
    doctor = Doctor(net, datapath="tap")
    vm = TapVm(net)
    refused(vm, "host-port takes the switch", "datapath", options=["--host-port=true"])
    refused(vm, "volume", "NFS takes the switch", options=[f"--volume={lab.workdir}:/data:nfs"])
    holder = net.pod.spawn(f"exec {vm.program} guard hold --interface eth0")
    holder.wait_for("is guarded", 60)
    done = vm.run("echo ran").check(125)
    assert b"there is a guard, held by" in done.err, done.err
    holder.kill()
    with open(net.resolv_conf, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.53\n")
    refused(vm, "resolver on the pod's loopback", "set dns to direct")
    # doctor says so beforehand, and changes nothing.
    prefix = with_mounts(f"mount --bind {net.resolv_conf} /etc/resolv.conf")
    found = doctor.ask(1, prefix)["datapath"]
    assert found["level"] == "fail" and "set dns to direct" in found["found"], found
    found = doctor.ask(0, prefix, dns="direct")
    assert levels(found, "datapath", "tap") == {"datapath": "ok", "tap": "ok"}, found
    assert net.pod.run("nft list ruleset") == ""
