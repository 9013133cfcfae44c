# SPDX-License-Identifier: BSD-3-Clause
"""Commands beside the workload, by somebody who does not trust us."""

import concurrent.futures
import glob
import json
import os
import signal
import subprocess
import time

from agent_client import AgentClient
from cni import Calico
from guest import die_with_parent
from lab import LabError, wait_until
from stream import Pump
from suite import test
from terminal import Terminal
from vm import Running, Vm, kill

SUITE = "vm"

MIB = 1 << 20
SLEEPER = "echo ready; exec sleep 1000"


def boot(lab, **settings):
    """A VM whose workload does nothing: the VM, and the run."""
    vm = Vm(Calico(lab), **settings)
    return vm, vm.start(SLEEPER).wait_for("ready\n")


def end(vm, job):
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()


def start(vm, command, *options, **streams):
    return Running(vm.exec_argv(command, *options), **streams)


def guest_processes(vm):
    """The words of the processes that the workload can see, without the one that looks."""
    said = vm.exec("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done")
    return [line for line in said.check().out.decode().splitlines()
            if line.strip() and "/proc/" not in line and not line.startswith("tr ")]


def assert_no_process(vm, words, timeout=60):
    try:
        wait_until(lambda: not any(words in line for line in guest_processes(vm)), words, timeout)
    except LabError as error:
        raise LabError(f"{words} still runs in the guest: {guest_processes(vm)}") from error


def status(vm):
    return json.loads(vm.verb("status", "--json"))


@test(limit=90)
def exec_streams(lab):
    """All of it comes back as it was; both outputs apart; with an input that is none."""
    vm, job = boot(lab)
    Pump(vm.exec_argv(["cat"], "-i"), 1024 * MIB).check(600)

    data = os.urandom(4 * MIB)
    done = vm.exec("tee /dev/stderr", data=data).check()
    assert done.out == data and done.err == data, (len(done.out), len(done.err))

    assert vm.exec(["wc", "-c"], data=b"").check().out.strip() == b"0"
    assert vm.exec(["wc", "-c"]).check().out.strip() == b"0"
    closed = subprocess.run(["sh", "-c", "exec \"$@\" <&-", "-", *vm.exec_argv(["wc", "-c"], "-i")],
                            capture_output=True, timeout=120, check=False)
    assert (closed.returncode, closed.stdout.strip()) == (0, b"0"), closed

    # One that does not read its input ends all the same, and so does one whose reader goes.
    done = vm.exec("echo early; exit 4", data=bytes(MIB)).check(4)
    assert done.out == b"early\n", done.out
    argv = vm.exec_argv("while echo y; do :; done")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, preexec_fn=die_with_parent) as reader:
        assert reader.stdout.read(2) == b"y\n"
        reader.stdout.close()
        assert reader.wait(120) == 128 + signal.SIGPIPE, reader.returncode
    assert_no_process(vm, "while echo")
    end(vm, job)


