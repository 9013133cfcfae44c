# SPDX-License-Identifier: BSD-3-Clause
"""sluice-agent as init: it boots, mounts, says what is wrong, and turns the machine off."""

import os
import re
import signal
import socket
import stat
import subprocess
import time

from agent_client import AgentClient, Vsock
from agent_guest import QemuAgent, UmlAgent, busybox_tree, spec
from guest import die_with_parent
from lab import wait_until
from share_server import TAG, ShareServer
from suite import test

SUITE = "vm"

KINDS = {"uml": UmlAgent, "qemu": QemuAgent}


def shell(script):
    """A workload whose words appear on the console."""
    return ["/bin/sh", "-c", f"exec >/dev/console 2>&1; {script}; echo END; exec sleep 1000"]


def value(text, name):
    """Of a line NAME=VALUE."""
    found = re.search(rf"^{name}=(.*?)\r?$", text, re.MULTILINE)
    assert found, f"no {name}= in\n{text[-4000:]}"
    return found.group(1)


@test(limit=90, each=KINDS)
def agent_runs_a_workload(lab, kind):
    machine = spec(hostname="web-0", hosts="127.0.0.1 localhost\n10.0.0.9 web-0\n",
                   resolv_conf="nameserver 10.96.0.10\n")
    script = ("echo host=$(hostname); echo file=$(cat /etc/hostname); echo env=$GREETING; "
              "echo hosts=$(tail -n 1 /etc/hosts); echo dns=$(cat /etc/resolv.conf); echo pid=$$; "
              "echo lo=$(cat /sys/class/net/lo/operstate); "
              "[ -c /dev/null ] && [ -d /dev/pts ] && echo dev=there")
    with kind(lab, machine, shell(script), ["GREETING=hello", "PATH=/bin"],
              busybox_tree(lab)) as guest:
        text = guest.wait_for("END")
    assert value(text, "host") == value(text, "file") == "web-0", text
    assert value(text, "env") == "hello", text
    assert value(text, "hosts") == "10.0.0.9 web-0", text
    assert value(text, "dns") == "nameserver 10.96.0.10", text
    assert value(text, "pid") == "1", text
    assert value(text, "lo") == "unknown", "the loopback is not up"
    assert value(text, "dev") == "there", text


@test(limit=30)
def agent_keeps_the_spec_to_itself(lab):
    """Neither in the workload's root, nor left in the initramfs where it came from."""
    with UmlAgent(lab, spec(), shell("ls -a /run/sluice; find / -name machine.json -o -name argv "
                                     "| grep -v /proc; echo searched"),
                  ["PATH=/bin", "SECRET=x"], busybox_tree(lab)) as guest:
        text = guest.wait_for("END")
        initrd = os.stat(os.path.join(guest.workdir, "initrd"))
    assert "machine.json" not in text, text
    assert stat.S_IMODE(initrd.st_mode) == 0o600, f"the initrd's mode is {initrd.st_mode:o}"


@test(limit=30)
def agent_runs_the_images_entrypoint(lab):
    tree = busybox_tree(lab)
    os.makedirs(os.path.join(tree, ".runcvm"))
    path = os.path.join(tree, ".runcvm", "entrypoint")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho the image speaks >/dev/console\nexec sleep 1000\n")
    os.chmod(path, 0o755)
    with UmlAgent(lab, spec(), None, ["PATH=/bin"], tree) as guest:
        guest.wait_for("the image speaks")


@test(limit=60)
def agent_without_entrypoint_waits(lab):
    with UmlAgent(lab, spec(), None, (), busybox_tree(lab)) as guest:
        guest.wait_for("sluice-agent: no entrypoint found")
        assert guest.process.poll() is None
        guest.ctrl_alt_del()
        guest.wait_for("sluice-agent: power off")
        assert guest.wait_for_end() == 0


@test(limit=60, each={
    "spec": ("{", "machine spec: "),
    "root": (spec({"kind": "ext4", "source": "/dev/ubda"}), "mount /: "),
    "initramfs": (spec({"kind": "initramfs", "source": "/nowhere"}), "mount /: "),
    "volume": (spec(mounts=[{"kind": "virtiofs", "source": "gone:/x", "destination": "/data"}]),
               "mount /data: "),
})
def agent_says_what_is_wrong(lab, case):
    """On the console, and goes on: clients are to be told as well."""
    machine, words = case
    with UmlAgent(lab, machine, ["/bin/true"], (), busybox_tree(lab)) as guest:
        guest.wait_for("sluice-agent: " + words)
        assert guest.process.poll() is None
        guest.ctrl_alt_del()
        assert guest.wait_for_end() == 0


@test(limit=30)
def agent_goes_on_without_optional_volumes_and_modules(lab):
    """A module that is not one is told on the console too."""
    machine = spec(mounts=[
        {"kind": "virtiofs", "source": "gone:/x", "destination": "/data", "optional": True},
        {"kind": "tmpfs", "destination": "/scratch", "options": "size=64k"}])
    with UmlAgent(lab, machine, shell("echo size=$(df -k /scratch | awk 'END { print $2 }')"),
                  ["PATH=/bin"], busybox_tree(lab)) as guest:
        text = guest.wait_for("END")
    assert value(text, "size") == "64", text
    assert "sluice-agent: mount /data: " in text and "(it is optional)" in text, text


