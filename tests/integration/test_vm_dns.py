# SPDX-License-Identifier: BSD-3-Clause
"""Names in a VM: resolvers on the pod's loopback, which a guest reaches through a relay, and hosts."""

import os
import shutil
import signal

from cni import FAR4, Calico
from lab import wait_until
from suite import test
from test_storage import alive
from test_vm_doctor import Doctor, with_mounts
from test_vm_faults import find_child, refused
from vm import Vm, kill

SUITE = "vm"

NAME, ADDRESS = "www.sluice.test", "192.168.9.77"
IDENTITY = "169.254.1.254"
NOBODY = 65534
WORDS = "search ns.svc.cluster.local sluice.test\n", "options ndots:5 edns0\n"
SLEEPER = "echo ready; exec sleep 1000"

# What an engine leaves a container, without what a relay would change its user with.
CAPS = "-all,+chown,+dac_override,+fowner,+fsetid,+net_bind_service,+net_raw,+net_admin,+sys_chroot"


class Pod:
    """One whose resolvers are on its loopback, and a VM in it."""

    def __init__(self, lab, *nameservers, **settings):
        self.net = Calico(lab)
        self.net.pod.run("ip link set lo up")
        tell_resolvers(self.net, *nameservers)
        self.vm = Vm(self.net, **settings)

    def serve(self, address):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dns_server.py")
        job = self.net.pod.spawn(f"exec {script} {address} {NAME} {ADDRESS}")
        return job.wait_for("ready", 60)


def tell_resolvers(net, *addresses):
    with open(net.resolv_conf, "w", encoding="ascii") as file:
        file.write(resolv_conf(*(f"nameserver {address}" for address in addresses)))


def resolv_conf(*lines):
    return WORDS[0] + "".join(line + "\n" for line in lines) + WORDS[1]


def process_status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def is_resolved(vm, name=NAME):
    return ADDRESS in vm.exec(f"timeout 3 nslookup {name} {IDENTITY}").out.decode()


def assert_unreachable(net):
    """Nobody on the uplink gets an answer there, by UDP or TCP, though packets find their way."""
    net.node.run(f"ip route add {IDENTITY} via {net.pod4} dev pod0 onlink")
    said = net.node.run(f"(busybox timeout 1 busybox nslookup {NAME} {IDENTITY} && echo by UDP) &\n"
                        f"(busybox nc -w 1 {IDENTITY} 53 </dev/null && echo by TCP) &\nwait")
    assert "by UDP" not in said and "by TCP" not in said, said


