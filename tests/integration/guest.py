# SPDX-License-Identifier: BSD-3-Clause
"""Guests: Linux in a process (UML) or under QEMU, driven through their console.

    from guest import Uml, Qemu, vhost_user, tap

    with Uml(workdir, [vhost_user("/run/x/vm0.sock")], cpu=1) as guest:
        guest.run("ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up")
        job = guest.spawn("iperf3 -s -1")
        ...
        print(job.wait(timeout=30))

A guest is an initramfs of tests/guest (busybox, ip, ethtool, iperf3, sha256sum, and what is in
tests/tools) whose init is a command loop on the console; see tests/guest/init for the wire.
Commands run one after the other; what has to run beside them is spawn()ed. `./dev setup` and
`./dev build` make the images; SLUICE_GUEST_DIR says where, if not in build/guest.

Kernel messages never mix with the command loop: they go to `<name>.log` in `workdir`.

A guest is a process group of its own and dies by SIGKILL of that group: a UML kernel has helper
processes that would otherwise keep its memory and its sockets, and no peer would see a hang-up.
"""

import ctypes
import os
import select
import shlex
import signal
import subprocess
import time
import uuid

from json_socket import JsonSocket

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUEST_DIR = os.environ.get("SLUICE_GUEST_DIR", os.path.join(ROOT, "build", "guest"))

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class GuestError(Exception):
    """A guest that did not boot, did not answer, or a command in it that failed."""


