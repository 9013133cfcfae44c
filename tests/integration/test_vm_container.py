# SPDX-License-Identifier: BSD-3-Clause
"""`sluice-vm run --container`: process 1 of a container whose root is ours and read-only, with the
capabilities that an engine gives."""

import os
import signal
import subprocess
import time

from cni import Calico
from lab import wait_until
from machine_root import CAPS, Container, volume
from suite import test
from terminal import Terminal

SUITE = "vm"

SLEEPER = "echo ready; while :; do sleep 0.1; done"


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def disk(lab, name):
    """A file system of its own."""
    path = lab.path(name)
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", name, path], check=True)
    return path


def assert_line(done, *words):
    """It did not start, and said why in one line."""
    done.check(125)
    lines = done.err.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("sluice-vm run: "), lines
    for word in words:
        assert word in lines[0], lines
    assert done.out == b"", done.out


@test(limit=60)
def container_is_told(lab):
    """Command, environment, user, limits, names: the file's, and nothing of ours."""
    box = Container(
        Calico(lab), env=["PATH=/bin", "WORD=two words", "LINES=a\nb"],
        process={"cwd": "/var", "user": "33:4", "additionalGids": [29], "umask": 0o27,
                 "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}],
                 "capabilities": [], "noNewPrivileges": True},
        sysctl={"net.ipv4.conf.eth0.accept_local": "1", "kernel.shmmni": "77"})
    done = box.run("cat /proc/sys/net/ipv4/conf/eth0/accept_local /proc/sys/kernel/shmmni >&2; hostname; pwd; id -u; id -G; umask; ulimit -n; env | sort; "
                   "grep CapEff /proc/self/status; cat /etc/hosts; echo err >&2; exit 7").check(7)
    lines = done.out.decode().split("\n")
    assert lines[:6] == ["web-0", "/var", "33", "4 29", "0027", "100"], lines
    env = [line for line in lines if line.startswith(("PATH=", "WORD=", "LINES=", "TERM="))]
    assert env == ["LINES=a", "PATH=/bin", "WORD=two words"], lines
    assert any(line.split() == ["CapEff:", "0" * 16] for line in lines), lines
    assert "10.9.9.9\tfrom-the-pod" in lines or "10.9.9.9 from-the-pod" in lines, lines
    assert done.err == b"1\n77\nerr\n", done.err
    box.assert_gone()


@test(limit=60)
def container_volumes(lab):
    """Directories and files, at destinations through the image's links; what is read-only stays so
    for a guest whose root remounts it."""
    data, ro = lab.path("data"), lab.path("ro")
    write(data + "/file", "data\n")
    write(ro + "/file", "ro\n")
    secret = write(lab.path("secret"), "token\n", 0o400)
    box = Container(Calico(lab), volumes=[
        volume("virtiofs", "/data", data),
        volume("tmpfs", "/scratch", options="nosuid,size=1m,mode=1777"),
        volume("virtiofs", "/ro", ro, readonly=True),
        volume("virtiofs", "/not/there", optional=True),
        volume("virtiofs", "/var/run/secrets/token", secret, readonly=True),
        volume("virtiofs", "/etc/config/key", write(lab.path("key"), "key\n"))])
    os.symlink("/run", os.path.join(box.rootfs, "var", "run"))
    done = box.run(
        "cat /data/file /ro/file /run/secrets/token /etc/config/key; echo more >>/data/file; "
        "echo new >>/etc/config/key; mount -o remount,rw /ro; echo x 2>/dev/null >/ro/x || echo no; "
        "mount | grep -o 'tmpfs on /scratch.*nosuid'; echo tmp >/new; [ ! -e /not ]").check()
    out = done.out.decode()
    assert out.startswith("data\nro\ntoken\nkey\n"), out
    assert "\nno\ntmpfs on /scratch type tmpfs (rw,nosuid" in out, out
    assert open(data + "/file", encoding="ascii").read() == "data\nmore\n"
    assert open(lab.path("key"), encoding="ascii").read() == "key\nnew\n"
    assert os.listdir(ro) == ["file"], os.listdir(ro)
    assert os.path.exists(os.path.join(box.rootfs, "new"))
    assert "msg=volume-left-out source=/sluice/share/vol/2 destination=/not/there" in box.log()


