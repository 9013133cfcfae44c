# SPDX-License-Identifier: BSD-3-Clause
"""Volumes over NFS: nfs-ganesha as sluice-vm starts it, and the NFS client of a guest's kernel."""

import contextlib
import ctypes
import os
import shutil
import signal
import struct
import subprocess
import time

from cni import Calico
from guest import LIBC, Uml, die_with_parent, tap
from lab import LabError, wait_until
from share_server import CONTAINER_CAPS, capabilities, next_line, stop
from suite import test
from test_storage import alive, expect
from test_vm_faults import assert_says, find_child, refused, status
from vm import Vm, make_rootfs

SUITE = "vm"

SERVER, GUEST, PORT = "10.1.0.1", "10.1.0.2", 20490
N_FILES = 10000


class NfsServer:
    """Runs nfs_server in namespace "pod"; "PATH:ro" and "shared:PATH" as it takes them."""

    def __init__(self, lab, *exports, caps=None, address=SERVER, client=GUEST):
        self.run_dir = lab.path("nfs")
        self.log = lab.path("nfs.log")
        os.makedirs(self.run_dir, mode=0o700, exist_ok=True)
        argv = ["ip", "netns", "exec", "pod", *capabilities(caps),
                os.path.join(lab.tools, "nfs_server"), self.run_dir, address, str(PORT), client,
                *exports]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process, self.errors)

    def line(self):
        return next_line(self.process, self.errors)

    def ready(self):
        what, why = self.line()
        if what != "ready":
            raise LabError(f"nfs_server: {what} {why}\n{self.errors()}")

    def errors(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def ganesha(self):
        """Its process; None between two of them."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            pids = file.read().split()
        return int(pids[0]) if pids else None


def volume(lab, name):
    """A file system of its own, as a persistent volume is."""
    path = lab.path(name)
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", name, path], check=True)
    return path


def wire(lab):
    pod = lab.namespace("pod")
    pod.run(f"ip tuntap add dev tap0 mode tap vnet_hdr; ip addr add {SERVER}/24 dev tap0; "
            "ip link set tap0 up")


def boot(lab, cpu=None):
    guest = Uml(lab.workdir, [tap("tap0")], netns="pod", cpu=cpu)
    lab.guests.append(guest)
    guest.run(f"ip link set vec0 up; ip addr add {GUEST}/24 dev vec0; modprobe nfsv4")
    return guest


def options(**more):
    words = {"vers": "4.2", "proto": "tcp", "port": PORT, "addr": SERVER, "clientaddr": GUEST, **more}
    return ",".join(f"{key}={value}" for key, value in words.items())


def mount_command(index=0, at="/mnt", **more):
    return f"mkdir -p {at} && mount -i -t nfs -o {options(**more)} {SERVER}:/vol/{index} {at}"


def mount(guest, index=0, at="/mnt"):
    guest.run(mount_command(index, at))


@test(limit=60)
def nfs_serves_volumes(lab):
    """Owners, links, rename, fsync, a lock; read-only is; what changes here is seen there."""
    wire(lab)
    data, readonly = volume(lab, "data with spaces"), volume(lab, "readonly")
    with open(os.path.join(readonly, "f"), "w", encoding="ascii") as file:
        file.write("as it was\n")
    os.chown(os.path.join(readonly, "f"), 1234, 2345)
    with NfsServer(lab, data, readonly + ":ro") as server:
        server.ready()
        with boot(lab) as guest:
            mount(guest)
            mount(guest, 1, "/ro")
            guest.run("cd /mnt && echo one >a && chown 77:88 a && chmod 4711 a && ln -s a l && ln a h &&"
                      "mv a b && mkdir d && sync && flock b -c true")
            made = os.stat(os.path.join(data, "b"))
            expect((made.st_uid, made.st_gid, made.st_mode & 0o7777, made.st_nlink),
                   (77, 88, 0o4711, 2), "made in the guest")
            expect(os.readlink(os.path.join(data, "l")), "a", "link made in the guest")
            expect(guest.run("stat -c '%u %g' /ro/f; cat /ro/f"), "1234 2345\nas it was\n", "read-only")
            expect(guest.try_run("echo x >>/ro/f")[0] != 0, True, "writing is refused")
            expect(open(os.path.join(readonly, "f"), encoding="ascii").read(), "as it was\n", "untouched")
            swap_token(readonly, "first")
            expect(guest.run("cat /ro/token"), "first", "a token")
            swap_token(readonly, "second")
            wait_until(lambda: guest.run("cat /ro/token") == "second", "the new token", 120)
    for path in (data, readonly):
        subprocess.run(["umount", path], check=True)


def swap_token(path, text):
    """As the kubelet does: a new directory behind a symbolic link that is replaced."""
    name = f"..{text}"
    os.makedirs(os.path.join(path, name))
    with open(os.path.join(path, name, "token"), "w", encoding="ascii") as file:
        file.write(text)
    os.symlink(name, os.path.join(path, "..new"))
    os.rename(os.path.join(path, "..new"), os.path.join(path, "..data"))
    if not os.path.lexists(os.path.join(path, "token")):
        os.symlink("..data/token", os.path.join(path, "token"))


@test(limit=120)
def nfs_lists_many_files(lab):
    wire(lab)
    data = volume(lab, "data")
    for i in range(N_FILES):
        os.close(os.open(f"{data}/file-{i:05d}", os.O_CREAT | os.O_WRONLY, 0o644))
    with NfsServer(lab, data) as server:
        server.ready()
        with boot(lab) as guest:
            mount(guest)
            expect(int(guest.run("ls -l /mnt | grep -c file-", 240)), N_FILES, "entries")
    subprocess.run(["umount", data], check=True)


@test(limit=120)
def nfs_server_that_is_killed_comes_back(lab):
    """Under writing: what the guest had on disk is there, its lock is still its own."""
    wire(lab)
    data = volume(lab, "data")
    with NfsServer(lab, data) as server:
        server.ready()
        with boot(lab) as guest:
            mount(guest)
            guest.run("echo locked >/mnt/lock")
            holder = guest.spawn("flock /mnt/lock -c 'echo held; exec sleep 10000'").wait_for("held", 120)
            writer = guest.spawn("for i in $(seq 400); do echo line $i >>/mnt/log && sync /mnt/log "
                                 "|| exit; echo $i; usleep 20000; done").wait_for("20", 120)
            first = server.ganesha()
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: server.ganesha() not in (None, first), "another server")
            writer.wait(300)
            with open(os.path.join(data, "log"), encoding="ascii") as file:
                expect(file.read(), "".join(f"line {i}\n" for i in range(1, 401)), "what was written")
            status, _ = guest.try_run("flock -n /mnt/lock true")
            expect(status != 0, True, "the lock is held")
            expect("lost" in guest.run("dmesg"), False, "locks were lost")
            holder.kill()
            guest.run("flock -n /mnt/lock true")
    subprocess.run(["umount", data], check=True)


@test(limit=60)
def nfs_refuses_what_is_not_safe(lab):
    """A directory of a file system gives away all of it; an overlay and a container cannot do it."""
    wire(lab)
    data = volume(lab, "data")
    below, bound, overlay = os.path.join(data, "below"), lab.path("bound"), lab.path("overlay")
    for path in (below, bound, overlay, *(os.path.join(data, d) for d in ("lower", "upper", "work"))):
        os.makedirs(path)
    subprocess.run(["mount", "--bind", below, bound], check=True)
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={data}/lower,upperdir={data}/upper,"
                    f"workdir={data}/work", "overlay", overlay], check=True)
    outer, quoted = volume(lab, "outer with a space"), volume(lab, 'quo"te')
    os.makedirs(os.path.join(outer, "part"))
    subprocess.run(["mount", "--bind", below, os.path.join(outer, "part")], check=True)
    for path, caps, words in ((below, None, "not the root of a file system"),
                              (bound, None, "not the root of a file system"),
                              (outer, None, "outer with a space/part, which is mounted in"),
                              (quoted, None, "configuration cannot hold"),
                              (overlay, None, "no file handles"),
                              (data, CONTAINER_CAPS, "CAP_DAC_READ_SEARCH"),
                              (data + "/none", None, "No such file")):
        with NfsServer(lab, path, caps=caps) as server:
            what, why = server.line()
            if what != "failed" or words not in why:
                raise AssertionError(f"{path}: {what} {why}")
    for path in (os.path.join(outer, "part"), outer, quoted, overlay, bound, data):
        subprocess.run(["umount", path], check=True)


def kernel_handle(path):
    """What name_to_handle_at(2) says of it, which is what the server's own handles are made of."""
    at_fdcwd, room = -100, 128
    buffer = ctypes.create_string_buffer(struct.pack("Ii", room, 0), 8 + room)
    if LIBC.name_to_handle_at(at_fdcwd, path.encode(), buffer, ctypes.byref(ctypes.c_int()), 0) < 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at", path)
    size, = struct.unpack_from("I", buffer)
    return buffer.raw[8:8 + size]


def attack(lab, *words):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nfs_wire.py")
    return lab.pod.run(" ".join(["python3", script, SERVER, str(PORT), *words]), 120).strip()


def forge(handle, real, wanted):
    """The server's handle of one file, made into that of another."""
    if real.hex() not in handle:
        raise AssertionError(f"{real.hex()} is not in {handle}")
    return handle.replace(real.hex(), wanted.hex())


@test(limit=60)
def nfs_forged_handles_lead_nowhere(lab):
    """With a directory of a file system a client has all of it, which the first half proves; what we
    export is a file system of its own, and no handle leads out of it."""
    wire(lab)
    others, data = volume(lab, "others"), volume(lab, "data")
    below, secret = os.path.join(others, "below"), os.path.join(others, "secret")
    os.makedirs(below)
    with open(secret, "w", encoding="ascii") as file:
        file.write("of somebody else")
    with NfsServer(lab, "shared:" + below, client=SERVER) as server:
        server.ready()
        root = attack(lab, "root", "0")
        forged = [forge(root, kernel_handle(below), kernel_handle(secret)),
                  forge(root, kernel_handle(below), kernel_handle(others))]
        expect(attack(lab, "read", forged[0]), "of somebody else", "a forged handle of a file")
        expect("secret" in attack(lab, "list", forged[1]), True, "a forged handle of a directory")
    # Part of a file system, mounted in what would be exported, is given away as well.
    part = os.path.join(data, "part")
    os.makedirs(part)
    subprocess.run(["mount", "--bind", below, part], check=True)
    with NfsServer(lab, "shared:" + data, client=SERVER) as server:
        server.ready()
        expect(attack(lab, "read", forge(attack(lab, "root", "0", "part"), kernel_handle(below),
                                         kernel_handle(secret))),
               "of somebody else", "a handle from a mount below")
    subprocess.run(["umount", part], check=True)
    with NfsServer(lab, data, client=SERVER) as server:
        server.ready()
        root = attack(lab, "root", "0")
        forged += [forge(root, kernel_handle(data), kernel_handle(path))
                   for path in (secret, others, "/etc")]
        for handle in forged:
            for said in (attack(lab, "read", handle), attack(lab, "list", handle)):
                if "somebody" in said or "secret" in said or "shadow" in said:
                    raise AssertionError(f"{handle}: {said}")
        # Well-formed questions all the same: this one has its answer.
        expect(attack(lab, "list", root).startswith("status"), False, "its own root")
    for path in (others, data):
        subprocess.run(["umount", path], check=True)


@test(limit=60)
def nfs_read_only_cannot_be_forged_away(lab):
    """The handle of a file in a read-only export, made into one of the export that can be written."""
    wire(lab)
    data, readonly = volume(lab, "data"), volume(lab, "readonly")
    for path in (data, readonly):
        with open(os.path.join(path, "file"), "w", encoding="ascii") as file:
            file.write("as it was")
    with NfsServer(lab, data, readonly + ":ro", client=SERVER) as server:
        server.ready()
        writable, fixed = attack(lab, "root", "0", "file"), attack(lab, "root", "1", "file")
        expect(attack(lab, "write", writable), "written", "writing where one may")
        expect(attack(lab, "write", fixed).startswith("status"), True, "writing where one may not")
        for n in range(2, min(len(writable), len(fixed)), 2):
            said = attack(lab, "write", writable[:n] + fixed[n:])
            with open(os.path.join(readonly, "file"), encoding="ascii") as file:
                expect(file.read(), "as it was", f"with {n // 2} bytes of the other handle ({said})")
    for path in (data, readonly):
        subprocess.run(["umount", path], check=True)


@test(limit=60)
def nfs_is_for_the_guest_alone(lab):
    """Another client is refused, and so is an older version of the protocol."""
    wire(lab)
    data = volume(lab, "data")
    with NfsServer(lab, data) as server, boot(lab) as guest:
        server.ready()
        mount(guest)
        guest.run("umount /mnt")
        expect(guest.try_run(mount_command(vers="4.1"))[0] != 0, True, "version 4.1 is refused")
    with NfsServer(lab, data, client="10.1.0.77") as server, boot(lab) as guest:
        server.ready()
        status, output = guest.try_run(mount_command() + " && ls /mnt")
        expect(status != 0, True, f"another client is refused: {output}")
    subprocess.run(["umount", data], check=True)


def vm_with_root(lab):
    """A VM whose root is a file system of its own, over NFS."""
    vm = Vm(Calico(lab), root="nfs")
    disk = volume(lab, "disk")
    vm.settings["rootfs"] = make_rootfs(os.path.join(disk, "."))
    os.chown(os.path.join(disk, "var"), 33, 4)
    return vm, disk


@test(limit=60)
def nfs_root(lab):
    """Chosen where neither virtiofs nor an image can be had; owners and bytes are the same at both
    ends; and refused if the guest would get more than its root."""
    vm, disk = vm_with_root(lab)
    data = volume(lab, "data")
    programs = lab.path("programs")
    os.makedirs(programs)
    os.symlink(shutil.which("ganesha.nfsd"), os.path.join(programs, "ganesha.nfsd"))
    vm.prefix = ["env", f"PATH={programs}"]
    done = vm.run("grep ' / ' /proc/mounts; stat -c '%u %g' /var; cd /tmp; echo new >f; chown 77:88 f;"
                  "chmod 6711 f; ln -s f l; mkfifo p; cp /bin/busybox true; ./true && echo runs;"
                  "su www -c 'touch hers'; umask 077; echo mine >s; su www -c 'cat s' || echo kept;"
                  "echo x >/data/x; exit 9",
                  "--root=auto", f"--volume={data}:/data:nfs", "--virtiofsd=/no/such").check(9)
    lines = done.out.decode().splitlines()
    assert " nfs4 rw" in lines[0] and "vers=4.2" in lines[0], lines
    expect(lines[1:], ["33 4", "runs", "kept"], "said in the guest")
    made = os.stat(os.path.join(disk, "tmp", "f"))
    expect((made.st_uid, made.st_gid, made.st_mode & 0o7777), (77, 88, 0o6711), "made in the guest")
    made = os.stat(os.path.join(disk, "tmp", "hers"))
    expect((made.st_uid, made.st_gid), (33, 33), "made by a user of the guest's")
    expect(open(os.path.join(disk, "tmp", "f"), encoding="ascii").read(), "new\n", "written")
    expect(os.path.getsize(os.path.join(disk, "tmp", "true")), os.path.getsize("/bin/busybox"), "copied")
    expect(os.listdir(data), ["x"], "written to a volume")
    for words in ("not=virtiofs because", "not=ext4 because", "kind=nfs"):
        assert words in vm.log(), vm.log()
    vm.prefix = []
    plain = os.path.join(disk, "plain")
    make_rootfs(plain)
    refused(vm, "root: nfs", plain, "not the root of a file system", "use virtiofs",
            options=[f"--rootfs={plain}"])
    done = vm.run("touch /tmp/no; cat /tmp/f", "--readonly").check()
    assert done.out == b"new\n" and b"Read-only" in done.err, done.err
    assert not os.path.exists(os.path.join(disk, "tmp", "no"))
    vm.assert_gone()
    subprocess.run(["umount", disk, data], check=True)


# Writes line after line to the disk, until SIGTERM. It opens nothing meanwhile, not even a program:
# that would have to wait until the server knows what its client had before (up to 20 s).
WRITER = """mkfifo /tick; exec 4<>/tick; >/log
(i=0; while :; do i=$((i + 1)); echo line $i; read -t 0.01 <&4; done) | dd of=/log bs=64 oflag=direct &
trap 'exit 9' TERM; echo ready; wait"""


@test(limit=60)
def nfs_root_survives_its_server(lab):
    """nfs-ganesha is killed while the workload writes: it is started again, nothing is lost."""
    vm, disk = vm_with_root(lab)
    job = vm.start(WRITER).wait_for("ready\n")
    wait_until(lambda: written_lines(disk) > 50, "the first lines")
    first = find_child(vm, "ganesha.nfsd")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not alive(first), "its end")
    n = written_lines(disk)
    wait_until(lambda: written_lines(disk) > n + 50, "more lines", 180)
    assert find_child(vm, "ganesha.nfsd") != first
    job.signal(signal.SIGTERM)
    job.wait().check(9)
    n = written_lines(disk)
    with open(os.path.join(disk, "log"), encoding="ascii") as file:
        lines = file.read()
    expect(lines, "".join(f"line {i}\n" for i in range(1, n + 2))[:len(lines)], "what was written")
    vm.assert_gone()
    subprocess.run(["umount", disk], check=True)


