# SPDX-License-Identifier: BSD-3-Clause
"""Cloud Hypervisor and Firecracker as `sluice-vm run` has them.

Debian packages neither. A fake of both (tests/fakes/fake_vmm.py) refuses what they would refuse, and
boots a real guest of what it is told: kernel, initrd, devices, and a vsock of its own.
"""

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess

from cni import FAR4, Calico
from guest import GUEST_DIR, ROOT, die_with_parent
from lab import wait_until
from suite import test
from test_agent_boot import listens
from test_vm_doctor import Doctor, levels
from vm import Running, Vm, kill, ping

SUITE = "vm"

MIB = 1 << 20
FAKE = os.path.join(ROOT, "tests", "fakes", "fake_vmm.py")
TAP = "slt-vm0"


class RestVm(Vm):
    """One of the two, whose guest is real."""

    def __init__(self, net, vmm, **settings):
        super().__init__(net, vmm=vmm, **{"vmm-program": FAKE, **settings})

    def words(self, *more):
        vsock = os.path.join(self.build, "switch", "vsock", "sluice-vsock")
        return ["env", "FAKE_VMM=boots", f"FAKE_VMM_VSOCK={vsock}", *super().words(*more)]

    def leftovers(self):
        links = self.net.pod.run("ip -o link")
        return super().leftovers() + ([links] if TAP in links else [])

    def status(self):
        return json.loads(self.verb("status", "--json"))

    def ask(self, path):
        """What the VMM says itself."""
        return json.loads(request("GET", path, self.api())[1])

    def put(self, path, body):
        return request("PUT", path, self.api(), body)

    def api(self):
        return os.path.join(self.run_dir, self.name, "api.sock")


def request(method, path, socket_path, body=None):
    """Of a VMM that listens there: status and text of its answer."""
    link = http.client.HTTPConnection("localhost")
    link.sock = socket.socket(socket.AF_UNIX)
    link.sock.connect(socket_path)
    link.request(method, path, json.dumps(body) if body is not None else None)
    answer = link.getresponse()
    text = answer.read().decode()
    link.close()
    return answer.status, text


def check_tcp(net, vm, n_bytes=MIB):
    """A stream each way, through the switch, to a host behind the node."""
    path = net.lab.path("stream")
    job = net.far.spawn(f"socat -d -d -u TCP4-LISTEN:5001,reuseaddr CREATE:{path}")
    job.wait_for("listening", 60)
    said = vm.exec(f"head -c {n_bytes} /dev/urandom >/tmp/sent; nc {FAR4} 5001 </tmp/sent;"
                   "sha256sum </tmp/sent").check().out.decode()
    job.wait(120)
    with open(path, "rb") as file:
        data = file.read()
    assert len(data) == n_bytes and hashlib.sha256(data).hexdigest() in said, (len(data), said)
    receiver = Running(vm.exec_argv("nc -l -p 5002 >/tmp/got; sha256sum </tmp/got"))
    net.far.run(f"socat -u OPEN:{path} TCP4:{net.pod4}:5002,retry=600,interval=0.1", 120)
    assert receiver.wait().check().out.decode() == said, said


def check_network(net, vm):
    ping(net.far, net.pod4)
    ping(net.near, net.pod6)
    check_tcp(net, vm)


def check_switch_crash(net, vm):
    """The network is back when sluiced is."""
    kill(vm.status()["switch"]["pid"])
    wait_until(lambda: net.far.try_run(f"busybox ping -c 1 -W 1 {net.pod4}")[0] == 0,
               "the guest to be reached again", timeout=120)
    assert vm.exec("echo alive").check().out == b"alive\n"