@test(limit=60)
def container_nfs_volumes(lab):
    """Between others, which keep their places in the share. It takes one capability more."""
    first, last = write(lab.path("first/f"), "first\n"), write(lab.path("last/f"), "last\n")
    own = disk(lab, "own")
    write(own + "/f", "own\n")
    volumes = [volume("virtiofs", "/first", os.path.dirname(first)), volume("nfs", "/own", own),
               volume("virtiofs", "/last", os.path.dirname(last))]
    box = Container(Calico(lab), volumes=volumes, caps=CAPS + ",dac_read_search")
    done = box.run("cat /first/f /own/f /last/f; mount | grep -c ' /own type nfs4'; "
                   "echo more >>/own/f").check()
    assert done.out == b"first\nown\nlast\n1\n", done.out
    assert open(own + "/f", encoding="ascii").read() == "own\nmore\n"
    box = Container(box.net, volumes=volumes, name="without")
    assert_line(box.run("true"), "volume /own: ", "CAP_DAC_READ_SEARCH")


@test(limit=60, each={"ext4": "ext4", "initramfs": "initramfs", "nfs": "nfs"})
def container_roots(lab, root):
    """Other ways to the same root; with a volume beside it."""
    data = os.path.dirname(write(lab.path("data/file"), "data\n"))
    box = Container(Calico(lab), volumes=[volume("virtiofs", "/data", data)],
                    settings={"root": root}, caps=CAPS + ",dac_read_search")
    if root == "nfs":
        own = disk(lab, "own")
        subprocess.run(["cp", "-a", box.rootfs + "/.", own], check=True)
        box.rootfs = own
    os.chown(os.path.join(box.rootfs, "var"), 33, 4)
    done = box.run("stat -c '%u %g' /var; cat /data/file; echo hi >/tmp/new; "
                   "mount | grep ' on / ' | cut -d' ' -f5").check()
    kind = {"ext4": b"ext4", "initramfs": b"rootfs", "nfs": b"nfs4"}[root]
    assert done.out.startswith(b"33 4\ndata\n"), done.out
    assert kind in done.out or root == "initramfs", done.out
    assert os.path.exists(os.path.join(box.rootfs, "tmp", "new")) == (root == "nfs")


@test(limit=60)
def container_readonly_root(lab):
    """What the guest's root cannot undo."""
    box = Container(Calico(lab), readonly=True)
    done = box.run("mount -o remount,rw /; echo x 2>/dev/null >/new || echo no").check()
    assert done.out == b"no\n", done.out
    assert not os.path.exists(os.path.join(box.rootfs, "new"))


@test(limit=60)
def container_process_one(lab):
    """It waits for what is left to it, handles signals, and its end is the workload's; an exec that
    an engine starts beside it finds the VM."""
    box = Container(Calico(lab))
    odd = [signal.SIGRTMIN + 3, signal.SIGPWR, signal.SIGABRT, signal.SIGTSTP]
    traps = "".join(f"trap 'echo got {number:d}' {number:d}; " for number in odd)
    job = box.start(f"trap 'echo term; exit 5' TERM; {traps}" + SLEEPER).wait_for("ready\n")
    pid = box.pid(job)
    assert box.inside(job, f"{box.exec_program} -- hostname") == "web-0\n"
    for number in odd:
        os.kill(pid, number)
        job.wait_for(f"got {number:d}\n")
    box.inside(job, "for i in 1 2 3 4 5 6 7 8; do (sleep 0.2 &) ; done; setsid sh -c 'sleep 0.1 &'")

    def children():
        found = box.inside(job, "cat /proc/[0-9]*/stat 2>/dev/null || true").splitlines()
        # The name is in brackets, and may be of several words.
        fields = [line.rsplit(")", 1)[1].split() for line in found]
        return [state for state, parent, *_ in fields if parent == "1"]
    wait_until(lambda: "Z" not in children(), "the orphans to be gone")
    n_children = len(children())
    wait_until(lambda: len(children()) <= n_children, "no more children")
    os.kill(pid, signal.SIGTERM)
    done = job.wait().check(5)
    assert done.out.endswith(b"\nterm\n"), done.out
    box.assert_gone()