@test(limit=60)
def exec_ends(lab):
    """How a command ends, or that it was never run, can be told apart."""
    vm, job = boot(lab)
    for code in (0, 1, 2, 125, 126, 127, 128, 255):
        vm.exec(f"exit {code}").check(code)
    for number in (signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
        vm.exec(f"kill -{int(number)} $$").check(128 + number)
    done = vm.exec(["/no/such"]).check(127)
    assert b"/no/such" in done.err and done.err.count(b"\n") == 1, done.err
    done = vm.exec(["no-such-in-path"]).check(127)
    assert b"no-such-in-path" in done.err, done.err
    for path in ("/etc/passwd", "/etc"):
        done = vm.exec([path]).check(126)
        assert path.encode() in done.err and done.err.count(b"\n") == 1, done.err
    done = vm.exec(["true"], "--cwd=/no/such/place").check(126)
    assert b"/no/such/place" in done.err, done.err
    done = vm.exec(["true"], "--user=nobody-knows").check(126)
    assert b"nobody-knows" in done.err, done.err
    end(vm, job)


@test(limit=60)
def exec_words_and_users(lab):
    """Arguments and variables of any byte but NUL; users, groups and directories."""
    vm, job = boot(lab)
    odd = bytes(range(1, 256)) + b"\n\nA=B\n"
    done = vm.exec([b"/bin/cat", b"/proc/self/cmdline", b"-", odd, b""]).check(1)
    assert done.out == b"/bin/cat\0/proc/self/cmdline\0-\0" + odd + b"\0\0", done.out
    done = vm.exec(["cat", "/proc/self/environ"], b"--env", b"ODD=" + odd, "-e", "EMPTY=").check()
    assert b"ODD=" + odd in done.out.split(b"\0"), done.out
    assert b"EMPTY=" in done.out.split(b"\0"), done.out
    many = ["x" * 1000] * 500
    assert vm.exec(["sh", "-c", "echo $#; echo ${#500}", "-", *many]).check().out == b"500\n1000\n"

    who = "id -u; id -g; id -G; pwd"
    for user, said in (("www", b"33\n33\n33 4 29\n"), ("33", b"33\n33\n33 4 29\n"),
                       ("www:adm", b"33\n4\n4"), ("1234:5678", b"1234\n5678\n5678\n")):
        done = vm.exec(who, "--user", user, "--cwd=/var").check()
        assert done.out.startswith(said) and done.out.endswith(b"/var\n"), (user, done.out)
    assert vm.exec(["sh", "-c", "exec touch /root/x"], "--user=www").status == 1
    end(vm, job)


@test(limit=60)
def exec_terminal(lab):
    """A terminal of ours is the command's: its size, its keys; and ours again at the end."""
    vm, job = boot(lab)
    with Terminal(vm.exec_argv("trap 'stty size' WINCH; stty size; tty; echo ready; "
                               "until read x; do :; done; echo got $x; exit 6", "-it"),
                  33, 101) as term:
        term.wait_for("ready\r\n")
        assert b"33 101\r\n" in term.seen and b"/dev/pts/" in term.seen, term.seen
        assert term.is_raw()
        term.resize(44, 122)
        term.wait_for("44 122\r\n")
        term.type("key\r").wait_for("got key")
        assert term.wait() == 6
        assert term.is_restored()

    # Ctrl-C, when nobody reads what was typed before.
    with Terminal(vm.exec_argv("trap 'echo INT; exit 9' INT; echo ready; "
                               "while :; do sleep 0.05; done", "-it")) as term:
        term.wait_for("ready\r\n")
        term.try_type(b"x" * (4 * MIB), 0.5)
        term.type(b"\x03").wait_for("INT")
        assert term.wait() == 9, term.seen[-200:]
        assert term.is_restored()

    # The same without a terminal in the guest: a signal does not wait behind the input.
    job2 = start(vm, "trap 'echo INT; exit 9' INT; echo ready; while :; do sleep 0.05; done", "-i",
                 stdin=subprocess.PIPE).wait_for("ready\n")
    os.set_blocking(job2.process.stdin.fileno(), False)
    fill(job2.process.stdin.fileno())
    job2.signal(signal.SIGINT)
    done = job2.wait().check(9)
    assert done.out == b"ready\nINT\n", done.out

    # Whoever is in front of the terminal gets the keyboard's signals.
    with Terminal(vm.exec_argv(["sleep", "1003"], "-it")) as term:
        wait_until(term.is_raw, "the terminal to be raw")
        term.type(b"\x1c")
        assert term.wait() == 128 + signal.SIGQUIT
    with Terminal(vm.exec_argv(["sleep", "1004"], "-it")) as term:
        wait_until(term.is_raw, "the terminal to be raw")
        term.process.terminate()
        assert term.wait() == 128 + signal.SIGTERM and term.is_restored()
    assert_no_process(vm, "sleep 1004")
    end(vm, job)


def fill(fd):
    """Writes until nothing is taken for a while."""
    since = time.monotonic()
    while time.monotonic() - since < 0.3:
        try:
            os.write(fd, bytes(65536))
            since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)


@test(limit=60)
def exec_client_killed(lab):
    """Its group is gone; what left its session goes on, and keeps nobody waiting."""
    vm, job = boot(lab)
    script = ("(trap '' HUP TERM; sleep 2001; sleep 2001) & sleep 2002 & sleep 2003 | cat & "
              "echo ready; sleep 2004")
    for options, streams in (((), {}), (("-t",), {})):
        client = start(vm, script, *options, **streams).wait_for("ready")
        client.signal(signal.SIGKILL)
        client.wait()
        assert_no_process(vm, "sleep 200")

    begun = time.monotonic()
    done = vm.exec("setsid sleep 3001 & echo mine; exit 3").check(3)
    assert done.out == b"mine\n" and time.monotonic() - begun < 120, done.out
    assert any("sleep 3001" in line for line in guest_processes(vm)), guest_processes(vm)
    begun = time.monotonic()
    vm.exec("(trap '' HUP; setsid sleep 3002) & echo mine; exit 4", "-t").check(4)
    assert time.monotonic() - begun < 120
    end(vm, job)