@test(limit=60, each={
    "writable": (False, "ubd0"), "read-only": (True, "ubd0"), "on-a-read-only-drive": (True, "ubd0r")})
def agent_mounts_an_ext4_root(lab, case):
    """A read-only root has got its mount points before; on a read-only drive none can be made."""
    readonly, drive = case
    image = os.path.join(lab.workdir, "root.ext4")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", busybox_tree(lab), image, "32M"], check=True)
    machine = spec({"kind": "ext4", "source": "/dev/ubda", "readonly": readonly},
                   [{"kind": "tmpfs", "destination": "/new/place", "optional": True}],
                   hostname="web-0")
    script = ("touch /written 2>/dev/null && echo root=rw || echo root=ro; "
              "touch /new/place/x 2>/dev/null && echo volume=rw || echo volume=none; "
              "echo file=$(cat /etc/hostname)")
    with UmlAgent(lab, machine, shell(script), ["PATH=/bin"],
                  arguments=[f"{drive}={image}"]) as guest:
        text = guest.wait_for("END")
        guest.ctrl_alt_del()
        assert guest.wait_for_end() == 0
    assert value(text, "root") == ("ro" if readonly else "rw"), text
    if drive == "ubd0":
        assert (value(text, "volume"), value(text, "file")) == ("rw", "web-0"), text
    else:
        assert value(text, "volume") == "none", text
        assert "sluice-agent: /etc/hostname stays the root's own: " in text, text
    fsck = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True, check=False)
    assert fsck.returncode == 0 and "recovering journal" not in fsck.stdout, fsck.stdout


@test(limit=60)
def agent_mounts_root_and_volumes_by_virtiofs(lab):
    """Symlinks at the mount points lead where they lead in a container: never out of the root."""
    tree = busybox_tree(lab)
    os.symlink("/etc", os.path.join(tree, "evil"))
    os.symlink("../../../run", os.path.join(tree, "worse"))
    volumes = []
    for name in ("one", "two", "three"):
        volumes.append(os.path.join(lab.workdir, name))
        os.makedirs(volumes[-1])
        with open(os.path.join(volumes[-1], "who"), "w", encoding="ascii") as file:
            file.write(name)
        os.chown(os.path.join(volumes[-1], "who"), 1234, 4321)
    token = os.path.join(lab.workdir, "token")
    with open(token, "w", encoding="ascii") as file:
        file.write("secret")
    with ShareServer(lab, tree, *volumes, token) as share:
        root = share.ready()
        machine = spec({"kind": "virtiofs", "source": f"{TAG}:{root}"}, [
            {"kind": "virtiofs", "source": f"{TAG}:/vol/0", "destination": "/evil/conf"},
            {"kind": "virtiofs", "source": f"{TAG}:/vol/1", "destination": "/worse/a/b"},
            {"kind": "virtiofs", "source": f"{TAG}:/vol/2", "destination": "/new/three",
             "readonly": True},
            {"kind": "virtiofs", "source": f"{TAG}:/vol/3", "destination": "/run/token"}])
        script = ("echo one=$(cat /etc/conf/who); echo two=$(cat /run/a/b/who); "
                  "echo three=$(cat /new/three/who); echo token=$(cat /run/token); "
                  "echo owner=$(stat -c %u:%g /etc/conf/who); "
                  "touch /new/three/x 2>/dev/null || echo ro=yes; echo more >/etc/conf/written; "
                  "sync")
        with UmlAgent(lab, machine, shell(script), ["PATH=/bin"],
                      arguments=[f"virtio_uml.device={share.socket}:26"]) as guest:
            guest.wait_for("END")
            guest.ctrl_alt_del()
            assert guest.wait_for_end() == 0
            text = guest.text()
    assert "does not answer" not in text, text[-2000:]
    assert [value(text, name) for name in ("one", "two", "three")] == ["one", "two", "three"], text
    assert value(text, "token") == "secret", text
    assert value(text, "owner") == "1234:4321", text
    assert value(text, "ro") == "yes", text
    with open(os.path.join(volumes[0], "written"), encoding="ascii") as file:
        assert file.read() == "more\n"


def vsock_device(kind, vsock):
    if kind is UmlAgent:
        return [f"virtio_uml.device={vsock.socket}:19"]
    # vectors=0 as for network devices: see guest.py.
    return ["-chardev", f"socket,id=vsock0,path={vsock.socket}",
            "-device", "vhost-user-vsock-pci,chardev=vsock0,vectors=0"]


