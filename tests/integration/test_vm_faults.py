# SPDX-License-Identifier: BSD-3-Clause
"""What goes wrong with a VM is said in one line, has its exit status, and leaves nothing behind."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

from cni import Calico
from lab import wait_until
from suite import test
from vm import Running, Vm, kill

SUITE = "vm"

SLEEPER = "echo ready; exec sleep 1000"
STEPS = ("choose", "pod", "guard", "switch", "vsock", "storage", "image", "vmm")


def status(vm):
    return json.loads(vm.verb("status", "--json"))


def assert_says(done, code, *words):
    """One line of the launcher's that has all the words, and nothing on stdout."""
    done.check(code)
    lines = [line for line in done.err.decode().splitlines()
             if not line.startswith("sluice-vm: console: ")]
    assert len(lines) == 1 and lines[0].startswith("sluice-vm run: "), lines
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"
    assert done.out == b"", done.out


def refused(vm, *words, code=125, options=(), command="echo ran"):
    """A run that does not come to its command, and soon: it waits for no guest to boot."""
    begun = time.monotonic()
    done = vm.run(command, *options)
    assert_says(done, code, *words)
    assert time.monotonic() - begun < 50, time.monotonic() - begun
    vm.assert_gone()
    return done


@contextlib.contextmanager
def small_disk(lab, name, size):
    path = lab.path(name)
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"exec,size={size}", "small", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@test(limit=90)
def what_is_missing(lab):
    """Files that are not there, or are not what they should be."""
    vm = Vm(Calico(lab))
    empty = lab.path("empty")
    with open(empty, "w", encoding="ascii"):
        pass
    gone = lab.path("no-such")
    refused(vm, gone, "No such file", options=[f"--kernel={gone}"])
    refused(vm, empty, options=[f"--kernel={empty}"])
    for root in ("virtiofs", "ext4", "initramfs"):
        refused(vm, gone, options=[f"--rootfs={gone}", f"--root={root}"])
        refused(vm, empty, options=[f"--rootfs={empty}", f"--root={root}"])
    refused(vm, gone, options=[f"--agent={gone}"])
    refused(vm, gone, options=[f"--virtiofsd={gone}", "--root=virtiofs"])
    refused(vm, gone, options=[f"--volume={gone}:/data"])
    refused(vm, "no-such", options=["--interface=no-such"])
    refused(vm, "--rootfs", code=2, options=["--rootfs="])
    refused(vm, gone, code=2, options=[f"--config={gone}"])
    refused(vm, gone, code=2, options=[f"--annotations-file={gone}"])
    refused(vm, gone, code=2, options=[f"--env-file={gone}"])
    refused(vm, "--memory", code=2, options=["--memory=lots"])
    refused(vm, "no-such-option", code=2, options=["--no-such-option"])
    refused(vm, "data", code=2, options=["--volume=data:/data"])
    rootfs = vm.settings.pop("rootfs")
    refused(vm, "rootfs: not set")
    vm.settings["rootfs"] = rootfs
    # All is well with what is said rightly, in the same place.
    assert vm.run("echo ran").check().out == b"ran\n"
    vm.assert_gone()


@test(limit=90)
def where_it_may_not_run(lab):
    """Not for the machine itself, and not without an address."""
    vm = Vm(Calico(lab))
    # The kernel shows some sysctls in the machine's own namespace only: this one seems to be it.
    core = lab.path("core")
    os.makedirs(core)
    for name in ("somaxconn", "netdev_max_backlog"):
        with open(os.path.join(core, name), "w", encoding="ascii"):
            pass
    vm.pod_files["/proc/sys/net/core"] = core
    for prefix in ([], ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]):
        vm.prefix = prefix
        for options in ([], ["--guard=off"], ["--outside-guard"]):
            refused(vm, "the machine's own network namespace", "--lab", options=options)
    vm.prefix = []
    assert vm.run("echo ran", "--lab").check().out == b"ran\n"
    del vm.pod_files["/proc/sys/net/core"]
    bare = lab.namespace("bare")
    bare.run("ip link add eth0 type veth peer name x0 netns far; ip link set eth0 up")
    done = Running(["ip", "netns", "exec", "bare", *vm.words("--address-wait=1"), "--",
                    "/bin/true"]).wait()
    assert_says(done, 125, "address")
    done = Running(["ip", "netns", "exec", "bare", *vm.words("--address-wait=0",
                    "--interface=eth0"), "--", "/bin/true"]).wait()
    assert_says(done, 125, "eth0", "address")
    two = lab.namespace("two")
    for name, ip in (("p0", "10.5.0.1"), ("q0", "10.6.0.1")):
        two.run(f"ip link add {name} type veth peer name far-{name} netns far; ip link set {name} up\n"
                f"ip addr add {ip}/24 dev {name}")
    done = Running(["ip", "netns", "exec", "two", *vm.words("--address-wait=1"), "--",
                    "/bin/true"]).wait()
    assert_says(done, 125, "no default route", "name")
    vm.assert_gone()


