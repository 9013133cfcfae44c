# SPDX-License-Identifier: BSD-3-Clause
"""virtiofs-*, nfs-*: files that are the host's, as a guest (UML) sees them.

    write    one file from beginning to end, and fsync
    read     the same, with none of it in the guest's memory
    files    so many small ones: made, read with none of them in the guest's memory, and removed

virtiofs: a volume of `sluice-vm run`, on a tmpfs; as the peer the host itself does the same to it.

nfs: nfs-ganesha in the pod, as sluice-vm starts it, exports a tmpfs, which the guest mounts

    sluice        by the host port: guest eth0 - vhost-user - sluiced - packet socket - veth - server
    tap-bridge    guest vec0 - tap0 - kernel bridge - the same veth - server
    tap           guest vec0 - tap0, which has the server's address: nothing can reach that but it

The guest has CPU 1, all else CPU 0.
"""

import os
import subprocess
import time

from bench import SLUICE, Bench, Group, Void
from cni import Calico
from guest import die_with_parent
from test_nfs import GUEST, PORT, SERVER, NfsServer, boot, volume, wire
from test_pod_sharing import IDENTITY, SERVICE, with_host_port
from vm_guest import running

KINDS = {"write": "MB/s", "read": "MB/s", "files": "1/s"}
N_PASSES = 3
FORGET = "sync; echo 3 >/proc/sys/vm/drop_caches"


class Shell:
    """Times commands: `run` carries one out, and returns what it printed."""

    def __init__(self, run, forget):
        self.run, self.forget = run, forget

    def seconds(self, command):
        started = time.monotonic()
        self.run(command)
        return time.monotonic() - started

    def forget_files(self):
        if self.forget:
            self.run(self.forget)


def data_rates(shell, path, mib):
    """Of all passes together, each from the beginning: one is over too soon."""
    write = read = 0
    for _ in range(N_PASSES):
        write += shell.seconds(f"dd if=/dev/zero of={path}/big bs=1M count={mib} conv=fsync 2>&1")
        shell.forget_files()
        read += shell.seconds(f"dd if={path}/big of=/dev/null bs=1M 2>&1")
        shell.run(f"rm {path}/big")
    total = N_PASSES * (mib << 20) / 1e6
    return {"write": total / write, "read": total / read}


def files_rate(shell, path, n_files):
    """The names are of one length, and each file holds its own."""
    made = shell.seconds(f"mkdir {path}/many && cd {path}/many && i={10 ** 6} && "
                         f"while [ $i -lt {10 ** 6 + n_files} ]; do echo $i >$i; i=$((i + 1)); done")
    shell.forget_files()
    started = time.monotonic()
    n_bytes = int(shell.run(f"cd {path}/many && cat * | wc -c"))
    read = time.monotonic() - started
    removed = shell.seconds(f"rm -r {path}/many")
    if n_bytes != n_files * len("1000000\n"):
        raise Void(f"{n_bytes} bytes in {n_files} files")
    return {"files": n_files / (made + read + removed)}, \
        {"made": made, "read": read, "removed": removed}


def sample(shell, path, prefix, mib, n_files):
    rates = data_rates(shell, path, mib)
    of_files, seconds = files_rate(shell, path, n_files)
    return {**{f"{prefix}-{kind}": value for kind, value in (rates | of_files).items()},
            **{f"{prefix}-files, seconds {what}": value for what, value in seconds.items()}}


# --- virtiofs

VIRTIOFS_MIB, VIRTIOFS_FILES = 256, 2000


def virtiofs_size(lab):
    return (VIRTIOFS_MIB // 4, VIRTIOFS_FILES // 4) if lab.quick else (VIRTIOFS_MIB, VIRTIOFS_FILES)


def virtiofs_guest(lab, _):
    data = lab.path("data")
    os.makedirs(data)
    with running(lab, f"--volume={data}:/data") as vm:
        def run(command):
            return vm.exec(command).check().out

        return sample(Shell(run, FORGET), "/data", "virtiofs", *virtiofs_size(lab))


def virtiofs_host(lab, _):
    data = lab.path("data")
    os.makedirs(data)

    def run(command):
        done = subprocess.run(["busybox", "sh", "-c", command], stdout=subprocess.PIPE, text=True,
                              check=True, preexec_fn=die_with_parent)
        return done.stdout

    return sample(Shell(run, None), data, "virtiofs", *virtiofs_size(lab))


# --- NFS

NFS_MIB, NFS_FILES = 192, 10000
NFS_LIMIT_S = 60  # of one command


def nfs_size(lab):
    return (NFS_MIB, NFS_FILES // 2) if lab.quick else (NFS_MIB, NFS_FILES)


def mount(guest, server, client):
    options = f"vers=4.2,proto=tcp,port={PORT},addr={server},clientaddr={client}"
    guest.run(f"modprobe nfsv4 && mkdir -p /mnt && mount -i -t nfs -o {options} {server}:/vol/0 /mnt")


def nfs(lab, guest, server, client):
    data = volume(lab, "data")
    try:
        with NfsServer(lab, data, address=server, client=client) as ganesha:
            ganesha.ready()
            mount(guest, server, client)
            shell = Shell(lambda command: guest.run(command, NFS_LIMIT_S), FORGET)
            values = sample(shell, "/mnt", "nfs", *nfs_size(lab))
            guest.run("umount /mnt")
            return values
    finally:
        guest.kill()
        subprocess.run(["umount", data], check=True)


def nfs_sluice(lab, _):
    _, guest = with_host_port(Calico(lab), "adopt", cpu=1)
    return nfs(lab, guest, IDENTITY, SERVICE)


def nfs_tap(lab, _):
    wire(lab)
    guest = boot(lab, cpu=1)
    return nfs(lab, guest, SERVER, GUEST)


def nfs_tap_bridge(lab, _):
    wire(lab)
    lab.pod.run(f"ip addr flush dev tap0; ip link add br0 type bridge; ip link set br0 up\n"
                f"ip link add sluice0 type veth peer name sluice0p\n"
                f"ip link set sluice0p master br0 up; ip link set tap0 master br0\n"
                f"ip addr add {SERVER}/24 dev sluice0; ip link set sluice0 up")
    guest = boot(lab, cpu=1)
    return nfs(lab, guest, SERVER, GUEST)


def benches(prefix, bar):
    return [Bench(f"{prefix}-{kind}", unit, more_is_better=True, bar=bar)
            for kind, unit in KINDS.items()]


GROUPS = [
    Group(
        benches=benches("virtiofs", None),
        sides={SLUICE: virtiofs_guest, "host": virtiofs_host},
        runs=5,
        setup=f"{VIRTIOFS_MIB} MiB in one file, and {VIRTIOFS_FILES} small files; a guest (UML), "
              "and the host itself"),
    Group(
        benches=benches("nfs", 0.95),
        sides={SLUICE: nfs_sluice, "tap-bridge": nfs_tap_bridge, "tap": nfs_tap},
        runs=3, cpus={0},
        setup=f"{NFS_MIB} MiB in one file, and {NFS_FILES} small files of nfs-ganesha; guest (UML) on "
              "CPU 1, all else on CPU 0"),
]
