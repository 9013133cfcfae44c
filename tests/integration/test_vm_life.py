# SPDX-License-Identifier: BSD-3-Clause
"""`sluice-vm run` and what one does with a VM that runs, by somebody who does not trust us."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from cni import Calico
from guest import die_with_parent
from lab import wait_until
from stream import Pump
from suite import test
from terminal import Terminal
from vm import Running, Vm, kill

SUITE = "vm"

MIB = 1 << 20
SLEEPER = "echo ready; exec sleep 1000"


def status(vm):
    return json.loads(vm.verb("status", "--json"))


def make_entrypoint(vm, text):
    os.makedirs(os.path.join(vm.rootfs, ".runcvm"), exist_ok=True)
    path = os.path.join(vm.rootfs, ".runcvm", "entrypoint")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, 0o755)


def run_verb(vm, *words):
    """A verb that may fail."""
    return subprocess.run([vm.program, words[0], "--name", vm.name, "--run-dir", vm.run_dir,
                           *words[1:]], capture_output=True, text=True, timeout=180, check=False)


@test(limit=90)
def run_streams(lab):
    """Stdin to stdout, by its sum; closed and empty inputs."""
    vm = Vm(Calico(lab))
    Pump(vm.argv(["cat"]), (1024 if lab.soak else 64) * MIB).check(600)
    assert vm.run(["wc", "-c"], data=b"").check().out.strip() == b"0"
    argv = ["sh", "-c", "exec \"$@\" <&- 2>&1", "-", *vm.argv(["wc", "-c"])]
    closed = subprocess.run(argv, capture_output=True, timeout=180, check=False)
    assert (closed.returncode, closed.stdout.strip()) == (0, b"0"), closed
    vm.assert_gone()


def numbers(mark, n):
    return b"".join(b"%d%s\n" % (i, mark) for i in range(1, n + 1))


@test(limit=60)
def run_is_read_slowly(lab):
    """Nothing is lost or mixed when nobody reads for a while, and what comes last comes too."""
    vm = Vm(Calico(lab))
    n = 300000
    argv = vm.argv(f"seq 1 {n} | sed 's/$/-err/' >&2 & seq 1 {n} | sed 's/$/-out/'; wait; "
                   "echo last; echo last >&2; exit 8")
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, preexec_fn=die_with_parent) as process:
        got = {}

        def read_slowly(name, stream):
            data = b""
            for _ in range(20):
                data += os.read(stream.fileno(), 1000)
                time.sleep(0.02)
            got[name] = data + stream.read()

        threads = [threading.Thread(target=read_slowly, args=pair) for pair in
                   (("out", process.stdout), ("err", process.stderr))]
        wait_until(lambda: status_of(vm) == "running", "the workload to run", timeout=180)
        time.sleep(0.5)  # nobody reads: everything between is full
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert process.wait() == 8, process.returncode
    assert got["out"] == numbers(b"-out", n) + b"last\n", got["out"][-100:]
    assert got["err"] == numbers(b"-err", n) + b"last\n", got["err"][-100:]
    vm.assert_gone()


def status_of(vm):
    done = run_verb(vm, "status", "--json")
    return json.loads(done.stdout)["state"] if done.returncode == 0 else None


@test(limit=90)
def run_terminal(lab):
    """The terminal is the command's while it runs: bytes, size, and as it was afterwards."""
    vm = Vm(Calico(lab))
    shell = ("stty size; trap 'stty size' WINCH; echo ready; until read x; do :; done; "
             "stty raw -echo; echo is raw; dd bs=1 count=7 2>/dev/null | od -An -tx1; "
             "stty sane; exit 7")
    with Terminal(vm.argv(shell, "--tty"), 31, 99) as term:
        term.wait_for("ready")
        wait_until(term.is_raw, "the terminal to be raw")
        # It may start before it is told the size, and learns it then.
        term.wait_for("31 99")
        term.resize(41, 111)
        term.wait_for("41 111")
        term.type("go\r").wait_for("is raw")
        term.type(b"\x03\x04\x1a\x1c\r\xff\x11").wait_for("03 04 1a 1c 0d ff 11")
        assert term.wait() == 7, term.tail()
        assert term.is_restored()

    with Terminal(vm.argv("trap 'echo INT' INT; echo ready; while :; do sleep 0.05; done",
                          "--tty")) as term:
        term.wait_for("ready")
        wait_until(term.is_raw, "the terminal to be raw")
        term.type(b"\x03").wait_for("INT")
        kill(status(vm)["vmm"]["pid"])
        assert term.wait() == 120, term.tail()
        assert term.is_restored() and b"uml: " in term.seen, term.tail()
    vm.assert_gone()


