# SPDX-License-Identifier: BSD-3-Clause
"""Root file systems and volumes through virtio-fs: UML behind the relay, and QEMU without it."""

import os
import resource
import signal
import subprocess
import time

from guest import Uml
from lab import LabError, wait_until
from share_server import CONTAINER_CAPS, ShareServer, mount
from suite import test

SUITE = "vm"

N_FILES = 15000
BIG = 256 << 20


def make_root(lab):
    """A root as an image has it: owners, modes, links."""
    root = os.path.join(lab.workdir, "root")
    os.makedirs(os.path.join(root, "etc"))
    with open(os.path.join(root, "etc", "secret"), "w", encoding="ascii") as file:
        file.write("for 1234 alone\n")
    os.chown(os.path.join(root, "etc", "secret"), 1234, 2345)
    os.chmod(os.path.join(root, "etc", "secret"), 0o640)
    os.symlink("etc/secret", os.path.join(root, "link"))
    os.symlink("/nowhere", os.path.join(root, "dangling"))
    os.makedirs(os.path.join(root, "setgid"))
    os.chown(os.path.join(root, "setgid"), 0, 2345)
    os.chmod(os.path.join(root, "setgid"), 0o2775)
    return root


def make_volume(lab, name, text):
    path = os.path.join(lab.workdir, name)
    os.makedirs(path)
    with open(os.path.join(path, "file"), "w", encoding="ascii") as file:
        file.write(text)
    return path


def expect(value, wanted, what):
    if value != wanted:
        raise AssertionError(f"{what}: {value!r} is not {wanted!r}")


def check_root(guest, root, at):
    """What the guest sees is what is there, and what it writes is as it wrote it."""
    stat = "stat -c '%u %g %a %F'"
    expect(guest.run(f"{stat} {at}/etc/secret"), "1234 2345 640 regular file\n", "owner and mode")
    expect(guest.run(f"cat {at}/link"), "for 1234 alone\n", "through a symbolic link")
    expect(guest.run(f"readlink {at}/dangling"), "/nowhere\n", "dangling link")
    guest.run(f"cd {at}/setgid && echo new >f && chown 77:88 f && chmod 4711 f && ln -s f l && ln f h")
    made = os.lstat(os.path.join(root, "setgid", "f"))
    expect((made.st_uid, made.st_gid, made.st_mode & 0o7777, made.st_nlink), (77, 88, 0o4711, 2),
           "made in the guest")
    expect(os.readlink(os.path.join(root, "setgid", "l")), "f", "link made in the guest")
    guest.run(f"mkdir {at}/setgid/d")
    expect(os.lstat(os.path.join(root, "setgid", "d")).st_gid, 2345, "group of a set-group-ID directory")


def check_data(guest, root, at):
    """Bytes in both directions."""
    guest.run(f"dd if=/dev/urandom of={at}/data bs=1M count=8")
    there = guest.run(f"sha256sum <{at}/data")
    here = subprocess.run("sha256sum", stdin=open(os.path.join(root, "data"), "rb"),
                          capture_output=True, text=True, check=True).stdout
    expect(here, there, "written by the guest")
    with open(os.path.join(root, "data"), "r+b") as file:
        file.write(b"changed here")
    expect(wait_until(lambda: "changed" in guest.run(f"head -c 12 {at}/data"), "the change"), True,
           "changed behind the guest's back")


def check_volumes(guest, at, writable):
    expect(guest.run(f"cat {at}/vol/0/file {at}/vol/1/file {at}/vol/2"), "rw\nro\nalone\n", "volumes")
    guest.run(f"echo more >>{at}/vol/0/file")
    expect(open(os.path.join(writable, "file"), encoding="ascii").read(), "rw\nmore\n", "written")
    for what in ("vol/1/file", "vol/2", "new", "vol/new"):
        status, output = guest.try_run(f"echo x >>{at}/{what}")
        if status == 0 or "Read-only file system" not in output:
            raise AssertionError(f"writing {what}: exit status {status}, {output}")


def check_guest(guest, root, writable, at="/mnt"):
    mount(guest, at)
    check_root(guest, root, at + "/rootfs")
    check_data(guest, root, at + "/rootfs")
    check_volumes(guest, at, writable)


def volumes(lab):
    """A writable one, a read-only one, and a single file that is read-only."""
    alone = os.path.join(lab.workdir, "alone")
    with open(alone, "w", encoding="ascii") as file:
        file.write("alone\n")
    return make_volume(lab, "rw", "rw\n"), make_volume(lab, "ro", "ro\n"), alone