@test(limit=90)
def what_ends_early(lab):
    """Whatever ends before the workload is named, and has a status of its own."""
    vm = Vm(Calico(lab))

    def ended_by(kill_it, code, *words):
        job = vm.start(SLEEPER).wait_for("ready\n")
        kill_it()
        done = job.wait()
        done.out = done.out.removeprefix(b"ready\n")
        assert_says(done, code, *words)
        vm.assert_gone()

    ended_by(lambda: kill(status(vm)["vmm"]["pid"]), 120, "uml", "killed by SIGKILL")
    ended_by(lambda: vm.exec("kill -9 1; echo o >/proc/sysrq-trigger"), 120, "uml")
    ended_by(lambda: kill(status(vm)["vsock"]["pid"]), 121, "sluice-vsock", "killed by SIGKILL")
    ended_by(lambda: kill(find_child(vm, "virtiofsd")), 122, "virtiofsd")
    ended_by(lambda: kill(find_child(vm, "sluice-fs-relay")), 122, "sluice-fs-relay")


def find_child(vm, name):
    """A child of the VM's process, by its program."""
    parent = status(vm)["pid"]
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid = int(path.split("/")[2])
            with open(path, encoding="ascii") as file:
                fields = file.read().rpartition(")")[2].split()
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            if program == name and int(fields[1]) == parent:
                return pid
    raise AssertionError(f"{name} is no child of {parent}")


@test(limit=90)
def agent_is_none(lab):
    """An init that does not answer, and one that ends: with what the console said last."""
    vm = Vm(Calico(lab))
    mute = lab.path("mute-init")
    shutil.copy("/bin/busybox", mute)
    for seconds in (4, 16, 64):
        begun = time.monotonic()
        done = vm.run("echo ran", f"--agent={mute}", f"--boot-timeout={seconds}")
        assert_says(done, 125, f"did not answer in {seconds} s", "boot-timeout")
        took = time.monotonic() - begun
        assert seconds - 0.1 < took < seconds + 40, took
        if b"Run /init" in done.err:  # it got there in this time
            break
    assert b"sluice-vm: console: Run /init as init process" in done.err, done.err
    assert done.err.count(b"sluice-vm: console: ") <= 30, done.err
    vm.assert_gone()

    done = vm.run("echo ran", f"--agent={vm.exec_program}", "--boot-timeout=120")
    assert_says(done, 120, "uml")
    assert b"panic" in done.err, done.err
    vm.assert_gone()


@test(limit=90)
def volume_that_cannot_be_mounted(lab):
    """The reason ends the start, unless one can do without it."""
    vm = Vm(Calico(lab))
    data = lab.path("data")
    os.makedirs(data)
    options = {"/etc/passwd/below": f"--volume={data}:/etc/passwd/below:",
               "/etc/passwd": f"--volume={data}:/etc/passwd:ro,",
               "/etc/group/x": "--tmpfs=/etc/group/x:size=1m,"}
    for where in ("/etc/passwd", "/etc/group/x"):
        assert_says(vm.run("echo ran", options[where].rstrip(":,")), 125, f"mount {where}",
                    "Not a directory")
        vm.assert_gone()
    done = vm.run("cat /etc/group >/dev/null && echo ran",
                  *(option + "optional" for option in options.values())).check()
    assert done.out == b"ran\n" and done.err == b"", (done.out, done.err)
    vm.assert_gone()


@contextlib.contextmanager
def volume_of_its_own(lab, name):
    """A directory that is the root of a file system, with a file that says its name."""
    with small_disk(lab, name, "1m") as path:
        with open(os.path.join(path, "name"), "w", encoding="ascii") as file:
            file.write(name + "\n")
        yield path


def left_out(vm):
    """{source: line of the log} of the volumes that the VM went without."""
    lines = [line for line in vm.log().splitlines() if "volume-left-out" in line]
    assert all("level=warn" in line for line in lines), lines
    return {re.search(r"source=(\S+)", line)[1]: line for line in lines}