@test(limit=90, each=KINDS)
def agent_turns_off_after_its_workload(lab, kind):
    """Output, exit status; and then the machine ends by itself."""
    script = "echo out; echo err >&2; exit 37"
    with Vsock(lab) as vsock, kind(lab, spec(), ["/bin/sh", "-c", script], ["PATH=/bin"],
                                   busybox_tree(lab), arguments=vsock_device(kind, vsock)) as guest:
        with vsock.connect(guest.boot_timeout) as agent:
            assert agent.attach() == (37, b"out\n", b"err\n")
        assert guest.wait_for_end() == 0
        text = guest.text()
    assert "sluice-agent: the workload has ended: exit status 37" in text, text[-3000:]


@test(limit=60)
def agent_turns_off_when_asked(lab):
    """With a workload that takes no notice of anything."""
    script = "trap '' TERM INT HUP; while :; do sleep 1; done"
    with Vsock(lab) as vsock, UmlAgent(lab, spec(), ["/bin/sh", "-c", script], ["PATH=/bin"],
                                       busybox_tree(lab),
                                       arguments=vsock_device(UmlAgent, vsock)) as guest:
        with vsock.connect() as agent:
            assert agent.exec(["/bin/hostname"])[0] == 0
        with vsock.connect() as agent:
            agent.poweroff()
        assert guest.wait_for_end() == 0
        assert "sluice-agent: a client asks for power off" in guest.text()


@test(limit=90)
def agent_turns_off_by_the_power_button(lab):
    with QemuAgent(lab, spec(), ["/bin/sh", "-c", "exec sleep 1000"], ["PATH=/bin"],
                   busybox_tree(lab)) as guest:
        guest.wait_for("sluice-agent: the workload runs")
        guest.press_power_button()
        guest.wait_for("sluice-agent: the power button")
        assert guest.wait_for_end() == 0


@test(limit=90)
def agent_turns_off_without_its_file_server(lab):
    """Processes that wait for it, and what was not written yet, are given up. (A UML with such a
    process halts, but does not end: who runs it has to kill it.)"""
    volume = os.path.join(lab.workdir, "volume")
    os.makedirs(volume)
    tree = busybox_tree(lab)
    script = ("(while :; do echo x >>/data/file; done) & echo pid=$!; until [ -s /data/file ]; do "
              "usleep 1000; done")
    with ShareServer(lab, tree, volume) as share:
        share.ready()
        machine = spec(mounts=[{"kind": "virtiofs", "source": f"{TAG}:/vol/0",
                                "destination": "/data"}])
        with UmlAgent(lab, machine, shell(script), ["PATH=/bin"], tree,
                      arguments=[f"virtio_uml.device={share.socket}:26"]) as guest:
            guest.wait_for("END")
            for pid in share.children().values():
                os.kill(pid, signal.SIGSTOP)
            guest.ctrl_alt_del()
            text = guest.wait_for("reboot: System halted", 240)
    assert "sluice-agent: a file system does not answer" in text, text[-2000:]


@test(limit=60)
def agent_tells_clients_what_is_wrong(lab):
    """ATTACH gets the reason; an exec runs, to look around; STATUS says which mount it was."""
    machine = spec(mounts=[
        {"kind": "tmpfs", "destination": "/scratch"},
        {"kind": "virtiofs", "source": "gone:/x", "destination": "/data"}])
    with Vsock(lab) as vsock, UmlAgent(lab, machine, ["/bin/true"], (), busybox_tree(lab),
                                       arguments=vsock_device(UmlAgent, vsock)) as guest:
        with vsock.connect() as agent:
            status, out, err = agent.attach()
        assert status == 125 and out == b"", (status, out)
        assert err.startswith(b"mount /data: "), err
        with vsock.connect() as agent:
            assert agent.exec(["/bin/cat"], b"look") == (0, b"look", b""), guest.text()[-2000:]
        with vsock.connect() as agent:
            answer = agent.status()
        scratch, data = answer["volumes"]
        assert "error" not in scratch and scratch["destination"] == "/scratch", answer
        assert "gone" in data["error"], answer
        times = list(answer["bootMs"].values())
        assert times == sorted(times) and 0 < times[0] <= times[-1] < 300000, answer


def listens(path):
    """Whether somebody takes connections: between bind(2) and listen(2) there is a moment."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


@test(limit=30)
def agent_as_a_service(lab):
    """On this machine, in this root: execs, and no workload; it ends by SIGTERM."""
    program = os.path.join(lab.build, "guest-agent", "sluice-agent")
    with subprocess.Popen([program, "--service", "--socket-dir", lab.workdir],
                          stdin=subprocess.DEVNULL, preexec_fn=die_with_parent) as process:
        path = os.path.join(lab.workdir, "agent")
        wait_until(lambda: listens(path), "the agent to listen")
        with AgentClient(path, time.monotonic() + 60, port=None) as agent:
            assert agent.exec(["/bin/cat"], b"look") == (0, b"look", b"")
        with AgentClient(path, time.monotonic() + 60, port=None) as agent:
            status, _out, err = agent.attach()
        assert status == 126 and b"is a service" in err, (status, err)
        process.terminate()
        assert process.wait(60) == 0