def write(lab, name, text):
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@test(limit=90)
def run_settings(lab):
    """Each layer is heard, and the stronger one is obeyed; it starts again as it did first."""
    vm = Vm(Calico(lab))
    config = write(lab, "config.json", json.dumps(
        {"hostname": "of-config", "cwd": "/var", "user": "33", "memory": 128, "readonly": True}))
    annotations = write(lab, "annotations", "other.io/x=\"y\"\nsluice.dev/hostname=\"of-notes\"\n"
                        "sluice.dev/user=\"www:adm\"\n")
    env_file = write(lab, "env", "# none\n\nFILE=of file \nBOTH=file\nODD==\"$x'\n")
    says = ("hostname; pwd; id -u; id -g; id -G; echo $FILE. $BOTH $PASSED $ODD; touch /tmp/x; "
            "awk '/MemTotal/ { print ($2 < 200000) }' /proc/meminfo; ip -o addr show dev eth0 | sed 's/ tentative//'; "
            "ip route; ip -6 route; cat /etc/resolv.conf; cat /proc/sys/kernel/hostname")
    options = [f"--config={config}", f"--annotations-file={annotations}", f"--env-file={env_file}",
               "--env=BOTH=flag", "--env", "PASSED"]
    del vm.settings["memory"]
    environment = dict(os.environ, SLUICE_HOSTNAME="of-env", PASSED="ours", HIDDEN="x")
    first = None
    for _ in range(2):
        done = vm.start(says, *options, env=environment).wait().check()
        said = done.out.decode().splitlines()
        assert said[:4] == ["of-env", "/var", "33", "4"], said
        assert said[5:7] == ["of file . flag ours =\"$x'", "1"], said
        assert b"Read-only" in done.err, done.err
        first = first or done.out
        assert done.out == first, f"then\n{first}\nnow\n{done.out}"
    done = vm.start("hostname; id -u; env | grep ^PATH=; cat /proc/1/environ", *options,
                    "--hostname=of-flag", "--user=0", env=environment).wait().check()
    assert done.out.startswith(b"of-flag\n0\nPATH="), done.out
    assert b"HIDDEN" not in done.out and b"SLUICE" not in done.out, done.out
    vm.assert_gone()


@contextlib.contextmanager
def run_dir_on_overlay(lab, vm):
    """As a container's root is: no tmpfs."""
    lower, upper, work, merged = (lab.path(name) for name in ("lower", "upper", "work", "merged"))
    for path in (lower, upper, work, merged):
        os.makedirs(path)
    subprocess.run(["mount", "-t", "overlay", "-o",
                    f"lowerdir={lower},upperdir={upper},workdir={work}", "run", merged],
                   check=True)
    vm.run_dir = vm.settings["run-dir"] = os.path.join(merged, "run")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", merged], check=True)


def files_with(text, top):
    found = []
    for directory, _, names in os.walk(top):
        for path in (os.path.join(directory, name) for name in names):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    if text.encode() in file.read():
                        found.append(path)
    return found


def memfds(pid):
    """Where a process has the initramfs open."""
    paths = glob.glob(f"/proc/{pid}/fd/*")
    return [path for path in paths if "memfd:sluice-initrd" in os.readlink(path)]


@test(limit=90, each={"tmpfs": ("uml", False), "overlay": ("uml", True),
                      "overlay-qemu": ("qemu", True)})