@test(limit=120)
def volume_that_cannot_be_had(lab):
    """An optional one whose source is missing or unsafe is left out; the others keep their places."""
    vm = Vm(Calico(lab))
    gone, unsafe, data = lab.path("no-such"), lab.path("part"), lab.path("data")
    os.makedirs(unsafe)
    os.makedirs(data)
    with open(os.path.join(data, "name"), "w", encoding="ascii") as file:
        file.write("data\n")
    with volume_of_its_own(lab, "disk") as disk:
        done = vm.run("cat /data/name /disk/name; ls -d /gone /part; true",
                      f"--volume={gone}:/gone:optional", f"--volume={data}:/data",
                      f"--volume={unsafe}:/part:nfs,optional", f"--volume={gone}:/part:nfs,optional",
                      f"--volume={disk}:/disk:nfs,optional")
        assert done.check().out.startswith(b"data\ndisk\n"), (done.out, done.err)
        assert b"/gone: No such file" in done.err and b"/part: No such file" in done.err, done.err
        lines = left_out(vm)
        assert set(lines) == {gone, unsafe}, lines
        assert "No such file" in lines[gone] and "use virtiofs" in lines[unsafe], lines
        vm.assert_gone()

    # Without a volume over NFS there is no server for it, nor a way to one.
    job = vm.start(SLEEPER, f"--volume={unsafe}:/part:nfs,optional").wait_for("ready\n")
    assert "use virtiofs" in left_out(vm)[unsafe], vm.log()
    assert vm.net.pod.try_run("ip link show sluice0")[0] != 0, "there is a host port"
    assert not os.path.exists(os.path.join(vm.run_dir, vm.name, "nfs"))
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()
    # Those who cannot do without say so.
    refused(vm, unsafe, "use virtiofs", options=[f"--volume={unsafe}:/part:nfs"])
    vm.run("cat /data/name", f"--volume={data}:/data:optional", "--virtiofsd=/no/such",
                  "--root=ext4").check(1)
    assert "/no/such" in left_out(vm)[data], vm.log()


@test(limit=90)
def disk_is_full(lab):
    """Where it works and where it keeps images."""
    vm = Vm(Calico(lab))
    with small_disk(lab, "small-run", "256k") as path:
        vm.run_dir = vm.settings["run-dir"] = os.path.join(path, "run")
        refused(vm, path, "No space left")
    vm.run_dir = vm.settings["run-dir"] = lab.path("run")
    with small_disk(lab, "small-cache", "256k") as path:
        refused(vm, path, "No space left", options=[f"--cache-dir={path}/cache"])
        refused(vm, path, "no space left", options=[f"--cache-dir={path}/cache", "--root=ext4"])
        assert os.listdir(path + "/cache") == [] or not any(
            os.path.getsize(f) for f in glob.glob(path + "/cache/*")), os.listdir(path + "/cache")
        # A cache that had no room is as good as an empty one.
        subprocess.run(["mount", "-o", "remount,size=64m", path], check=True)
        done = vm.run("echo ran", f"--cache-dir={path}/cache")
        assert done.check().out == b"ran\n", done.err
    vm.assert_gone()


@test(limit=120)
def launcher_killed_while_it_starts(lab):
    """At every step: no process, file or guard is left, and the next one starts."""
    vm = Vm(Calico(lab))
    before = vm.net.snapshot()
    for step in STEPS:
        log = os.path.join(vm.run_dir, vm.name + ".log")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(log)
        job = vm.start(SLEEPER)
        wait_until(lambda: os.path.exists(log) and f"name={step}" in vm.log(), step, timeout=120)
        job.signal(signal.SIGKILL)
        job.wait()
        vm.assert_gone()
    job = vm.start(SLEEPER)
    wait_until(lambda: "guest-up" in vm.log(), "the guest to come up", timeout=120)
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()
    assert vm.net.snapshot() == before
    # Asked for, before there is a workload: there will be none.
    mute = lab.path("mute-init")
    shutil.copy("/bin/busybox", mute)
    job = vm.start(SLEEPER, f"--agent={mute}")
    wait_until(lambda: "name=vmm" in vm.log(), "the machine to run", timeout=120)
    job.signal(signal.SIGTERM)
    job.wait().check(128 + signal.SIGTERM)
    vm.assert_gone()
    assert vm.run("echo ran").check().out == b"ran\n"
