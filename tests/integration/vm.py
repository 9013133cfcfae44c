# SPDX-License-Identifier: BSD-3-Clause
"""`sluice-vm run` in a pod: a container's workload in a VM, seen from outside.

    vm = Vm(Calico(lab))
    run = vm.run("echo hello")              # status, out, err: as of a process
    job = vm.start("exec cat")              # ... that is still running
    vm.exec("hostname").out
"""

import glob
import os
import shutil
import signal
import subprocess
import time

from guest import GUEST_DIR, die_with_parent
from lab import LabError, wait_until

PASSWD = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/:/bin/sh\n"
GROUP = "root:x:0:\nwww:x:33:\nadm:x:4:www\naudio:x:29:www\n"


def make_rootfs(path):
    """A small root file system, as an image has it: busybox, and two users."""
    for directory in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "run", "var"):
        os.makedirs(os.path.join(path, directory))
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy("/bin/busybox", os.path.join(path, "bin", "busybox"))
    for applet in subprocess.run(["busybox", "--list"], capture_output=True, text=True,
                                 check=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(path, "bin", applet))
    for name, text in (("passwd", PASSWD), ("group", GROUP)):
        with open(os.path.join(path, "etc", name), "w", encoding="ascii") as file:
            file.write(text)
    return path


class Done:
    """A process that has ended; `status` as a shell has it."""

    def __init__(self, argv, status, out, err):
        self.argv, self.out, self.err = argv, out, err
        self.status = 128 - status if status < 0 else status

    def check(self, status=0):
        assert self.status == status, (
            f"{self.argv}: exit status {self.status}\n--- stdout\n{self.text(self.out)}\n"
            f"--- stderr\n{self.text(self.err)}")
        return self

    @staticmethod
    def text(data):
        return data.decode(errors="replace")


class Running:
    """A process that is told something and listened to."""

    def __init__(self, argv, **streams):
        self.argv = argv
        self.process = subprocess.Popen(
            argv, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                     "stderr": subprocess.PIPE, **streams},
            process_group=0, preexec_fn=die_with_parent)
        self.seen = b""

    def wait_for(self, text, timeout=180):
        """Until its stdout has said so."""
        deadline = time.monotonic() + timeout
        os.set_blocking(self.process.stdout.fileno(), False)
        while text.encode() not in self.seen:
            data = self.process.stdout.read()
            if data:
                self.seen += data
            elif data == b"" or time.monotonic() > deadline:
                self.process.kill()
                err = self.process.stderr.read() if self.process.stderr else b""
                raise LabError(f"{self.argv}: waited in vain for {text!r}\n"
                               f"{self.seen[-2000:].decode(errors='replace')}\n"
                               f"{err[-2000:].decode(errors='replace')}")
            else:
                time.sleep(0.005)
        return self

    def wait(self, timeout=180):
        os.set_blocking(self.process.stdout.fileno(), True)
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise LabError(f"{self.argv}: did not end in {timeout} s\n"
                           f"{self.seen.decode(errors='replace')}") from error
        return Done(self.argv, self.process.returncode, self.seen + (out or b""), err or b"")

    def signal(self, number):
        self.process.send_signal(number)


class Vm:
    """A VM of a pod of a network of cni.py, and the words that make it."""

    def __init__(self, net, vmm="uml", name="vm0", **settings):
        self.net, self.lab, self.name = net, net.lab, name
        self.build = self.lab.build
        self.program = os.path.join(self.build, "launcher", "sluice-vm")
        self.exec_program = os.path.join(self.build, "launcher", "exec", "sluice-exec")
        self.run_dir = self.lab.path("run")
        self.rootfs = self.lab.path("rootfs")
        if not os.path.exists(self.rootfs):
            make_rootfs(self.rootfs)
        self.pod_files = {"/etc/resolv.conf": net.resolv_conf}  # path: what the pod has there
        self.prefix = []  # what sluice-vm is started by, as env(1) or setpriv(1)
        kernel = "linux.uml" if vmm == "uml" else "vmlinuz"
        self.settings = {"vmm": vmm, "name": name, "run-dir": self.run_dir,
                         "rootfs": self.rootfs, "kernel": os.path.join(GUEST_DIR, kernel),
                         "cache-dir": os.path.join(self.build, "vm-cache"), "memory": "256",
                         **settings}
        if vmm == "qemu":
            self.settings.setdefault("accel", "tcg")

    def words(self, *more):
        return [self.program, "run", *(f"--{key}={value}" for key, value in self.settings.items()),
                *more]

    def argv(self, command, *options):
        """`command` is a shell's, or a list."""
        command = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        mounts = "".join(f"mount --bind {ours} {path} && " for path, ours in self.pod_files.items())
        in_pod = mounts + "exec \"$@\""
        return ["ip", "netns", "exec", self.net.pod.name, "unshare", "-m", "sh", "-c", in_pod, "-",
                *self.prefix, *self.words(*options), "--", *command]

    def start(self, command, *options, **streams):
        return Running(self.argv(command, *options), **streams)

    def run(self, command, *options, timeout=240, data=b""):
        """To its end."""
        argv = self.argv(command, *options)
        done = subprocess.run(argv, input=data, capture_output=True, timeout=timeout, check=False,
                              preexec_fn=die_with_parent)
        return Done(argv, done.returncode, done.stdout, done.stderr)

    def exec_argv(self, command, *options):
        command = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        socket = os.path.join(self.run_dir, self.name + ".vsock")
        return [self.exec_program, "--socket", socket, *options, "--", *command]

    def exec(self, command, *options, timeout=180, data=None):
        """In the running VM, to its end; with `data` as stdin."""
        argv = self.exec_argv(command, *(("--interactive",) if data is not None else ()), *options)
        done = subprocess.run(argv, input=data or b"", capture_output=True, timeout=timeout,
                              check=False)
        return Done(argv, done.returncode, done.stdout, done.stderr)

    def verb_argv(self, *words):
        """Another verb of sluice-vm about this VM."""
        return [self.program, words[0], "--name", self.name, "--run-dir", self.run_dir, *words[1:]]

    def verb(self, *words):
        """What it printed."""
        done = subprocess.run(self.verb_argv(*words), capture_output=True, text=True, timeout=180,
                              check=False)
        if done.returncode != 0:
            raise LabError(f"sluice-vm {' '.join(words)}: {done.returncode}: {done.stderr}")
        return done.stdout

    def log(self):
        path = os.path.join(self.run_dir, self.name + ".log")
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def leftovers(self):
        """What there is of a VM that is gone: files, processes, tables, interfaces."""
        found = [path for path in glob.glob(self.run_dir + "/*") if not path.endswith(".log")]
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    words = file.read()
            except OSError:
                continue
            if self.run_dir.encode() in words and b"run.py" not in words:
                found.append(f"{path}: {words.replace(bytes(1), b' ').decode()}")
        tables = self.net.pod.run("nft list ruleset")
        if tables:
            found.append(tables)
        if os.path.ismount(self.rootfs):
            found.append("the root is a mount")
        return found

    def assert_gone(self, timeout=60):
        try:
            wait_until(lambda: not self.leftovers(), "nothing to be left", timeout)
        except LabError as error:
            raise LabError(f"is left: {self.leftovers()}") from error


def ping(who, address, options=""):
    """Who is asked answers; what is lost while a machine stands still is sent again."""
    who.run(f"for i in 1 2 3; do busybox ping -c 1 -W 20 {options} {address} && exit; done; exit 1", 90)


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