def run_keeps_secrets(lab, case):
    """The command's environment is in memory, in one place, until it starts; killed or not."""
    vmm, on_disk = case
    vm = Vm(Calico(lab), vmm=vmm)
    secret, mute = "not-for-any-disk", lab.path("mute-init")
    shutil.copy("/bin/busybox", mute)
    options = [f"--env=SECRET={secret}"]
    with run_dir_on_overlay(lab, vm) if on_disk else contextlib.nullcontext():
        initrd = os.path.join(vm.run_dir, vm.name, "initrd")
        log = os.path.join(vm.run_dir, vm.name + ".log")
        job = vm.start("echo ran", f"--agent={mute}", *options)
        wait_until(lambda: os.path.exists(log) and "name=vmm" in vm.log(), "the machine to run", 120)
        wait_until(lambda: "Run /init" in vm.verb("console"), "the guest to have booted", 120)
        assert files_with(secret, vm.run_dir) == ([] if on_disk else [initrd])
        held = memfds(job.process.pid)
        assert len(held) == on_disk and "secrets-on-disk" not in vm.log(), (held, vm.log())
        for path in held or [initrd]:
            assert os.stat(path).st_mode & 0o777 == 0o600, os.stat(path)
            with open(path, "rb") as file:
                assert secret.encode() in file.read(), path
        job.signal(signal.SIGKILL)
        job.wait()
        vm.assert_gone()

        job = vm.start("echo ready $SECRET; exec sleep 1000", *options)
        job.wait_for(f"ready {secret}\n")
        assert files_with(secret, vm.run_dir) == [] and memfds(job.process.pid) == []
        vm.verb("stop", "--grace", "0")
        job.wait()
        vm.assert_gone()


@test(limit=60)
def run_twice(lab):
    """Of one name, and in one pod, there is one; the second says so and does the first no harm."""
    vm = Vm(Calico(lab))
    job = vm.start(SLEEPER).wait_for("ready\n")
    for options, why in (([], b"there is a VM in this pod already"),
                         (["--lab"], b"a VM of this name is running")):
        done = vm.run("echo second", *options).check(125)
        assert why in done.err and done.err.count(b"\n") == 1, done.err
    assert vm.exec("echo alive").check().out == b"alive\n"
    assert status(vm)["state"] == "running"
    assert "step" in vm.log(), "the first one's log was lost"
    # The next one, at once: it neither meets what its predecessor left, nor loses what is its own.
    for _ in range(3):
        job.signal(signal.SIGKILL)
        job.wait()
        job = vm.start(SLEEPER).wait_for("ready\n")
        assert vm.exec("echo alive").check().out == b"alive\n"
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()


CAPABILITIES = {name: 1 << number for number, name in enumerate((
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
    "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"))}
CAPABILITIES.update(sys_chroot=1 << 18, setfcap=1 << 31)
FILES = ("chown", "dac_override", "fowner", "fsetid", "setgid", "setuid")
CHILDREN = {"sluiced": ("net_admin", "net_raw"), "sluice-vsock": (), "VMM": (),
            "virtiofsd": (*FILES, "setfcap", "setpcap", "sys_chroot")}


