# SPDX-License-Identifier: BSD-3-Clause
"""A workload in a VM behaves like the workload: what it says, how it ends, what it can reach."""

import json
import os
import re
import signal
import subprocess
import time

from cni import FAR4, POD_MAC, Calico
from lab import LabError, wait_until
from suite import test
from vm import Vm, kill, ping

SUITE = "vm"

MIB = 1 << 20


@test(limit=60)
def output_and_status(lab):
    """Both streams, byte for byte and apart; the command's own exit status; nothing is left."""
    vm = Vm(Calico(lab))
    done = vm.run("echo out; echo err >&2; printf 'no newline'; exit 7").check(7)
    assert done.out == b"out\nno newline", done.out
    assert done.err == b"err\n", done.err
    assert "level=warn" in vm.log() and "msg=no-boundary vmm=uml" in vm.log(), vm.log()
    vm.assert_gone()


@test(limit=60, each={kind: kind for kind in ("virtiofs", "ext4", "initramfs")})
def roots(lab, root):
    """The root's files are there, however it came; those written to virtiofs are here."""
    vm = Vm(Calico(lab), root=root)
    os.chown(os.path.join(vm.rootfs, "var"), 33, 4)
    done = vm.run("ls -lnd /var | awk '{ print $3, $4 }'; cat /etc/passwd; echo hi >/tmp/new; "
                  "mount | grep ' / '").check()
    assert done.out.startswith(b"33 4\nroot:x:0"), done.out
    assert os.path.exists(os.path.join(vm.rootfs, "tmp", "new")) == (root == "virtiofs")