@test(limit=120)
def firecracker(lab):
    """A TAP, an ext4 drive, NFS, its own vsock; its guest ends by resetting itself."""
    net = Calico(lab)
    vm = RestVm(net, "firecracker")
    before = net.snapshot()
    disk = lab.path("disk")
    os.makedirs(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "volume", disk], check=True)
    try:
        job = vm.start("trap 'echo term; exit 9' TERM; echo mine >/data/file; echo err >&2;"
                       "echo ready; while :; do sleep 0.1; done", f"--volume={disk}:/data:nfs")
        job.wait_for("ready\n")
        with open(os.path.join(disk, "file"), encoding="ascii") as file:
            assert file.read() == "mine\n"
        said = vm.status()
        assert (said["vmm"]["kind"], said["vmm"]["state"]) == ("firecracker", "running"), said
        assert said["root"] == "ext4" and said["vsock"]["pid"] == 0, said
        assert vm.ask("/")["state"] == "Running"
        assert vm.exec("cat", data=b"x" * MIB).check().out == b"x" * MIB
        check_network(net, vm)
        # The pod's kernel hears the TAP's guest, and is kept from listening.
        counters = json.loads(net.pod.run(f"{vm.program} guard show --json"))["counters"]
        assert counters["guest_tap"]["packets"] > 0, counters
        check_switch_crash(net, vm)
        vm.verb("stop", "--grace", "120")
        done = job.wait().check(9)
        assert (done.out, done.err) == (b"ready\nterm\n", b"err\n"), done
        assert re.search("vmm .*shutdown", vm.log()), vm.log()
        vm.assert_gone()
    finally:
        subprocess.run(["umount", disk], check=True)
    assert net.snapshot() == before


@test(limit=90)
def firecracker_ends(lab):
    """By its keyboard. SIGKILL to sluice-vm: nothing stays, the TAP neither; one that did is taken
    over, unless somebody uses it."""
    net = Calico(lab)
    vm = RestVm(net, "firecracker", root="initramfs")
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    assert vm.put("/actions", {"action_type": "SendCtrlAltDel"})[0] == 204
    done = job.wait().check(120)
    assert done.err == b"sluice-vm run: firecracker: the guest powered off\n", done.err
    vm.assert_gone()

    net.pod.run(f"ip tuntap add {TAP} mode tap")
    job = vm.start("exec sleep 1000")
    wait_until(lambda: os.path.exists(os.path.join(vm.run_dir, "vm0", "control")) and
               vm.status()["vmm"]["state"] == "running", "the machine to run", timeout=120)
    assert TAP in net.pod.run("ip -o link show up")
    # One of the same name, with another directory: the TAP is not taken from the first.
    vm.settings.update({"run-dir": lab.path("other"), "guard": "off", "lab": "true"})
    done = vm.run("true").check(125)
    assert b"another VM uses" in done.err and done.err.count(b"\n") == 1, done.err
    assert TAP in net.pod.run("ip -o link show up")
    kill(vm.status()["pid"])
    job.wait()
    vm.assert_gone()


@test(limit=120)
def cloud_hypervisor(lab):
    """vhost-user-net, virtiofs, its own vsock; ended by its power button."""
    net = Calico(lab)
    vm = RestVm(net, "cloud-hypervisor")
    data = lab.path("data")
    os.makedirs(data)
    job = vm.start("echo mine >/data/file; echo err >&2; echo ready; exec sleep 1000",
                   f"--volume={data}:/data")
    job.wait_for("ready\n")
    with open(os.path.join(data, "file"), encoding="ascii") as file:
        assert file.read() == "mine\n"
    said = vm.status()
    assert (said["vmm"]["kind"], said["vmm"]["state"]) == ("cloud-hypervisor", "running"), said
    assert said["root"] == "virtiofs" and said["vsock"]["pid"] == 0, said
    info = vm.ask("/api/v1/vm.info")
    assert info["state"] == "Running" and info["config"]["memory"]["shared"], info
    assert vm.exec("cat", data=b"x" * MIB).check().out == b"x" * MIB
    check_network(net, vm)
    check_switch_crash(net, vm)
    assert vm.put("/api/v1/vm.power-button", None)[0] == 204
    done = job.wait().check(120)
    assert done.out == b"ready\n", done.out
    assert done.err == b"err\nsluice-vm run: cloud-hypervisor: the guest powered off\n", done.err
    vm.assert_gone()


@test(limit=60)
def cloud_hypervisor_panics(lab):
    """It would boot the guest again, but its initrd is gone: with the reason, that is the end."""
    vm = RestVm(Calico(lab), "cloud-hypervisor", **{"mac-mode": "substitute"})
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    Running(vm.exec_argv("echo c >/proc/sysrq-trigger"))
    done = job.wait().check(120)
    assert done.err == b"sluice-vm run: cloud-hypervisor: exit status 1\n", done.err
    vm.assert_gone()


