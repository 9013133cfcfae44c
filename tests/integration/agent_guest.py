# SPDX-License-Identifier: BSD-3-Clause
"""Guests whose init is sluice-agent, in an initramfs as sluice-vm makes it (tests/tools/seal_image.c).

    with UmlAgent(lab, spec(mounts=[...]), ["/bin/sh", "-c", "..."], tree=busybox_tree(lab)) as guest:
        guest.wait_for("done")

What the guest and its agent say on the console is guest.text(); what its workload writes is not,
unless to /dev/console.
"""

import glob
import json
import os
import signal
import socket
import struct
import subprocess
import time

from guest import GUEST_DIR, die_with_parent
from json_socket import JsonSocket
from lab import LabError, wait_until

UML_MODULES = ["virtio_net", "vmw_vsock_virtio_transport", "virtiofs"]
QEMU_MODULES = ["virtio_pci", "virtio_net", "vmw_vsock_virtio_transport", "virtiofs", "?button",
                "?evdev"]
NO_NETWORK = {"interfaces": [], "addresses": [], "routes": [], "rules": [], "neighbours": []}


def spec(root=None, mounts=(), **more):
    """A machine spec, by default of a machine without network that has its root in the initramfs."""
    return {"version": 1, "network": NO_NETWORK,
            "root": root or {"kind": "initramfs", "source": "/image"},
            "mounts": list(mounts), "process": {}, **more}


def busybox_tree(lab, name="tree"):
    """A small root file system: its path."""
    tree = os.path.join(lab.workdir, name)
    for directory in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(tree, directory))
    busybox = os.path.join(tree, "bin", "busybox")
    subprocess.run(["cp", "/bin/busybox", busybox], check=True)
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True,
                                 check=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(tree, "bin", applet))
    return tree


class AgentGuest:
    """What the kinds have in common."""

    boot_timeout = 120

    def __init__(self, lab, machine, argv=None, env=(), tree=None, name="agent", arguments=()):
        """Boots. `machine` is a spec, or a text that is none; argv None: nothing is said."""
        self.name = name
        self.workdir = os.path.join(lab.workdir, name)
        self.log = os.path.join(self.workdir, "console")
        os.makedirs(self.workdir)
        self._write("machine.json", machine if isinstance(machine, str) else json.dumps(machine))
        if argv is not None:
            self._write("argv", "".join(word + "\0" for word in argv))
        self._write("env", "".join(word + "\0" for word in env))
        initrd = self._seal(lab, tree)
        with open(self.log, "wb") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                self._command(initrd) + list(arguments), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self._environment(), cwd=self.workdir, process_group=0,
                preexec_fn=die_with_parent)

    def _write(self, name, text):
        with open(os.path.join(self.workdir, name), "w", encoding="utf-8") as file:
            file.write(text)

    def _seal(self, lab, tree):
        """What the guest boots from, anew; its own part is for us alone."""
        initrd = os.path.join(self.workdir, "initrd")
        subprocess.run([os.path.join(lab.build, "tests", "tools", "seal_image"),
                        os.path.join(lab.build, "guest-agent", "sluice-agent"), self._modules_dir(),
                        tree or "-", os.path.join(lab.workdir, "cache"), self.workdir, initrd,
                        *self.modules], stdout=subprocess.DEVNULL, check=True)
        return initrd

    def _command(self, initrd):
        raise NotImplementedError

    def _modules_dir(self):
        raise NotImplementedError

    def _environment(self):
        return dict(os.environ)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_for(self, words, timeout=None):
        """Returns when the console has shown `words`: all that it has shown."""
        def shown():
            return words in self.text() or self.process.poll() is not None
        try:
            wait_until(shown, words, timeout or self.boot_timeout)
        except LabError as error:
            raise LabError(f"{error}\n{self.text()[-4000:]}") from error
        text = self.text()
        if words not in text:
            raise LabError(f"{self.name} ended without saying {words!r}\n{text[-4000:]}")
        return text

    def wait_for_end(self, timeout=120):
        """The machine has turned itself off: its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} did not power off\n{self.text()[-4000:]}") from error

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


class UmlAgent(AgentGuest):
    modules = UML_MODULES

    def _modules_dir(self):
        return glob.glob(os.path.join(GUEST_DIR, "uml/usr/lib/uml/modules/*"))[0]

    def _command(self, initrd):
        return [os.path.join(GUEST_DIR, "linux.uml"), "mem=128M", "initrd=" + initrd,
                "root=/dev/ram0", "rdinit=/init", "con=null", "con0=null,fd:1", "console=tty0",
                "uml_dir=" + self.workdir, "umid=uml"]

    def _environment(self):
        return dict(os.environ, TMPDIR=os.environ.get("SLUICE_EXEC_TMPFS", "/dev/shm"))

    def ctrl_alt_del(self):
        """By the management console (arch/um/drivers/mconsole.h)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(os.path.join(self.workdir, "ask"))
            sock.settimeout(60)
            sock.sendto(struct.pack("=III512s", 0xcafebabe, 2, 3, b"cad"),
                        os.path.join(self.workdir, "uml", "mconsole"))
            error, _more, length = struct.unpack_from("=III", answer := sock.recv(1024))
            if error:
                raise LabError(f"cad: {answer[12:12 + length]!r}")


class QemuAgent(AgentGuest):
    modules = QEMU_MODULES
    boot_timeout = 240

    def _modules_dir(self):
        return glob.glob(os.path.join(GUEST_DIR, "cloud/lib/modules/*"))[0]

    def _command(self, initrd):
        return ["qemu-system-x86_64", "-machine", "q35,memory-backend=ram", "-accel", "tcg",
                "-cpu", "max", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
                "-serial", "stdio", "-kernel", os.path.join(GUEST_DIR, "vmlinuz"),
                "-initrd", initrd, "-append", "console=ttyS0",
                "-qmp", f"unix:{self._qmp_path()},server=on,wait=off"]

    def _qmp_path(self):
        return os.path.join(self.workdir, "qmp")

    def press_power_button(self):
        monitor = JsonSocket(self._qmp_path())
        monitor.ask({"execute": "qmp_capabilities"})
        monitor.ask({"execute": "system_powerdown"})
        monitor.close()