def die_with_parent():
    """For preexec_fn: nothing that we start outlives us, however we end."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def vhost_user(socket, chardev="", **options):
    """A network device on the vhost-user backend that listens on `socket`; eth0, eth1, ...

    QEMU alone takes options: of its virtio-net-pci device, such as mac= or mrg_rxbuf=; queues=, the
    number of its queue pairs; and of the socket, such as chardev="reconnect=1".
    """
    return {"kind": "vhost-user", "socket": str(socket), "chardev": chardev, "options": options}


def tap(ifname):
    """UML only: its own driver on a tap device with offloads; vec0, vec1, ..."""
    return {"kind": "tap", "ifname": ifname}


def vsock(socket):
    """A vsock device on the vhost-user backend that listens on `socket`."""
    return {"kind": "vsock", "socket": str(socket)}


class Guest:
    """What every kind of guest has in common; subclasses say which command boots it."""

    boot_timeout = 120

    def __init__(self, workdir, nics=(), name="guest", memory=256, cpu=None, netns=None, smp=1,
                 arguments=()):
        """Boots and returns when the guest takes commands.

        `memory` in MB; `cpu` pins the guest to one; `netns` is where taps are looked for; `smp` is
        the number of its CPUs (QEMU); `arguments` are more words for the command that boots it.
        """
        self.workdir = str(workdir)
        self.name = name
        self.memory = memory
        self.smp = smp
        self.nics = list(nics)
        self.log = os.path.join(self.workdir, name + ".log")
        self._buffer = b""
        self._n_jobs = 0
        prefix = ["ip", "netns", "exec", netns] if netns else []
        if cpu is not None:
            prefix += ["taskset", "-c", str(cpu)]
        self.command = prefix + self._command() + list(arguments)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                bufsize=0, env=self._environment(), cwd=self.workdir,
                process_group=0, preexec_fn=die_with_parent)
        started = time.monotonic()
        try:
            self._read_until(b"guest ready\n", started + self.boot_timeout)
        except BaseException:
            self.kill()
            raise
        self.boot_seconds = time.monotonic() - started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _command(self):
        raise NotImplementedError

    def _environment(self):
        return dict(os.environ)

    def _read_until(self, marker, deadline):
        """Everything the console said before `marker`, which is consumed too."""
        out = self.process.stdout
        while (at := self._buffer.find(marker)) < 0:
            ready, _, _ = select.select([out], [], [], max(0, deadline - time.monotonic()))
            data = os.read(out.fileno(), 65536) if ready else None
            if not data:
                what = "said nothing more in time" if data is None else "ended"
                raise GuestError(f"{self.name} {what}; waiting for {marker!r}\n{self.tail()}")
            self._buffer += data
        before, self._buffer = self._buffer[:at], self._buffer[at + len(marker):]
        return before

    def tail(self, n_lines=30):
        """The last words of console and kernel log, for a failure's report."""
        with open(self.log, "rb") as log:
            lines = log.read()[-65536:].splitlines()[-n_lines:]
        text = b"\n".join(lines).decode(errors="replace")
        console = self._buffer[-2000:].decode(errors="replace").strip()
        return f"--- console of {self.name}\n{console}\n--- kernel log of {self.name}\n{text}"

    def try_run(self, command, timeout=120):
        """Runs a shell command: (exit status, output). Raises GuestError if it takes too long."""
        nonce = uuid.uuid4().hex
        deadline = time.monotonic() + timeout
        try:
            self.process.stdin.write(f"{nonce}\n{command}\n{nonce}\n".encode())
        except OSError as error:
            raise GuestError(f"{self.name} is gone: {error}\n{self.tail()}") from error
        try:
            output = self._read_until(f"\n{nonce} ".encode(), deadline)
            status = int(self._read_until(b"\n", deadline))
        except GuestError as error:
            raise GuestError(f"in {self.name}: {command}: {error}") from error
        return status, output.decode(errors="replace")

    def run(self, command, timeout=120):
        """Runs a shell command that must succeed: its output."""
        status, output = self.try_run(command, timeout)
        if status != 0:
            raise GuestError(f"in {self.name}: {command}: exit status {status}\n{output}")
        return output

    def spawn(self, command):
        """Starts a shell command beside the command loop: a Job."""
        self._n_jobs += 1
        return GuestJob(self, f"/run/job{self._n_jobs}", command)

    def pause(self):
        """The guest's kernel stands still. (Not its group: the processes of UML's users, which it
        traces, do not outlive a stop of their own.)"""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """Ends the guest at once, as a power cut would."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()

    def poweroff(self, timeout=60):
        """Shuts the guest down in order; GuestError if it does not end."""
        try:
            self.process.stdin.write(b"off\npoweroff -f\noff\n")
            self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise GuestError(f"{self.name} did not power off\n{self.tail()}") from error
        finally:
            self.kill()


class GuestJob:
    """A command that runs in a guest while the harness does something else."""

    def __init__(self, guest, path, command):
        self.guest = guest
        self.path = path
        self.command = command
        # The status comes through a fifo, so that wait() sleeps in the guest until it is there.
        body = shlex.quote(f"({command}\n) >{path}.out 2>&1 </dev/null; echo $? >{path}.status")
        # SIGUSR1 is for the command, not for the shells around it.
        guest.run(f"trap '' USR1; mkfifo {path}.status; : >{path}.out\n"
                  f"setsid sh -c {body} >/dev/null 2>&1 & echo $! >{path}.pid")

    def output(self):
        return self.guest.run(f"cat {self.path}.out")

    def wait_for(self, text, timeout=60):
        """Returns when the job has printed `text`: how a server says that it is ready."""
        self.guest.run(
            f"until grep -q -- {shlex.quote(text)} {self.path}.out; do usleep 5000; done", timeout)
        return self

    def wait(self, timeout=120):
        """The output of a job that ended well; GuestError otherwise."""
        status = int(self.guest.run(f"cat {self.path}.status", timeout))
        output = self.output()
        if status != 0:
            raise GuestError(f"in {self.guest.name}: {self.command}: exit status {status}\n{output}")
        return output

    def finish(self, timeout=120):
        """Asks one of tests/tools that is at work to come to its end: its output."""
        self.guest.run(f"kill -USR1 -$(cat {self.path}.pid)")
        return self.wait(timeout)

    def kill(self):
        """Ends the job and what it started."""
        self.guest.run(f"cat {self.path}.status >/dev/null & kill -9 -$(cat {self.path}.pid)")


class Uml(Guest):
    """Linux as a process: boots in about a second and needs no KVM."""

    def _command(self):
        nics, n_taps = [], 0
        for nic in self.nics:
            if nic["kind"] == "tap":
                nics.append(f"vec{n_taps}:transport=tap,ifname={nic['ifname']},depth=128,gro=1")
                n_taps += 1
            elif nic["kind"] == "vsock":
                nics.append(f"virtio_uml.device={nic['socket']}:19")
            else:
                nics.append(f"virtio_uml.device={nic['socket']}:1")
        return [os.path.join(GUEST_DIR, "linux.uml"), f"mem={self.memory}M",
                "initrd=" + os.path.join(GUEST_DIR, "uml.cpio"), "root=/dev/ram0", "rdinit=/init",
                "con=null", "con0=fd:0,fd:1", "con1=null,fd:2", "console=tty1",
                "guest.console=tty0", *nics]

    def _environment(self):
        # Its memory is a file that it maps executable: a tmpfs of the caller's, or this one.
        return dict(os.environ, TMPDIR=os.environ.get("SLUICE_EXEC_TMPFS", "/dev/shm"))


class Qemu(Guest):
    """Debian's cloud kernel under QEMU without KVM: slow, but another virtio driver and front-end."""

    boot_timeout = 240

    def _command(self):
        command = ["qemu-system-x86_64", "-machine", "q35,memory-backend=ram", "-accel", "tcg",
                   "-cpu", "max", "-m", str(self.memory), "-smp", str(self.smp),
                   "-nodefaults", "-no-user-config",
                   "-display", "none", "-no-reboot",
                   "-object", f"memory-backend-memfd,id=ram,size={self.memory}M,share=on",
                   "-chardev", "stdio,id=commands,signal=off", "-serial", "chardev:commands",
                   "-serial", "file:" + self.log,
                   "-kernel", os.path.join(GUEST_DIR, "vmlinuz"),
                   "-initrd", os.path.join(GUEST_DIR, "cloud.cpio"),
                   "-append", "rdinit=/init console=ttyS1 guest.console=ttyS0",
                   "-qmp", f"unix:{self._qmp_path()},server=on,wait=off"]
        for i, nic in enumerate(self.nics):
            if nic["kind"] == "vsock":
                command += ["-chardev", f"socket,id=port{i},path={nic['socket']}", "-device",
                            f"vhost-user-vsock-pci,chardev=port{i},vectors=0"]
                continue
            options = dict(nic["options"])
            queues = options.pop("queues", 1)
            if queues > 1:
                options["mq"] = "on"
            # vectors=0: QEMU 7.2 crashes when MSI-X is set up without KVM on a vhost-user device.
            chardev = f"socket,id=port{i},path={nic['socket']}"
            if nic["chardev"]:
                chardev += "," + nic["chardev"]
            command += ["-chardev", chardev,
                        "-netdev", f"vhost-user,id=net{i},chardev=port{i},queues={queues}",
                        "-device", f"virtio-net-pci,netdev=net{i},vectors=0" +
                        "".join(f",{key}={value}" for key, value in options.items())]
        return command

    def _qmp_path(self):
        return os.path.join(self.workdir, self.name + ".qmp")

    def qmp(self, command, **arguments):
        """Has QEMU's monitor carry out a command: what it answers."""
        monitor = JsonSocket(self._qmp_path())
        try:
            monitor.ask({"execute": "qmp_capabilities"})
            return monitor.ask({"execute": command, "arguments": arguments})
        finally:
            monitor.close()