def serve(lab, relay):
    root = make_root(lab)
    writable, readonly, alone = volumes(lab)
    server = ShareServer(lab, root, writable, readonly + ":ro", alone + ":ro", relay=relay)
    expect(server.ready(), "/rootfs", "the root's place")
    return server, root, writable


def assert_nothing_mounted(server):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        seen = [line for line in file if server.run_dir in line]
    expect(seen, [], "mounts in our own namespace")
    expect(os.listdir(server.run_dir), [], "what is left in the run directory")


@test(limit=60)
def uml_shares_root_and_volumes(lab):
    """All of it through the relay; mounts are nobody else's, and end with the guest."""
    server, root, writable = serve(lab, relay=True)
    with server:
        assert_nothing_mounted(server)
        with server.uml(lab) as guest:
            check_guest(guest, root, writable)
            # A root that is pivoted to or bound is the same tree.
            guest.run("mkdir /new && mount --bind /mnt/rootfs /new && test -e /new/etc/secret")
        expect(server.line()[0], "ended", "when the guest has gone")
    assert_nothing_mounted(server)
    expect(os.path.exists(server.socket), False, "the socket is left")


@test(limit=120)
def qemu_shares_root_and_volumes(lab):
    server, root, writable = serve(lab, relay=False)
    with server, server.qemu(lab) as guest:
        check_guest(guest, root, writable)


@test(limit=60)
def submounts_are_told_apart(lab):
    """Two file systems with the same inode numbers in them are two to the guest as well."""
    root = make_root(lab)
    mounted = []
    for name in ("one", "two"):
        path = os.path.join(lab.workdir, name)
        os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", name, path], check=True)
        mounted.append(path)
        with open(os.path.join(path, "file"), "w", encoding="ascii") as file:
            file.write(name)
    expect(len({os.stat(path).st_ino for path in mounted}), 1, "inodes of two tmpfs roots")
    with ShareServer(lab, root + ":ro", *mounted) as server:
        server.ready()
        with server.uml(lab) as guest:
            mount(guest)
            # What is in them: looking at a mount point alone does not make the guest mount it.
            devices = guest.run("stat -c %d /mnt/rootfs/etc /mnt/vol/0/file /mnt/vol/1/file").split()
            expect(len(set(devices)), 3, f"devices {devices}")
            expect(guest.run("cat /mnt/vol/0/file /mnt/vol/1/file"), "onetwo", "their files")
            expect(guest.try_run("touch /mnt/rootfs/new")[0] != 0, True, "a read-only root")
            expect(os.path.exists(os.path.join(root, "new")), False, "written all the same")
    for path in mounted:
        subprocess.run(["umount", path], check=True)


@test(limit=90)
def lists_a_large_directory(lab):
    """virtiofsd leaves entries out when it has no more descriptors: it gets all there are."""
    root = make_root(lab)
    many = os.path.join(root, "many")
    os.makedirs(many)
    for i in range(N_FILES):
        os.close(os.open(f"{many}/file-{i:05d}", os.O_CREAT | os.O_WRONLY, 0o644))
    with ShareServer(lab, root) as server:
        server.ready()
        with server.uml(lab) as guest:
            mount(guest)
            for command in ("ls", "ls -l", "find . -type f"):
                n = guest.run(f"cd /mnt/rootfs/many && {command} | grep -c file-", 240)
                expect(int(n), N_FILES, command)
        few = resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 65536
        expect("virtiofsd may open few files" in server.errors(), few, "the warning of few files")


@test(limit=60)
def works_without_sys_admin(lab):
    """In a container: the root itself is exported, and what cannot be done is refused in words."""
    root = make_root(lab)
    with ShareServer(lab, root, caps=CONTAINER_CAPS) as server:
        expect(server.ready(), "/", "the root's place")
        with server.uml(lab) as guest:
            mount(guest)
            check_root(guest, root, "/mnt")
            check_data(guest, root, "/mnt")
    volume = make_volume(lab, "volume", "x")
    for index, words in enumerate(((root, volume), (root + ":ro",))):
        with ShareServer(lab, *words, caps=CONTAINER_CAPS, name=f"refused{index}") as server:
            what, why = server.line()
            expect(what, "failed", "a share that cannot be made")
            if "CAP_SYS_ADMIN" not in why:
                raise AssertionError(why)