@test(limit=60)
def signals(lab):
    """What the command handles it handles; as PID 1 it is not ended by what it does not."""
    vm = Vm(Calico(lab))
    job = vm.start("trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
    job.wait_for("ready\n")
    job.signal(signal.SIGTERM)
    done = job.wait().check(3)
    assert done.out == b"ready\nterm\n", done.out
    vm.assert_gone()


@test(limit=60)
def all_signals(lab):
    """Each that can be forwarded is, once; and none is followed by anything of ours."""
    vm = Vm(Calico(lab))
    names = ("HUP", "INT", "QUIT", "USR1", "USR2", "CONT", "WINCH", "TERM")
    job = vm.start("".join(f"trap 'echo {name}' {name}; " for name in names) +
                   "echo ready; while :; do sleep 0.05; done").wait_for("ready\n")
    for name in names:
        job.signal(signal.Signals["SIG" + name])
        job.wait_for(f"{name}\n")
    # Five seconds after the last, there is no timer that would have ended it.
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert vm.exec("echo alive").check().out == b"alive\n"
        assert job.process.poll() is None
        time.sleep(0.5)
    assert "msg=halt" not in vm.log(), vm.log()
    vm.verb("stop", "--grace", "0")
    done = job.wait().check(137)
    said = done.out.decode().split()
    assert said[:1 + len(names)] == ["ready", *names], said
    # What stop sends is one more.
    assert said[1 + len(names):] in ([], ["TERM"]), said
    vm.assert_gone()


@test(limit=60)
def commands_that_cannot_be_run(lab):
    vm = Vm(Calico(lab))
    done = vm.run(["/no/such"])
    assert done.status == 127 and b"/no/such" in done.err, (done.status, done.err)
    done = vm.run(["/etc/passwd"])
    assert done.status == 126, (done.status, done.err)
    vm.assert_gone()


@test(limit=60, each={"adopt": "adopt", "substitute": "substitute"})
def network(lab, mode):
    """The VM has the pod's address; eth0 is what it was."""
    net = Calico(lab)
    vm = Vm(net, **{"mac-mode": mode})
    before = net.snapshot()
    job = vm.start("hostname; cat /etc/resolv.conf; ip addr show dev eth0; echo ready; sleep 1000")
    said = job.wait_for("ready\n").seen.decode()
    assert net.pod4 in said and f"nameserver {FAR4}" in said, said
    assert (POD_MAC in said) == (mode == "adopt"), said
    ping(net.far, net.pod4)
    ping(net.near, net.pod6)
    vm.exec(f"ping -c 1 -W 30 {FAR4}").check()
    now = net.snapshot()
    assert now == before, now
    job.signal(signal.SIGKILL)
    vm.assert_gone()
    assert net.snapshot() == before


@test(limit=60)
def exec_in_it(lab):
    """Commands beside the workload: streams, status, users, bytes of all kinds."""
    vm = Vm(Calico(lab))
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    assert not os.path.exists(os.path.join(vm.run_dir, vm.name, "initrd")), "it is still there"
    done = vm.exec("cat; echo err >&2; exit 5", data=bytes(range(256)) * 4096).check(5)
    assert done.out == bytes(range(256)) * 4096 and done.err == b"err\n"
    done = vm.exec("id -u; id -G", "--user", "www").check()
    assert done.out == b"33\n33 4 29\n", done.out
    assert vm.exec(["/no/such"]).status == 127
    vm.exec("kill -9 $$").check(137)
    odd = "a\nb" + "".join(chr(c) for c in range(1, 128))
    assert vm.exec(["/bin/printf", "%s", odd]).check().out == odd.encode()
    status = json.loads(vm.verb("status", "--json"))
    assert status["state"] == "running", status
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()


@test(limit=90)
def killed(lab):
    """SIGKILL to sluice-vm: no process, socket, file or guard is left, and it can start again."""
    vm = Vm(Calico(lab))
    for _ in range(2):
        job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
        kill(json.loads(vm.verb("status", "--json"))["pid"])
        job.wait()
        vm.assert_gone()


@test(limit=60)
def volumes(lab):
    """Directories and files of ours where the command wants them, read-only if said; memory."""
    vm = Vm(Calico(lab))
    data = lab.path("data")
    os.makedirs(data)
    config = lab.path("config")
    with open(config, "w", encoding="ascii") as file:
        file.write("key=value\n")
    os.symlink("/srv/real", os.path.join(vm.rootfs, "link"))
    done = vm.run(
        "cat /etc/app.conf; echo mine >/srv/real/file; touch /etc/app.conf; echo $?;"
        "df /scratch | tail -1 | awk '{ print $1, $2 }'",
        f"--volume={data}:/link", f"--volume={config}:/etc/app.conf:ro",
        "--tmpfs=/scratch:size=1m").check()
    assert done.out == b"key=value\n1\ntmpfs 1024\n", done.out
    with open(os.path.join(data, "file"), encoding="ascii") as file:
        assert file.read() == "mine\n"
    vm.assert_gone()


@test(limit=90)
def volume_is_read_and_sent_at_once(lab):
    """Many interrupts of two devices: UML loses some, see lost_calls.h."""
    net = Calico(lab)
    vm = Vm(net)
    data = lab.path("data")
    os.makedirs(data)
    with open(os.path.join(data, "file"), "wb") as file:
        file.write(os.urandom(64 << 20))
    vm.start("echo ready; exec sleep 1000", f"--volume={data}:/data").wait_for("ready\n")
    vm.exec("httpd -p 8080 -h /data").check()
    for _ in range(25):
        said = net.far.run(f"busybox wget -q -O - http://{net.pod4}:8080/file | wc -c", 120)
        assert int(said) == 64 << 20, said


@test(limit=60)
def nfs_volumes(lab):
    """File systems of their own over NFS, on the identity address; part of one is refused."""
    vm = Vm(Calico(lab))
    disk, secrets = lab.path("disk"), lab.path("secrets")
    for path in (disk, secrets):
        os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "volume", path], check=True)
    try:
        with open(os.path.join(secrets, "token"), "w", encoding="ascii") as file:
            file.write("one")
        os.chown(os.path.join(secrets, "token"), 33, 33)
        done = vm.run("grep ' /data ' /proc/mounts; cat /secrets/token; stat -c %u:%g /secrets/token;"
                      "touch /secrets/new; echo $?; echo mine >/data/file; sync; "
                      f"ping -c 1 -W 30 {FAR4} >/dev/null && echo reached",
                      f"--volume={disk}:/data:nfs", f"--volume={secrets}:/secrets:nfs,ro").check()
        lines = done.out.decode().splitlines()
        assert " nfs4 " in lines[0] and "vers=4.2" in lines[0], lines
        assert lines[1:] == ["one33:33", "1", "reached"], (lines, done.err)
        with open(os.path.join(disk, "file"), encoding="ascii") as file:
            assert file.read() == "mine\n"
        vm.assert_gone()
    finally:
        for path in (disk, secrets):
            subprocess.run(["umount", path], check=True)
    done = vm.run("true", f"--volume={disk}:/data:nfs").check(125)
    assert b"virtiofs" in done.err and done.err.count(b"\n") == 1, done.err
    vm.assert_gone()


@test(limit=60)
def switch_crashes(lab):
    """sluiced is started again; the command and its output do not notice."""
    vm = Vm(Calico(lab))
    job = vm.start("echo ready; i=0; until [ -e /tmp/enough ]; do echo $i; i=$((i + 1)); sleep 0.1; done")
    job.wait_for("ready\n")
    first = json.loads(vm.verb("status", "--json"))["switch"]
    kill(first["pid"])
    wait_until(lambda: json.loads(vm.verb("status", "--json"))["switch"]["starts"] == 2,
               "the switch to be started again")
    vm.exec("touch /tmp/enough").check()
    lines = job.wait().check().out.decode().splitlines()
    assert len(lines) > 1 and lines == ["ready", *map(str, range(len(lines) - 1))], lines