def groups_below(parent):
    """{process group of a child: its program}."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            with open(path, encoding="ascii") as file:
                above, group = file.read().rpartition(")")[2].split()[1:3]
            pid = path.split("/")[2]
            if above == str(parent) and group == pid:
                found[int(pid)] = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    return found


def threads_of(groups):
    """(process group, what /proc/PID/status says) of every thread."""
    for path in glob.glob("/proc/[0-9]*/task/[0-9]*/status"):
        with contextlib.suppress(OSError):
            group = os.getpgid(int(path.split("/")[2]))
            if group in groups:
                with open(path, encoding="ascii") as file:
                    yield group, dict(line.split(":\t") for line in file.read().splitlines())


@test(limit=90, each={"uml": "uml", "qemu": "qemu"})
def children_have_what_they_need(lab, vmm):
    """Who gets out of the guest is root without root's rights; and who serves it has few of them."""
    vm, options, needs = Vm(Calico(lab), vmm), [], dict(CHILDREN)
    if vmm == "uml":
        disk = lab.path("disk")
        os.makedirs(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "disk", disk], check=True)
        options = [f"--volume={disk}:/disk:nfs"]
        needs.update({"sluice-fs-relay": (), "ganesha.nfsd": (*FILES, "dac_read_search")})
    job = vm.start(SLEEPER, *options).wait_for("ready\n")
    said = status(vm)
    groups = groups_below(said["pid"])
    groups[said["vmm"]["pid"]] = "VMM"
    # The keeper is no program of its own.
    groups = {group: name for group, name in groups.items() if name != "sluice-vm"}
    assert sorted(set(groups.values())) == sorted(needs), groups
    seen = set()
    for group, thread in threads_of(groups):
        name = groups[group]
        most = sum(CAPABILITIES[word] for word in needs[name])
        sets = {key: int(thread[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")}
        assert not any(has & ~most for has in sets.values()), (name, thread)
        assert not int(thread["CapAmb"], 16) and not int(thread["CapInh"], 16), (name, thread)
        assert thread["NoNewPrivs"] == "1", (name, thread)
        seen.add(name)
    assert seen == set(needs), seen
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()


@test(limit=60, each={kind: kind for kind in ("virtiofs", "ext4")})
def run_readonly(lab, root):
    vm = Vm(Calico(lab), root=root, readonly="true")
    done = vm.run("touch /var/x || echo refused; mount -o remount,rw /; "
                  "touch /var/x || echo refused; echo x >/tmp/mem && cat /tmp/mem",
                  "--tmpfs=/tmp").check()
    assert done.out == b"refused\nrefused\nx\n", (done.out, done.err)
    assert os.listdir(os.path.join(vm.rootfs, "var")) == []


@test(limit=60)
def run_entrypoint(lab):
    """The image's own command, if none is given; without one it says so, and can be looked at."""
    vm = Vm(Calico(lab))
    make_entrypoint(vm, "#!/bin/sh\necho the image; exit 5\n")
    words = vm.argv("")[:-4]  # without "-- sh -c ..."
    done = Running(words).wait().check(5)
    assert done.out == b"the image\n", done.out

    os.unlink(os.path.join(vm.rootfs, ".runcvm", "entrypoint"))
    job = Running(words)
    assert vm.exec("echo beside").check().out == b"beside\n"
    wait_until(lambda: status_of(vm) == "running", "the VM to run")
    wait_until(lambda: "no entrypoint found" in vm.verb("console"), "the guest to say so")
    assert job.process.poll() is None
    job.signal(signal.SIGTERM)
    job.wait().check(128 + signal.SIGTERM)
    vm.assert_gone()


def in_time(is_so):
    """A machine that is slow may miss a time that is the program's own; not each time."""
    return any(is_so() for _ in range(3))


STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


def steps_of_end(vm):
    """What was done to end it, in this order; the last is what ended it."""
    return re.findall(r"msg=halt step=(\w+)", vm.log())


@test(limit=90)
def stopping(lab):
    """A command that ignores what it is asked with is given the time that was said, and no more."""
    vm = Vm(Calico(lab))
    job = vm.start(STUBBORN, "--stop-timeout=1").wait_for("ready\n")
    begun = time.monotonic()
    job.signal(signal.SIGTERM)
    job.wait().check(137)  # without that option it would not end
    assert time.monotonic() - begun > 0.9, time.monotonic() - begun
    vm.assert_gone()

    # It was the agent who turned the machine off.
    def stopped_by_agent():
        job = vm.start(STUBBORN).wait_for("ready\n")
        job.signal(signal.SIGTERM)
        begun = time.monotonic()
        vm.verb("stop", "--grace", "1")
        assert time.monotonic() - begun > 0.9, time.monotonic() - begun
        job.wait().check(137)
        vm.assert_gone()
        return steps_of_end(vm) == ["poweroff"]
    assert in_time(stopped_by_agent), vm.log()

    # A machine that does nothing any more is killed.
    job = vm.start(STUBBORN).wait_for("ready\n")
    kill(status(vm)["vmm"]["pid"], signal.SIGSTOP)
    vm.verb("stop", "--grace", "0")
    job.wait().check(137)
    assert steps_of_end(vm) == ["poweroff", "powerdown", "kill"], vm.log()
    vm.assert_gone()

    # One that listens, to a signal of its own; and nobody is kept waiting by a long grace.
    job = vm.start("trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done",
                   "--stop-signal=SIGUSR1").wait_for("ready\n")
    begun = time.monotonic()
    vm.verb("stop", "--grace", "150")
    assert time.monotonic() - begun < 120
    assert job.wait().check(3).out == b"ready\nusr1\n"
    assert steps_of_end(vm) == [], vm.log()
    done = run_verb(vm, "stop")
    assert done.returncode == 1 and "no VM of the name \"vm0\" runs here" in done.stderr, done
    vm.assert_gone()


@test(limit=120)
def stopping_under_qemu(lab):
    """There it has a power button, too, for when the agent cannot be asked; and then it is killed."""
    vm = Vm(Calico(lab), vmm="qemu")

    def stop(spoil, *steps):
        def is_so():
            job = vm.start(STUBBORN).wait_for("ready\n")
            spoil()
            vm.verb("stop", "--grace", "0")
            job.wait().check(137)
            vm.assert_gone()
            return steps_of_end(vm) == list(steps)
        assert in_time(is_so), vm.log()
        return vm.log()

    stop(lambda: None, "poweroff")
    log = stop(lambda: os.unlink(os.path.join(vm.run_dir, vm.name + ".vsock")),
               "poweroff", "powerdown")
    assert "event=shutdown" in log, "the guest has not turned itself off"
    log = stop(lambda: kill(status(vm)["vmm"]["pid"], signal.SIGSTOP),
               "poweroff", "powerdown", "kill")
    assert "event=shutdown" not in log, log


@test(limit=60)
def console_and_status(lab):
    """What the kernel has said and goes on to say; what the VM says of itself."""
    vm = Vm(Calico(lab), **{"console-size": "8"})
    done = run_verb(vm, "console")
    assert done.returncode == 1 and "no VM of the name" in done.stderr, done
    done = run_verb(vm, "status")
    assert done.returncode == 1 and "no VM of the name" in done.stderr, done

    job = vm.start(SLEEPER).wait_for("ready\n")
    follow = Running([vm.program, "console", "--name", vm.name, "--run-dir", vm.run_dir,
                      "--follow"])
    follow.wait_for("the workload runs")
    vm.exec("echo from-within >/dev/kmsg").check()
    follow.wait_for("from-within")
    assert "from-within" in vm.verb("console")
    # More than the files hold: the latest is what is kept, and followed without a gap.
    vm.exec("i=0; while [ $i -lt 600 ]; do echo line-$i-of-many >/dev/kmsg; i=$((i + 1)); "
            "done; echo at-last >/dev/kmsg").check()
    follow.wait_for("at-last")
    lines = [int(number) for number in re.findall(rb"line-(\d+)-of-many", follow.seen)]
    assert lines == sorted(set(lines)) and lines[-1] == 599, lines
    kept = vm.verb("console")
    assert "at-last" in kept and "line-599-of-many" in kept and len(kept) <= 8192, len(kept)

    said = status(vm)
    assert (said["name"], said["state"], said["root"]) == ("vm0", "running", "virtiofs"), said
    assert said["pid"] == job.process.pid and said["vmm"]["kind"] == "uml", said
    assert vm.net.pod4 in said["guest"]["addresses"], said
    assert [step["name"] for step in said["steps"]] == [
        "choose", "pod", "guard", "switch", "dns", "vsock", "ports", "storage", "image", "vmm",
        "agent"], said
    text = vm.verb("status")
    assert "state: running\n" in text and vm.net.pod4 in text, text

    vm.verb("stop", "--grace", "0")
    follow.wait().check()
    job.wait()
    vm.assert_gone()