@test(limit=60)
def container_stops_at_once(lab):
    """Process 1 has no signals but those it has handlers for: one that comes before waits."""
    box = Container(Calico(lab))
    fifo = os.path.join(box.mounted_run, "container.json")
    os.mkfifo(fifo)
    box.words_of_run = ["--container", "/run/container.json"]
    job = box.start("echo ran; sleep 60")

    def open_fifo():
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None
    fd = wait_until(open_fifo, "the file to be read")
    os.kill(box.pid(job), signal.SIGTERM)
    with open(lab.path("box.json"), "rb") as file:
        os.write(fd, file.read())
    os.close(fd)
    assert job.wait().check(128 + signal.SIGTERM).out == b""


@test(limit=60)
def container_terminal(lab):
    """One that the engine gives, with its size; and the guest's is raw here."""
    box = Container(Calico(lab), process={"terminal": True})
    with Terminal(box.argv("stty size; tty; read line; echo \"[$line]\"; exit 3"), 33, 99) as term:
        term.wait_for("33 99\r\n/dev/").type("hello\r").wait_for("[hello]")
        assert term.wait() == 3, term.tail()


@test(limit=60)
def container_one_to_a_pod(lab):
    """A second VM is told so, whatever its container; after the first, however it ended, the next
    may come."""
    net = Calico(lab)
    box = Container(net)
    job = box.start(SLEEPER).wait_for("ready\n")
    second = Container(net, name="second")
    assert_line(second.run("true"), "there is a VM in this pod already",
                "name one container in sluice.dev/vm")
    assert os.listdir(second.mounted_run) == [], os.listdir(second.mounted_run)
    box.kill(job)
    assert second.run("echo next").check().out == b"next\n"
    second.assert_gone()


@test(limit=60)
def container_restarts_in_its_pod(lab):
    """Killed with everything there is, it begins anew: a host port, an NFS server, its own files."""
    net = Calico(lab)
    own = disk(lab, "own")
    for index in range(2):
        box = Container(net, name=f"box{index}", volumes=[volume("nfs", "/own", own)],
                        caps=CAPS + ",dac_read_search")
        job = box.start("echo x >>/own/f; wc -l </own/f; " + SLEEPER).wait_for("ready\n")
        assert job.seen.decode().split()[0] == str(index + 1), job.seen
        box.kill(job)
    wait_until(lambda: net.pod.run("nft list ruleset") == "", "the guard to be gone")


@test(limit=60)
def container_refusals(lab):
    """One line each, and nothing is made."""
    net = Calico(lab)
    data = os.path.dirname(write(lab.path("data/file"), "data\n"))

    def box(name, **more):
        return Container(net, name=name, **more)
    writable = [volume("virtiofs", "/data", data, readonly=True, mounted="rw")]
    assert_line(box("a", volumes=writable).run("true"), "volume /data: ",
                "to be read-only, but is not mounted so")
    assert_line(box("b", volumes=[volume("virtiofs", "/x")]).run("true"), "volume /x: ", "No such file")
    assert_line(box("c").run("true", "--user=33"), "--user: not with --container")
    assert_line(box("d").run("true", "--", "sh"), "a command: not with --container")
    assert_line(box("e", settings={"memoy": "1"}).run("true"), 
                "container's settings: memoy: unknown key (did you mean \"memory\"?)")
    broken = box("f")
    broken.words_of_run = ["--container", "/no/such.json"]
    assert_line(broken.run("true"), "/no/such.json: No such file")
    assert_line(box("g", env=["NAME"]).run("true"), "env[0]: must be NAME=VALUE")


@test(limit=120)
def container_qemu(lab):
    """With its own machine, under the same root."""
    data = os.path.dirname(write(lab.path("data/file"), "data\n"))
    box = Container(Calico(lab), vmm="qemu", volumes=[volume("virtiofs", "/data", data, readonly=True)])
    begun = time.monotonic()
    done = box.run("cat /data/file; hostname; exit 4").check(4)
    assert done.out == b"data\nweb-0\n", done.out
    print(f"    QEMU (TCG) in a container: {time.monotonic() - begun:.1f} s")