class Census:
    """What there is of a VM on both sides that could leak."""

    def __init__(self, vm):
        said = status(vm)
        self.vm = vm
        self.pids = {"sluice-vm": said["pid"], "sluice-vsock": said["vsock"]["pid"],
                     "sluiced": said["switch"]["pid"]}

    def settle(self):
        """What there is when what has just ended, or begun, has done so: the same for a while."""
        taken = [self.take()]
        while len(taken) < 60 and (len(taken) < 3 or taken[-1] != taken[-3]):
            time.sleep(0.1)
            taken.append(self.take())
        return taken[-1]

    def take(self):
        counts = {f"{name}'s descriptors": len(os.listdir(f"/proc/{pid}/fd"))
                  for name, pid in self.pids.items()}
        counts["clients here"] = self.n_clients()
        counts["processes in the guest"] = len(guest_processes(self.vm))
        agent = self.agent()
        counts["agent's"] = {key: agent[key] for key in ("clients", "processes", "forwards")
                             if key in agent}
        return counts

    def n_clients(self):
        """sluice-exec's that are left."""
        n = 0
        for path in glob.glob("/proc/[0-9]*/comm"):
            try:
                with open(path, encoding="ascii") as file:
                    n += file.read().strip() == "sluice-exec"
            except OSError:
                pass
        return n

    def agent(self):
        path = os.path.join(self.vm.run_dir, self.vm.name + ".vsock")
        with AgentClient(path, time.monotonic() + 60) as agent:
            return agent.status()

    def assert_no_more(self, before):
        """What was about to end before may have ended since."""
        def is_so():
            now = self.take()
            agents = now.pop("agent's"), before["agent's"]
            return (all(now[key] <= before[key] for key in now) and
                    all(agents[0][key] <= agents[1][key] for key in agents[0]))
        try:
            wait_until(is_so, "nothing to be left")
        except LabError as error:
            raise LabError(f"before {before}, now {self.take()}") from error


@test(limit=120)
def exec_many(lab):
    """One after the other and many at a time: each gets its own, and nothing is left of them."""
    vm, job = boot(lab)
    vm.exec("true").check()
    census = Census(vm)
    before = census.settle()
    for i in range(1000 if lab.soak else 100):
        assert vm.exec(["echo", str(i)]).check().out == b"%d\n" % i

    def one(i):
        data = os.urandom(50000 + i)
        return vm.exec(f"cat; exit {i}", data=data).check(i).out == data

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert all(pool.map(one, range(64))), "an answer was another's"
    census.assert_no_more(before)

    jobs = [start(vm, f"echo ready; exec sleep {4000 + i}") for i in range(16)]
    for client in jobs:
        client.wait_for("ready\n")
    for client in jobs:
        client.signal(signal.SIGKILL)
        client.wait()
    census.assert_no_more(before)
    end(vm, job)


@test(limit=60)
def exec_before_it_is_up(lab):
    """It waits for the guest; not for ever."""
    vm = Vm(Calico(lab))
    begun = time.monotonic()
    done = vm.exec("true", "--timeout=1").check(126)
    assert 0.9 < time.monotonic() - begun < 25, time.monotonic() - begun  # by default it is 30
    assert b"vm0.vsock" in done.err and done.err.count(b"\n") == 1, done.err
    early = [start(vm, f"echo {i}; exit {i}", "--timeout=150") for i in range(4)]
    job = vm.start(SLEEPER)
    for i, client in enumerate(early):
        assert client.wait().check(i).out == b"%d\n" % i
    job.wait_for("ready\n")
    end(vm, job)


@test(limit=120, each={"uml": (64, "uml"), "qemu": (16, "qemu")})
def exec_survives_the_switch(lab, case):
    """The switch is killed under a stream, which does not notice."""
    size, vmm = case
    vm, job = boot(lab, vmm=vmm)
    pump = Pump(vm.exec_argv(["cat"], "-i"), size * MIB)
    pump.wait_for(size * MIB // 8)
    kill(status(vm)["switch"]["pid"])
    wait_until(lambda: status(vm)["switch"]["starts"] == 2, "the switch to be started again")
    pump.check()
    end(vm, job)