@test(limit=60)
def loopback_resolver_is_relayed(lab):
    """By UDP and TCP, for the guest alone; without privileges; and again after its end."""
    pod = Pod(lab, "127.0.0.53", FAR4, "::1")
    pod.serve("127.0.0.53")
    pod.serve("::1")
    vm = pod.vm
    job = vm.start(f"cat /etc/resolv.conf; {SLEEPER}").wait_for("ready\n")
    want = resolv_conf(f"nameserver {IDENTITY}", f"nameserver {FAR4}") + "ready\n"
    assert job.seen.decode() == want, job.seen
    wait_until(lambda: is_resolved(vm), "the relay to answer")
    # Of the search list; and of a name whose answers are cut short by UDP.
    said = vm.exec("ping -c 1 -W 1 www & ping -c 1 -W 1 tcp.www & wait").out.decode()
    assert f"PING www ({ADDRESS})" in said and f"PING tcp.www ({ADDRESS})" in said, said
    relay = find_child(vm, "dnsmasq")
    status = process_status(relay)
    assert {int(uid) for uid in status["Uid"].split()} == {NOBODY}, status["Uid"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, status["CapEff"]
    # net_bind_service, setgid, setuid
    assert int(status["CapBnd"], 16) == 1 << 10 | 1 << 6 | 1 << 7, status["CapBnd"]
    listening = pod.net.pod.run("ss -H -lntup | grep dnsmasq | awk '{ print $5 }' | sort -u").split()
    assert listening == [f"{IDENTITY}:53"], listening
    assert_unreachable(pod.net)
    kill(relay)
    wait_until(lambda: is_resolved(vm), "the relay to be back")
    relay = find_child(vm, "dnsmasq")
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()
    wait_until(lambda: not alive(relay), "the relay's end")


@test(limit=60)
def relay_that_is_not_needed(lab):
    """The pod's own server is on all its addresses: the guest asks it."""
    pod = Pod(lab, "127.0.0.1")
    vm = pod.vm
    pod.serve("0.0.0.0")
    done = vm.run(f"cat /etc/resolv.conf; nslookup {NAME}").check()
    said = done.out.decode()
    assert said.startswith(resolv_conf(f"nameserver {IDENTITY}")) and ADDRESS in said, said
    assert "listens there" in vm.log() and "dnsmasq" not in vm.log(), vm.log()
    vm.assert_gone()


@test(limit=60)
def relay_that_cannot_be(lab):
    """There is no such program, or it ends: the start does, in a line that says what to do."""
    pod = Pod(lab, "127.0.0.53")
    vm = pod.vm
    empty = lab.path("empty")
    os.makedirs(empty)
    vm.prefix = ["env", f"PATH={empty}"]
    refused(vm, "dnsmasq", "PATH", "package dnsmasq-base", "--dns direct")
    broken = os.path.join(empty, "dnsmasq")
    with open(broken, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 3\n")
    os.chmod(broken, 0o755)
    refused(vm, "dnsmasq ended: exit status 3", "--dns direct")


def fails_the_second_time(lab):
    """A directory for PATH with a dnsmasq that does so: its file that grows by a byte a start."""
    directory = lab.path("programs")
    os.makedirs(directory)
    starts, program = os.path.join(directory, "starts"), os.path.join(directory, "dnsmasq")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nprintf x >>{starts}\n[ $(wc -c <{starts}) -ne 2 ] || exit 3\n"
                   f"exec {shutil.which('dnsmasq')} \"$@\"\n")
    os.chmod(program, 0o755)
    return starts


@test(limit=60)
def relay_without_privileges(lab):
    """In a container that can change to no other user, it stays what sluice-vm is, which ends it. One
    that cannot be started again is tried again, later each time."""
    pod = Pod(lab, "127.0.0.53", root="initramfs")
    pod.serve("127.0.0.53")
    vm = pod.vm
    starts = fails_the_second_time(lab)
    vm.prefix = ["setpriv", f"--bounding-set={CAPS}", "--inh-caps=-all",
                 "env", f"PATH={os.path.dirname(starts)}:{os.environ['PATH']}"]
    job = vm.start(SLEEPER).wait_for("ready\n")
    wait_until(lambda: is_resolved(vm), "the relay to answer")
    kill(find_child(vm, "dnsmasq"))
    wait_until(lambda: is_resolved(vm), "the relay to be back")
    assert os.path.getsize(starts) == 3, os.path.getsize(starts)
    assert [f"again-ms={ms}" in vm.log() for ms in (100, 200, 400)] == [True, True, False], vm.log()
    status = process_status(find_child(vm, "dnsmasq"))
    assert {int(uid) for uid in status["Uid"].split()} == {0}, status["Uid"]
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()


@test(limit=60)
def names_without_a_relay(lab):
    """resolv.conf and hosts as a container's: what the pod's files say, localhost, and the guest's own
    name. The root's are not written to, wherever they lead."""
    pod = Pod(lab, "127.0.0.1", FAR4, dns="direct")
    vm = pod.vm
    pods, own = lab.path("hosts"), os.path.join(vm.rootfs, "etc", "hosts")
    vm.pod_files["/etc/hosts"] = pods
    aliases = "127.0.0.1\tlocalhost\n# Entries added by HostAliases.\n10.9.9.9\tfoo.test\tbar.test\n"
    with open(pods, "w", encoding="ascii") as file:
        file.write(aliases)
    with open(os.path.join(vm.rootfs, "srv"), "w", encoding="ascii") as file:
        file.write("untouched")
    os.symlink("../../../../srv", own)
    named = f"{vm.net.pod4}\tweb-0\n{vm.net.pod6}\tweb-0\n"
    done = vm.run("cat /etc/hosts; echo; hostname; ping -c 1 -W 1 bar.test; cat /etc/resolv.conf",
                  "--hostname=web-0").check()
    said = done.out.decode()
    assert said.startswith(f"{aliases}{named}\nweb-0\n") and "(10.9.9.9)" in said, (said, done.err)
    assert said.endswith(resolv_conf("# 127.0.0.1 is on the pod's loopback, out of reach from here",
                                     f"nameserver {FAR4}")), said
    with open(os.path.join(vm.rootfs, "srv"), encoding="ascii") as file:
        assert file.read() == "untouched"
    assert os.readlink(own) == "../../../../srv"
    # Nothing there, and nothing can be made there.
    os.unlink(own)
    done = vm.run("cat /etc/hosts || echo none", "--readonly").check()
    assert done.out == b"none\n" and not os.path.lexists(own), done.out


@test()
def doctor_knows_the_resolver(lab):
    """Whether it takes a relay, and whether there is one."""
    net = Calico(lab)
    tell_resolvers(net, "127.0.0.53", FAR4)
    doctor = Doctor(net)
    mounts = with_mounts(f"mount --bind {net.resolv_conf} /etc/resolv.conf")
    found = doctor.ask(prefix=mounts)
    assert found["dns"]["level"] == found["host-port"]["level"] == "ok", found
    assert f"127.0.0.53, {FAR4}, relayed by /" in found["dns"]["found"], found["dns"]
    found = doctor.ask(prefix=mounts, dns="direct")
    assert found["dns"]["level"] == "warn" and "host-port" not in found, found
    empty = lab.path("empty")
    os.makedirs(empty)
    found = doctor.ask(1, prefix=f"{mounts} env PATH={empty}")
    assert found["dns"]["level"] == "fail" and "dnsmasq-base" in found["dns"]["advice"], found["dns"]
