# SPDX-License-Identifier: BSD-3-Clause
"""A VM's switch: one that fails again and again, one that somebody else runs, and two in a place."""

import copy
import json
import os
import re
import signal
import subprocess
import time

from cni import Calico
from lab import wait_until
from suite import test
from test_vm_faults import assert_says
from vm import Vm, kill, ping

SUITE = "vm"

SLEEPER = "echo ready; exec sleep 1000"


def switch_of(vm):
    return json.loads(vm.verb("status", "--json"))["switch"]


def stop(vm, job):
    vm.verb("stop", "--grace", "0")
    job.wait().check(128 + signal.SIGKILL)


def another(vm, name, **settings):
    """A VM beside this one: the same root file system and run-dir."""
    twin = copy.copy(vm)
    twin.name = name
    twin.settings = {**vm.settings, "name": name, **settings}
    return twin


class LabNet:
    """A namespace whose interfaces d0, d1 lead nowhere: they say what guests are to have."""

    def __init__(self, lab):
        self.lab = lab
        self.pod = lab.namespace("pod")
        self.resolv_conf = lab.path("resolv.conf")
        with open(self.resolv_conf, "w", encoding="ascii") as file:
            file.write("nameserver 10.9.0.1\n")
        for i in range(2):
            self.pod.run(f"ip link add d{i} address 02:00:00:00:09:0{i + 1} type veth peer name x{i}"
                         f"; ip addr add 10.9.0.{i + 1}/24 dev d{i}; ip link set d{i} up")

    def vm(self, name, index, **settings):
        return Vm(self, name=name, **{
            "lab": "true", "guard": "off", "interface": f"d{index}",
            "switch-socket": self.lab.path("ctl.sock"), **settings})


@test(limit=90)
def switch_fails_again_and_again(lab):
    """It is started less and less often, and the command goes on; then it is there again."""
    vm = Vm(Calico(lab))
    job = vm.start(SLEEPER).wait_for("ready\n")
    config = os.path.join(vm.run_dir, vm.name, "sluiced.json")
    os.rename(config, config + ".good")
    begun = time.monotonic()
    kill(switch_of(vm)["pid"])
    wait_until(lambda: switch_of(vm)["starts"] >= 4, "the third restart")
    # After 0.1, 0.2 and 0.4 s; 0.8 s later is the next.
    assert time.monotonic() - begun > 0.7, time.monotonic() - begun
    assert vm.exec("echo works").check().out == b"works\n"
    wait_until(lambda: switch_of(vm)["starts"] >= 5, "the fourth restart")
    assert time.monotonic() - begun > 1.5, time.monotonic() - begun
    os.rename(config + ".good", config)
    wait_until(lambda: switch_of(vm)["pid"] and os.path.exists(switch_of(vm)["socket"]),
               "the switch to run")
    pauses = [int(ms) for ms in re.findall(r"again-ms=(\d+)", vm.log())]
    assert pauses == [min(100 << i, 5000) for i in range(len(pauses))], pauses
    assert "switch-ended" in vm.log() and "no-network" in vm.log(), vm.log()
    # Nor is anything left of one that was killed, and could not come back before the end.
    os.rename(config, config + ".good")
    kill(switch_of(vm)["pid"])
    stop(vm, job)
    vm.assert_gone()


@test(limit=90)
def switch_of_each_vm(lab):
    """Two VMs in one run-dir have a switch each."""
    net = Calico(lab)
    far = copy.copy(net)
    far.pod = net.near
    one = Vm(net, name="one")
    two = another(one, "two")
    two.net = far
    jobs = [vm.start(SLEEPER) for vm in (one, two)]
    for job in jobs:
        job.wait_for("ready\n")
    sockets = {vm.name: switch_of(vm)["socket"] for vm in (one, two)}
    assert sockets["one"] != sockets["two"], sockets
    for name, path in sockets.items():
        done = subprocess.run([os.path.join(lab.build, "switch/cli/sluicectl"), "-s", path,
                               "--json", "port", "list"], capture_output=True, check=True)
        assert {port["ifname"] for port in json.loads(done.stdout)} == {"uplink", name}, done
    for address in (net.pod4, net.near4):
        ping(net.far, address)
    for vm, job in zip((one, two), jobs):
        stop(vm, job)
    one.assert_gone()


@test(limit=90)
def switch_of_somebody_else(lab):
    """Two VMs on a switch that they did not start, through its restart, and off it again."""
    net = LabNet(lab)
    config = lab.config(ports=[{"name": "other", "kind": "vhost-user",
                                "socket": lab.path("other.sock")}])
    lab.start(config)
    before = lab.sluiced.ctl("port", "show")
    one = net.vm("one", 0)
    os.makedirs(one.run_dir)
    # What is left of one that was killed together with its keeper is no hindrance.
    lab.sluiced.ctl("port", "add", "one", "kind=vhost-user", f"socket={one.run_dir}/one.sock")
    two = another(one, "two", interface="d1")
    jobs = [vm.start(SLEEPER) for vm in (one, two)]
    for job in jobs:
        job.wait_for("ready\n")
    one.exec("ping -c 1 -W 30 10.9.0.2").check()
    two.exec("ping -c 1 -W 30 10.9.0.1").check()
    assert switch_of(one) == {"pid": 0, "starts": 1, "socket": lab.path("ctl.sock")}, switch_of(one)
    assert lab.sluiced.show("one")["peer"]["connected"]

    lab.sluiced.ctl("config", "reload")  # which has neither
    for vm in (one, two):
        wait_until(lambda vm=vm: switch_of(vm)["starts"] == 2, "the port to be added again")
    lab.sluiced.kill()
    lab.start(config)
    for vm in (one, two):
        wait_until(lambda vm=vm: switch_of(vm)["starts"] == 3, "the port to be added again")
    assert {port["ifname"] for port in lab.sluiced.ctl("port", "show")} == {"other", "one", "two"}
    assert one.exec("echo works").check().out == b"works\n"
    assert "switch-lost" in one.log() and "no-network" in one.log(), one.log()

    stop(one, jobs[0])
    assert {port["ifname"] for port in lab.sluiced.ctl("port", "show")} == {"other", "two"}
    jobs[1].signal(signal.SIGKILL)
    jobs[1].wait()
    wait_until(lambda: lab.sluiced.ctl("port", "show") == before, "its port to go")
    one.assert_gone()
    assert lab.sluiced.process.poll() is None


@test(limit=60)
def switch_of_somebody_else_refuses(lab):
    """What does not fit is said in a line; nothing is changed."""
    net = LabNet(lab)
    vm = net.vm("one", 1)
    assert_says(vm.run("echo ran"), 125, "switch-socket: ", lab.path("ctl.sock"), "No such file")
    other = {"name": "other", "kind": "vhost-user", "socket": lab.path("other.sock")}
    uplink = {"name": "uplink", "kind": "packet", "interface": "d0", "role": "uplink",
              "mac-mode": "adopt"}
    lab.start(lab.config(ports=[uplink, {**other, "role": "guest"}]))
    before = lab.sluiced.ctl("port", "show")
    assert_says(vm.run("echo ran"), 125, "switch-socket: ", "mac-mode adopt", "02:00:00:00:09:02")
    assert_says(vm.run("echo ran", "--interface=d0"), 125, "switch-socket: ", "substitute")
    assert_says(another(vm, "other", interface="d0").run("echo ran"), 125, "switch-socket: ",
                "other")
    assert_says(vm.run("echo ran", "--host-port"), 125, "switch-socket: ", "host-port")
    assert lab.sluiced.ctl("port", "show") == before
    vm.assert_gone()