@test(limit=90, each={"virtiofs": "virtiofs", "ext4": "ext4"})
def under_qemu(lab, root):
    """The same by QEMU without KVM: another device for everything."""
    net = Calico(lab)
    vm = Vm(net, vmm="qemu", root=root)
    job = vm.start("trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    job.wait_for("ready\n")
    ping(net.far, net.pod4)
    assert vm.exec("cat", data=b"x" * MIB).check().out == b"x" * MIB
    job.signal(signal.SIGTERM)
    job.wait().check(9)
    assert "event=shutdown" in vm.log(), "the guest was killed before it had turned itself off"
    vm.assert_gone()


@test(limit=120)
def switch_crashes_under_qemu(lab):
    """Its network comes back."""
    net = Calico(lab)
    vm = Vm(net, vmm="qemu")
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    ping(net.far, net.pod4)
    kill(json.loads(vm.verb("status", "--json"))["switch"]["pid"])
    wait_until(lambda: net.far.try_run(f"busybox ping -c 1 -W 1 {net.pod4}")[0] == 0,
               "the guest to be reached again", timeout=120)
    vm.verb("stop", "--grace", "0")
    job.wait().check(137)


def choices(vm):
    """[(vmm, accel, because), ...] as the log has them."""
    return re.findall(r'msg=machine vmm=(\S+) accel=(\S+) because="([^"]*)"', vm.log())


@test(limit=120)
def vmm_auto(lab):
    """It is QEMU, with KVM where that can be used; which, and why, is said."""
    vm = Vm(Calico(lab), vmm="qemu", accel="auto")
    vm.settings["vmm"] = "auto"
    if os.path.exists("/dev/kvm"):
        vm.pod_files["/dev/kvm"] = "/dev/null"
    assert vm.run("echo works").check().out == b"works\n"
    (vmm, accel, because), = choices(vm)
    assert (vmm, accel) == ("qemu", "tcg") and "/dev/kvm" in because, because
    vm.settings["accel"] = "tcg"
    vm.run("true").check()
    assert choices(vm) == [("qemu", "tcg", "accel is set")], vm.log()
    vm.settings["accel"] = "kvm"
    done = vm.run("true").check(125)
    assert because.encode() in done.err and done.err.count(b"\n") == 1, done.err
    vm.assert_gone()


def without_kvm(lab, instead):
    """A QEMU that does `instead` of running a guest by KVM."""
    path = lab.path("qemu")
    with open(path, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\ncase " $* " in *" -accel kvm "*) {instead};; esac\n'
                   'exec qemu-system-x86_64 "$@"\n')
    os.chmod(path, 0o755)
    return path


@test(limit=120, each={"hangs": "exec sleep 1000", "aborts": "exit 134"})
def accel_auto(lab, instead):
    """A guest that does not come up by KVM is started once more without, if that was left open."""
    assert os.access("/dev/kvm", os.R_OK | os.W_OK), "KVM: there is no /dev/kvm to be opened here"
    vm = Vm(Calico(lab), vmm="qemu", accel="auto")
    vm.settings["vmm-program"] = without_kvm(lab, instead)
    job = start_twice(vm, "15")
    steps = [step["name"] for step in json.loads(vm.verb("status", "--json"))["steps"]]
    assert steps[-6:] == ["vsock", "ports", "storage", "image", "vmm", "agent"], steps
    assert steps.count("agent") == steps.count("vmm") == 2, steps
    assert vm.log().count("kvm-suspected") == 1, vm.log()
    assert choices(vm) == [("qemu", "kvm", "KVM can be used"),
                           ("qemu", "tcg", "under KVM the guest did not come up")], vm.log()
    assert vm.exec("echo too").check().out == b"too\n"
    job.signal(signal.SIGKILL)
    vm.assert_gone()


def start_twice(vm, seconds):
    """By KVM, and without it. The same time is for both: a busy machine may need more for the second."""
    vm.settings["boot-timeout"] = seconds
    try:
        return vm.start("echo works; exec sleep 1000").wait_for("works\n", timeout=300)
    except LabError as error:
        if seconds != "15" or f"did not answer in {seconds} s" not in str(error):
            raise
    vm.assert_gone()
    return start_twice(vm, "90")


@test(limit=60)
def accel_kvm(lab):
    """If that was not left open, the suspicion is what it ends with."""
    assert os.access("/dev/kvm", os.R_OK | os.W_OK), "KVM: there is no /dev/kvm to be opened here"
    vm = Vm(Calico(lab), vmm="qemu", accel="kvm", **{"boot-timeout": "3"})
    vm.settings["vmm-program"] = without_kvm(lab, "exec sleep 1000")
    done = vm.run("echo works").check(125)
    assert done.out == b"" and b"did not answer in 3 s" in done.err, done.err
    assert b"perhaps KVM does not work here" in done.err, done.err
    assert "kvm-suspected" not in vm.log(), vm.log()
    assert choices(vm) == [("qemu", "kvm", "accel is set")], vm.log()
    vm.assert_gone()