@test(limit=60)
def rest_vmms_refuse(lab):
    """What they cannot do is said in a line, mostly before anything is made."""
    net = Calico(lab)
    text = lab.path("text")
    with open(text, "w", encoding="ascii") as file:
        file.write("no kernel\n")
    mute = lab.path("mute-init")
    shutil.copy("/bin/busybox", mute)
    before = net.snapshot()
    vm = RestVm(net, "firecracker", root="initramfs")
    settings = vm.settings
    for vmm, status, changes, words in (
            ("firecracker", 125, {"kernel": text}, "neither an ELF file"),
            ("firecracker", 125, {"volume": f"{text}:/x"}, f"({text}:/x:nfs)"),
            ("firecracker", 125, {"root": "virtiofs"}, "set root to ext4"),
            ("firecracker", 125, {"accel": "tcg"}, "vmm to qemu"),
            ("firecracker", 125, {"guard": "off"}, "say --lab"),
            ("firecracker", 125, {"outside-guard": "true"}, "say --lab"),
            ("firecracker", 125, {"vmm-program": "/no/such"}, "/no/such"),
            ("cloud-hypervisor", 125, {"vmm-program": "/no/such"}, "/no/such"),
            ("firecracker", 125, {"boot-timeout": "1", "agent": mute}, "try vmm qemu"),
            ("firecracker", 120, {"cpus": "33"}, "/machine-config.vcpu_count: 33 is out of range")):
        vm.settings = {**settings, "vmm": vmm, **changes}
        done = vm.run("true").check(status)
        lines = [line for line in done.err.decode().splitlines() if ": console: " not in line]
        assert len(lines) == 1 and words in lines[0], (changes, done.err)
        vm.assert_gone()
    assert net.snapshot() == before


@test(limit=30)
def fake_refuses(lab):
    """The fake takes nothing that is not documented, and nothing out of its order."""
    path = lab.path("api.sock")
    with subprocess.Popen([FAKE, "--api-sock", path], stdout=subprocess.DEVNULL,
                          preexec_fn=die_with_parent) as fake:
        wait_until(lambda: listens(path), "the fake to listen")
        kernel = {"kernel_image_path": "/proc/self/exe"}
        for where, body, words in (
                ("/machine-config", {"vcpu_count": 1, "mem_size_mib": 128, "colour": 1}, "colour"),
                ("/machine-config", {"vcpu_count": 1}, "mem_size_mib is missing"),
                ("/boot-source", {"kernel_image_path": "/etc/passwd"}, "ELF"),
                ("/actions", {"action_type": "InstanceStart"}, "without kernel"),
                ("/no-such", {}, "not documented")):
            status, text = request("PUT", where, path, body)
            assert status == 400 and words in json.loads(text)["fault_message"], (where, text)
        assert request("PUT", "/boot-source", path, kernel)[0] == 204
        assert request("PUT", "/actions", path, {"action_type": "InstanceStart"})[0] == 204
        assert "after starting" in request("PUT", "/boot-source", path, kernel)[1]
        fake.kill()


@test(limit=30)
def doctor_of_rest_vmms(lab):
    """The program, the kernel's form, and what each needs of the machine."""
    net = Calico(lab)
    doctor = Doctor(net, vmm="firecracker", vmm_program=FAKE,
                    kernel=os.path.join(GUEST_DIR, "vmlinuz"))
    found = doctor.ask()
    assert set(levels(found, "kvm", "kernel", "modules", "vmm", "tap", "mke2fs").values()) == {"ok"}
    assert "virtiofsd" not in found and "devices" not in found, found
    assert doctor.ask(vmm="cloud-hypervisor")["virtiofsd"]["level"] == "ok"
    assert "tap" not in doctor.ask(vmm="cloud-hypervisor")
    for vmm in ("firecracker", "cloud-hypervisor"):
        found = doctor.ask(1, vmm=vmm, vmm_program="/no/such", kernel="/etc/passwd", accel="tcg")
        assert levels(found, "vmm", "kernel", "devices") == {
            "vmm": "fail", "kernel": "fail", "devices": "fail"}, found
        assert "neither an ELF file" in found["kernel"]["found"], found
    found = doctor.ask(1, volume="/etc:/etc")["devices"]
    assert "/etc:/etc:nfs" in found["found"], found
    no_tun = "unshare -m sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' -"
    found = doctor.ask(1, no_tun)["tap"]
    assert found["level"] == "fail" and "device list" in found["found"], found