def written_lines(disk):
    with open(os.path.join(disk, "log"), encoding="ascii") as file:
        return file.read().count("\n")


def another_server(vm, than):
    """The VM's nfs-ganesha, once it is not (or no longer) that one."""
    def find():
        with contextlib.suppress(AssertionError):
            pid = find_child(vm, "ganesha.nfsd")
            return pid if pid != than else None
    return wait_until(find, "another NFS server")


def kill_until_it_ends(vm, job):
    """Kills the NFS server, and the one that is started instead, soon: how many were started so. On a
    machine that stood still meanwhile that one may have had its 5 s: then the next is killed."""
    def next_one():
        with contextlib.suppress(AssertionError, LabError):
            pid = find_child(vm, "ganesha.nfsd")
            return pid if pid != server else None
        return job.process.poll() is not None

    server, n_again, begun = another_server(vm, None), 0, time.monotonic()
    os.kill(server, signal.SIGKILL)
    while (pid := wait_until(next_one, "another NFS server, or the end")) is not True:
        server, n_again = pid, n_again + 1
        killed = time.monotonic()
        os.kill(server, signal.SIGKILL)
        if time.monotonic() - begun < 5:
            break
        begun = killed
    return n_again


@test(limit=60)
def nfs_server_that_keeps_ending(lab):
    """One that ends is started again; one that ends again within 5 s ends the VM, which says so."""
    vm = Vm(Calico(lab))
    data = volume(lab, "data")
    job = vm.start("echo ready; exec sleep 1000", f"--volume={data}:/data:nfs").wait_for("ready\n")
    n_again = kill_until_it_ends(vm, job)
    done = job.wait()
    done.out = done.out.removeprefix(b"ready\n")
    assert_says(done, 122, "the NFS server ended", "SIGKILL")
    assert vm.log().count("NFS server ended and is started again") == n_again, vm.log()
    vm.assert_gone()
    subprocess.run(["umount", data], check=True)


@test(limit=60)
def nfs_launcher_killed(lab):
    """SIGKILL to sluice-vm: its NFS server goes with it, and the next start has the volume again."""
    vm = Vm(Calico(lab))
    data = volume(lab, "data")
    option = f"--volume={data}:/data:nfs"
    job = vm.start("exec 3>/data/file; echo one >&3; sync; echo ready; exec sleep 1000",
                   option).wait_for("ready\n")
    server = another_server(vm, None)
    os.kill(status(vm)["pid"], signal.SIGKILL)
    job.wait()
    vm.assert_gone()
    assert not alive(server)
    done = vm.run("cat /data/file; echo two >>/data/file", option).check()
    assert done.out == b"one\n", done.out
    vm.assert_gone()
    with open(os.path.join(data, "file"), encoding="ascii") as file:
        expect(file.read(), "one\ntwo\n", "written by both")
    subprocess.run(["umount", data], check=True)
