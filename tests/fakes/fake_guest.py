# SPDX-License-Identifier: BSD-3-Clause
"""The guest of a fake VMM: what it was told to boot, as a real guest of QEMU's, emulated.

The kernel, the initrd and the command line are those of the configuration, and so is each device:
vhost-user sockets are connected to, TAPs and drives opened. Its own vsock is a sluice-vsock
(FAKE_VMM_VSOCK), which listens where the configuration says. What the guest's kernel says goes to
stdout. It is a q35 for both, of which Firecracker's guests have less: microvm hangs at times when it
is emulated.

    guest = Guest(Machine(kernel=..., ...), on_end)
    on_end("guest-shutdown")        # from a thread: it powered off; or "guest-reset"; or it is gone
"""

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import threading

# QEMU 7.2 crashes when MSI-X is set up without KVM on a vhost-user device.
NO_MSIX = ",vectors=0"


@dataclasses.dataclass
class Machine:
    """All that a guest is made of."""

    kernel: str
    cmdline: str
    initrd: str = None
    cpus: int = 1
    memory_mib: int = 128
    shared: bool = True  # its memory
    vsock: tuple = None  # (cid, path)
    nics: list = dataclasses.field(default_factory=list)  # (mac, "chardev" or "fd", path or number)
    shares: list = dataclasses.field(default_factory=list)  # (socket, tag)
    drives: list = dataclasses.field(default_factory=list)  # (path, readonly)


class OwnVsock:
    """The device whose host side is at `path`."""

    def __init__(self, cid, path, work_dir):
        self.path = path
        device, notify = (os.path.join(work_dir, f"fake.{name}") for name in ("vsock", "notify"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(notify)
            ready.settimeout(10)
            self.process = subprocess.Popen(
                [os.environ["FAKE_VMM_VSOCK"], "--device", device, "--host", path, "--cid",
                 str(cid)], stdin=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=notify))
            assert b"READY=1" in ready.recv(4096)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(device)
        # Nothing of ours is left behind.
        for name in (device, notify):
            if os.path.exists(name):
                os.unlink(name)


class Guest:
    """Runs from its making on; its processes are of the VMM's group, with which they end."""

    def __init__(self, machine, work_dir, on_end):
        self.machine, self.on_end = machine, on_end
        self.vsock = OwnVsock(*machine.vsock, work_dir) if machine.vsock else None
        self.monitor, its_monitor = socket.socketpair()
        self.console = os.dup(1)
        self.fds = [self.console, its_monitor.fileno()] + [nic[2] for nic in machine.nics if nic[1] == "fd"]
        if self.vsock:
            self.fds.append(self.vsock.socket.fileno())
        self.qemu = subprocess.Popen(self.command(its_monitor.fileno()),
                                     stdin=subprocess.DEVNULL, pass_fds=self.fds)
        its_monitor.close()
        if self.vsock:
            self.vsock.socket.close()
        self.ask("qmp_capabilities")
        threading.Thread(target=self.listen, daemon=True).start()

    def command(self, monitor):
        machine = self.machine
        words = ["qemu-system-x86_64", "-machine", "q35,memory-backend=ram", "-accel", "tcg",
                 "-cpu", "max", "-smp", str(machine.cpus), "-m", f"{machine.memory_mib}M",
                 "-object", f"memory-backend-memfd,id=ram,size={machine.memory_mib}M,share=" +
                 ("on" if machine.shared else "off"),
                 "-nodefaults", "-no-user-config", "-display", "none",
                 "-action", "reboot=shutdown,shutdown=pause",
                 "-add-fd", f"fd={self.console},set=1", "-chardev",
                 "file,id=console,path=/dev/fdset/1,append=on", "-serial", "chardev:console",
                 "-chardev", f"socket,id=monitor,fd={monitor}", "-mon",
                 "chardev=monitor,mode=control",
                 "-kernel", machine.kernel, "-append", machine.cmdline]
        if machine.initrd:
            words += ["-initrd", machine.initrd]
        return words + self.devices()

    def devices(self):
        machine, words = self.machine, []
        for i, (mac, kind, what) in enumerate(machine.nics):
            if kind == "fd":
                words += ["-netdev", f"tap,id=net{i},fd={what}"]
            else:
                words += ["-chardev", f"socket,id=port{i},path={what},reconnect=1",
                          "-netdev", f"vhost-user,id=net{i},chardev=port{i}"]
            words += ["-device", f"virtio-net-pci,netdev=net{i},mac={mac},romfile={NO_MSIX}"]
        for i, (path, tag) in enumerate(machine.shares):
            words += ["-chardev", f"socket,id=share{i},path={path}", "-device",
                      f"vhost-user-fs-pci,chardev=share{i},queue-size=1024,tag={tag}{NO_MSIX}"]
        for i, (path, readonly) in enumerate(machine.drives):
            words += ["-drive", f"if=none,id=drive{i},format=raw,file={path},readonly=" +
                      ("on" if readonly else "off"),
                      "-device", f"virtio-blk-pci,drive=drive{i}"]
        if self.vsock:
            words += ["-chardev", f"socket,id=vsock,fd={self.vsock.socket.fileno()}", "-device",
                      f"vhost-user-vsock-pci,chardev=vsock{NO_MSIX}"]
        return words

    def ask(self, command, **arguments):
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())

    def listen(self):
        """Tells of the end, once."""
        how = "gone"
        with contextlib.suppress(OSError), self.monitor.makefile("r") as lines:
            for line in lines:
                message = json.loads(line)
                if message.get("event") == "SHUTDOWN" and message["data"]["guest"]:
                    how = message["data"]["reason"]
                    break
        self.on_end(how)

    def press_power_button(self):
        self.ask("system_powerdown")

    def press_ctrl_alt_del(self):
        self.ask("send-key", keys=[{"type": "qcode", "data": key} for key in
                                   ("ctrl", "alt", "delete")])

    def end(self):
        """All of it but the name of its vsock."""
        for process in [self.qemu] + ([self.vsock.process] if self.vsock else []):
            process.kill()
            process.wait()
