# SPDX-License-Identifier: BSD-3-Clause
"""A virtio-fs device as sluice-vm serves it (tests/tools/share_server.c), and guests that have it."""

import os
import select
import subprocess
import time

from guest import Qemu, Uml, die_with_parent
from lab import SANITIZER_WORDS, LabError

TAG = "sluice"
CACHE = {"auto": 0, "always": 1, "none": 2}

# What a container has by default (podman 4, Kubernetes): above all no CAP_SYS_ADMIN.
CONTAINER_CAPS = ("chown,dac_override,fowner,fsetid,kill,net_bind_service,setfcap,setgid,setpcap,"
                  "setuid,sys_chroot")


def capabilities(caps):
    """Words in front of a command that is to have only these; None: all."""
    if caps is None:
        return []
    kept = "-all," + ",".join("+" + cap for cap in caps.split(","))
    return ["setpriv", "--bounding-set", kept, "--inh-caps", kept]


def next_line(process, errors, timeout=60):
    """The next line of its standard output, in two; `errors()` is what else it has said."""
    deadline = time.monotonic() + timeout
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            raise LabError(f"it said {text!r} and no more\n{errors()}")
        text += byte
    what, _, rest = text.decode().strip().partition(" ")
    return what, rest


def stop(process, errors):
    """Ends it, and fails if a sanitizer found anything in it or in what it started: its status."""
    if process.poll() is None:
        process.terminate()
    status = process.wait(60)
    process.stdout.close()
    if any(word in errors() for word in SANITIZER_WORDS):
        raise LabError(f"a sanitizer found this:\n{errors()}")
    return status


class ShareServer:
    """Runs share_server for a root and volumes; "PATH:ro" and "ready:PATH" as it takes them."""

    def __init__(self, lab, root, *volumes, relay=True, cache="auto", caps=None, name="fs"):
        self.socket = os.path.join(lab.workdir, name + ".sock")
        self.run_dir = os.path.join(lab.workdir, name + ".run")
        self.log = os.path.join(lab.workdir, name + ".log")
        os.makedirs(self.run_dir, mode=0o700)
        relay_program = os.path.join(lab.build, "launcher", "sluice-fs-relay") if relay else "-"
        argv = [*capabilities(caps), os.path.join(lab.tools, "share_server"), self.socket,
                self.run_dir, TAG, relay_program, str(CACHE[cache]), str(root),
                *map(str, volumes)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=log, preexec_fn=die_with_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def line(self):
        """The next line that it says, in two: what, and the rest."""
        return next_line(self.process, self.errors)

    def ready(self):
        """Waits until a VMM can connect: where the root is in the share."""
        what, rest = self.line()
        if what != "ready":
            raise LabError(f"share_server: {what} {rest}\n{self.errors()}")
        return rest

    def errors(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def children(self):
        """{name: pid} of what it started."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path, encoding="ascii") as file:
            pids = [int(pid) for pid in file.read().split()]
        names = {}
        for pid in pids:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                names[file.read().strip()] = pid
        return names

    def stop(self):
        return stop(self.process, self.errors)

    def uml(self, lab, **options):
        return Uml(lab.workdir, arguments=[f"virtio_uml.device={self.socket}:26"], **options)

    def qemu(self, lab, **options):
        # vectors=0 as for network devices: see guest.py.
        return Qemu(lab.workdir, arguments=[
            "-chardev", f"socket,id=fs0,path={self.socket}",
            "-device", f"vhost-user-fs-pci,chardev=fs0,tag={TAG},vectors=0"], **options)


def mount(guest, where="/mnt"):
    guest.run(f"modprobe virtiofs && mkdir -p {where} && mount -t virtiofs {TAG} {where}")