@test(limit=60)
def exports_a_ready_directory(lab):
    """As an OCI runtime makes it: the names are there, with whatever is mounted on them."""
    share = os.path.join(lab.workdir, "share")
    os.makedirs(os.path.join(share, "vol", "0"))
    os.rename(make_root(lab), os.path.join(share, "rootfs"))
    subprocess.run(["mount", "-t", "tmpfs", "volume", os.path.join(share, "vol", "0")], check=True)
    with ShareServer(lab, "ready:" + share, caps=CONTAINER_CAPS) as server:
        expect(server.ready(), "/rootfs", "the root's place")
        with server.uml(lab) as guest:
            mount(guest)
            check_root(guest, os.path.join(share, "rootfs"), "/mnt/rootfs")
            guest.run("echo x >/mnt/vol/0/f")
    expect(os.listdir(os.path.join(share, "vol", "0")), ["f"], "written to the volume")
    subprocess.run(["umount", os.path.join(share, "vol", "0")], check=True)


@test(limit=60, each={"virtiofsd": "virtiofsd", "relay": "sluice-fs-relay"})
def says_who_ended(lab, name):
    with ShareServer(lab, make_root(lab)) as server:
        server.ready()
        os.kill(server.children()[name], signal.SIGKILL)
        expect(server.line(), ("ended", f"{name}: killed by SIGKILL"), "what it says")


@test(limit=60)
def nothing_outlives_a_killed_server(lab):
    """Neither processes nor mounts, though nobody was left to clean up."""
    server = ShareServer(lab, make_root(lab), make_volume(lab, "volume", "kept"))
    server.ready()
    pids = server.children().values()
    expect(len(pids), 2, "children")
    server.process.kill()
    server.stop()
    wait_until(lambda: not any(alive(pid) for pid in pids), "the end of its children")
    assert_nothing_mounted(server)
    expect(os.path.exists(os.path.join(lab.workdir, "volume", "file")), True, "the volume's file")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@test(limit=90)
def missing_things_are_named(lab):
    root = make_root(lab)
    cases = {"/no/root": [root, "/no/root"], "/dev/null": [root, "/dev/null"]}
    for index, (name, words) in enumerate(cases.items()):
        with ShareServer(lab, *words, name=f"bad{index}") as server:
            what, why = server.line()
            if what != "failed" or name not in why:
                raise AssertionError(f"{what} {why}")


@test(limit=120)
def reads_and_writes_fast_enough(lab):
    """Not a bench, but something must have gone wrong below this, such as one interrupt lost a
    request; the figures are printed."""
    root = make_root(lab)
    with ShareServer(lab, root) as server:
        server.ready()
        with server.uml(lab) as guest:
            mount(guest)
            blocks = BIG >> 20
            seconds = []
            for words in (f"if=/dev/zero of=/mnt/rootfs/big bs=1M count={blocks} conv=fsync",
                          "if=/mnt/rootfs/big of=/dev/null bs=1M"):
                guest.run("echo 3 >/proc/sys/vm/drop_caches")
                started = time.monotonic()
                guest.run(f"dd {words}", 240)
                seconds.append(time.monotonic() - started)
    written, read = (round(BIG / 1e6 / s) for s in seconds)
    print(f"    virtio-fs behind the relay (UML): {written} MB/s written, {read} MB/s read")
    if min(written, read) < 3:
        raise LabError(f"{written} MB/s written, {read} MB/s read")


@test(limit=60)
def boots_with_an_image(lab):
    """A root as an ext4 image, a private copy of the cached one: the guest's kernel takes it."""
    root = make_root(lab)
    os.setxattr(os.path.join(root, "etc", "secret"), "user.word", b"kept")
    tool, cache = os.path.join(lab.tools, "ext4_image"), os.path.join(lab.workdir, "cache")
    copy = os.path.join(lab.workdir, "vm.img")
    made = subprocess.run([tool, root, cache, "32", copy], capture_output=True, text=True, check=False)
    expect(made.returncode, 0, made.stdout)
    image = made.stdout.strip()
    before = subprocess.run(["sha256sum", image], capture_output=True, check=True).stdout
    with Uml(lab.workdir, arguments=[f"ubd0={copy}", f"ubd1r={image}"]) as guest:
        guest.run("mkdir /rw /ro && mount -t ext4 /dev/ubda /rw && mount -t ext4 -o ro /dev/ubdb /ro")
        for at in ("/rw", "/ro"):
            expect(guest.run(f"stat -c '%u %g %a' {at}/etc/secret"), "1234 2345 640\n", "owner and mode")
            expect(guest.run(f"cat {at}/link"), "for 1234 alone\n", "through a symbolic link")
        guest.run("dd if=/dev/zero of=/rw/filled bs=1M count=30 && rm /rw/etc/secret && umount /rw /ro")
        guest.poweroff()
    after = subprocess.run(["sha256sum", image], capture_output=True, check=True).stdout
    expect(after, before, "the cached image")
    subprocess.run(["e2fsck", "-f", "-n", copy], capture_output=True, check=True)
