# SPDX-License-Identifier: BSD-3-Clause
"""The machines of a test: network namespaces, a running sluiced, guests; and their clean-up.

A Lab belongs to one test. The usual one is

    namespace "peer"                 namespace "pod"                     guest
    eth0 10.0.0.1, fd00::1  <-veth-> eth0 -- sluiced -- vm0.sock  <->    eth0 10.0.0.2, fd00::2

    sw = lab.switch()                # namespaces, veth, sluiced with "uplink" and "vm0"
    vm = lab.boot()                  # a guest on vm0, with its addresses
    tcp(vm, lab.peer, PEER4, 2**30)

Guests and namespaces take commands in the same way (run, try_run, spawn), so that what a test says
about one direction it can say about the other.
"""

import contextlib
import glob
import json
import os
import select
import signal
import socket
import subprocess
import time

from guest import Guest, Uml, die_with_parent, vhost_user
from json_socket import JsonSocket

PEER4, PEER6 = "10.0.0.1", "fd00::1"

# For a switch that was built with sanitizers. SIGBUS is its own to handle: guest memory that is gone.
SANITIZER_ENV = {"ASAN_OPTIONS": "handle_sigbus=0:quarantine_size_mb=16:malloc_context_size=8",
                 "UBSAN_OPTIONS": "print_stacktrace=1"}
SANITIZER_WORDS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                   "AddressSanitizer:DEADLYSIGNAL")


class LabError(Exception):
    """Something that a test relies on did not happen."""


def guest4(index=0):
    return f"10.0.0.{index + 2}"


def guest6(index=0):
    return f"fd00::{index + 2}"


def guest_mac(index=0):
    return f"02:00:00:00:00:{index + 1:02x}"


def wait_until(condition, what, timeout=60):
    """For states that nobody announces: asks until `condition()` is true and returns its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.01)
    return value


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Namespace:
    """A network namespace of this machine."""

    def __init__(self, name, tools):
        self.name = name
        self.jobs = []
        self.env = dict(os.environ, PATH=tools + ":" + os.environ["PATH"])
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.run("ip link set lo up")

    def _argv(self, command):
        return ["ip", "netns", "exec", self.name, "sh", "-c", command]

    def try_run(self, command, timeout=120):
        """Runs a shell command: (exit status, output)."""
        try:
            done = subprocess.run(
                self._argv(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.env,
                stderr=subprocess.STDOUT, timeout=timeout, text=True, preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"in {self.name}: {command}: still running after {timeout} s") from error
        return done.returncode, done.stdout

    def run(self, command, timeout=120):
        """Runs a shell command that must succeed: its output."""
        status, output = self.try_run(command, timeout)
        if status != 0:
            raise LabError(f"in {self.name}: {command}: exit status {status}\n{output}")
        return output

    def settle(self, interface="eth0"):
        """Waits for what the kernel does by itself once an interface is up: the carrier, addresses
        that are checked for duplicates, and the routes that come with them."""
        def is_settled():
            link = json.loads(self.run(f"ip -json addr show dev {interface}"))[0]
            ipv6 = [a for a in link["addr_info"] if a["family"] == "inet6"]
            own = self.run(f"ip -6 route show table local type local dev {interface}")
            return (link["operstate"] == "UP" and not any("tentative" in a for a in ipv6) and
                    len(own.splitlines()) >= len(ipv6))
        wait_until(is_settled, f"{interface} in {self.name} to settle")

    def spawn(self, command):
        """Starts a shell command in the background: a HostJob."""
        # SIGUSR1 is for the command, not for the shell around it.
        job = HostJob(self.name, command, self._argv(f"trap '' USR1; {command}"), self.env)
        self.jobs.append(job)
        return job

    def close(self):
        for job in self.jobs:
            job.kill()
        subprocess.run(["ip", "netns", "del", self.name], check=True)


class HostJob:
    """A process of this machine; the counterpart of guest.GuestJob."""

    def __init__(self, where, command, argv, env):
        self.where = where
        self.command = command
        self.text = ""
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=env, process_group=0, preexec_fn=die_with_parent)

    def _read(self, deadline):
        """Takes in more output; False at its end."""
        out = self.process.stdout
        if not select.select([out], [], [], max(0, deadline - time.monotonic()))[0]:
            raise LabError(f"in {self.where}: {self.command}: took too long\n{self.text}")
        data = os.read(out.fileno(), 65536)
        self.text += data.decode(errors="replace")
        return bool(data)

    def poll(self):
        """Takes in the output there is."""
        while select.select([self.process.stdout], [], [], 0)[0]:
            if not self._read(time.monotonic()):
                return

    def wait_for(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while text not in self.text:
            if not self._read(deadline):
                raise LabError(f"in {self.where}: {self.command}: ended early\n{self.text}")
        return self

    def wait(self, timeout=120):
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        if self.process.wait() != 0:
            raise LabError(f"in {self.where}: {self.command}: exit status "
                           f"{self.process.returncode}\n{self.text}")
        return self.text

    def output(self):
        return self.text

    def finish(self, timeout=120):
        """Asks one of tests/tools that is at work to come to its end: its output."""
        os.killpg(self.process.pid, signal.SIGUSR1)
        return self.wait(timeout)

    def kill(self):
        kill_group(self.process)


class Sluiced:
    """A running switch, from READY to its end."""

    def __init__(self, build, workdir, config, netns, name="sluiced", prefix=()):
        self.workdir = workdir
        self.control = config["control-socket"]
        self.program = os.path.join(build, "switch", "sluiced")
        self.ctl_program = os.path.join(build, "switch", "cli", "sluicectl")
        self.log = os.path.join(workdir, name + ".log")
        self.config_path = os.path.join(workdir, name + ".json")
        self._rpc = None
        self.write_config(config)
        notify_path = os.path.join(workdir, name + ".notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
                open(self.log, "ab") as log:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(notify_path)
            notify.bind(notify_path)
            started = time.monotonic()
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", netns, *prefix, self.program, "--config",
                 self.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                env=dict(os.environ, NOTIFY_SOCKET=notify_path, **SANITIZER_ENV),
                preexec_fn=die_with_parent)
            self._await_ready(notify)
            self.ready_ms = (time.monotonic() - started) * 1000

    def _await_ready(self, notify, timeout=60):
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while True:
                ready, _, _ = select.select([notify, pidfd], [], [], timeout)
                if notify in ready:
                    if "READY=1" in notify.recv(4096).decode().split("\n"):
                        return
                else:
                    raise LabError("sluiced " + ("ended" if ready else "was not READY in time"))
        except BaseException:
            kill_group(self.process)
            raise
        finally:
            os.close(pidfd)

    def write_config(self, config):
        """The file that config.reload reads."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2)

    def call(self, method, **params):
        """The result of a method of the control socket, on a connection that stays open."""
        if self._rpc is None:
            self._rpc = JsonSocket(self.control)
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        return self._rpc.ask({**message, "params": params} if params else message)

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kib(self):
        """What it has allocated; mapped guests do not count."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

    def cpu_seconds(self, thread="*"):
        """What a thread has used, or all of them; the control thread's number is the process's."""
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/{thread}/schedstat"):
            with open(path, encoding="utf-8") as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def ctl_argv(self, *words):
        return [self.ctl_program, "-s", self.control, *words]

    def ctl(self, *words):
        """What `sluicectl --json WORDS` answers."""
        done = subprocess.run(self.ctl_argv("--json", *words), capture_output=True, timeout=60,
                              text=True)
        if done.returncode != 0:
            raise LabError(f"sluicectl {' '.join(words)}: {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def stats(self, name):
        return next(p for p in self.ctl("port", "stats") if p["ifname"] == name)

    def show(self, name):
        return next(p for p in self.ctl("port", "show") if p["ifname"] == name)

    def drops(self, *expected):
        """{port: {reason: count}} of what was dropped for a reason that is not `expected`."""
        found = {}
        for port in self.ctl("port", "stats"):
            reasons = {reason: drop["count"] for reason, drop in port["drop_reasons"].items()
                       if drop["count"] and reason not in expected}
            if reasons:
                found[port["ifname"]] = reasons
        return found

    def wait_connected(self, name, connected=True, timeout=60):
        def is_connected():
            port = self.show(name)
            return port["peer"]["connected"] if "peer" in port else port["operstate"] == "up"
        state = "connected" if connected else "disconnected"
        return wait_until(lambda: is_connected() == connected, f"port {name} to be {state}",
                          timeout)

    def stop(self, timeout=60):
        """SIGTERM: the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError("sluiced ignored SIGTERM") from error

    def kill(self):
        """Ends it at once, and forgets the connection to it."""
        if self._rpc is not None:
            self._rpc.close()
        kill_group(self.process)

    def tail(self, n_lines=60):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-n_lines:])

    def sanitizer_report(self):
        """What a sanitizer found wrong with it so far; empty if nothing, or if it has none."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.readlines()
        for i, line in enumerate(lines):
            if any(word in line for word in SANITIZER_WORDS):
                return "".join(lines[i:i + 40])
        return ""

    def is_sanitized(self):
        with open(f"/proc/{self.process.pid}/maps", encoding="utf-8") as maps:
            return "libasan" in maps.read()


class Lab:
    """All that one test has set up."""

    def __init__(self, build, workdir, soak=False):
        self.build = os.path.abspath(build)
        self.tools = os.path.join(self.build, "tests", "tools")
        self.workdir = str(workdir)
        self.soak = soak
        self.namespaces = {}
        self.guests = []
        self.sluiced = None
        self.far_sluiced = None

    def path(self, name):
        return os.path.join(self.workdir, name)

    def namespace(self, name):
        self.namespaces[name] = Namespace(name, self.tools)
        return self.namespaces[name]

    @property
    def pod(self):
        return self.namespaces["pod"]

    @property
    def peer(self):
        return self.namespaces["peer"]

    def wire(self, mtu=1500):
        """Namespaces pod and peer with a veth between them; only the peer has addresses."""
        self.namespace("pod")
        self.namespace("peer")
        self.pod.run(f"ip link add eth0 mtu {mtu} type veth peer name eth0 mtu {mtu} netns peer")
        # The pod's kernel has nothing to say: it is not part of this test.
        self.pod.run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip link set eth0 up")
        self.peer.run(f"ip addr add {PEER4}/24 dev eth0; ip addr add {PEER6}/64 dev eth0 nodad;"
                      "ip link set eth0 up")

    def config(self, n_guests=1, mtu=1500, port=None, ports=None, **settings):
        """A configuration file's content: uplink and vm0, vm1, ... with the options `port`.

        `ports` replaces the list; `settings` are top-level keys with - written as _.
        """
        if ports is None:
            ports = [{"name": "uplink", "kind": "packet", "interface": "eth0"}]
            for i in range(n_guests):
                ports.append({"name": f"vm{i}", "kind": "vhost-user", "mac": guest_mac(i),
                              "socket": self.path(f"vm{i}.sock"), **(port or {})})
                if mtu != 1500:
                    ports[-1]["mtu"] = mtu
        return {"control-socket": self.path("ctl.sock"), "ports": ports,
                **{key.replace("_", "-"): value for key, value in settings.items()}}

    def switch(self, mtu=1500, **config):
        """Wires the namespaces up and starts sluiced; see config()."""
        self.wire(mtu)
        return self.start(self.config(mtu=mtu, **config))

    def start(self, config, prefix=()):
        """`prefix` are words in front of the command, such as setpriv's."""
        self.sluiced = Sluiced(self.build, self.workdir, config, "pod", prefix=prefix)
        return self.sluiced

    def far_guest(self):
        """A guest on a switch of its own in namespace "peer": vm1 there, the address of guest 1.

        For what this machine's kernel may not have the modules for, such as VLAN devices: between
        the two switches there is still a veth and the kernel's own handling of its frames.
        """
        far = self.config(n_guests=2)
        far["control-socket"] = self.path("far.sock")
        del far["ports"][1]
        self.far_sluiced = Sluiced(self.build, self.workdir, far, "peer", "far-sluiced")
        return self.boot(1)

    def boot(self, index=0, kind=Uml, mtu=1500, **options):
        """Boots a guest on vm<index> and gives it its addresses."""
        nic = vhost_user(self.path(f"vm{index}.sock"), **options.pop("nic", {}))
        guest = kind(self.workdir, [nic], name=f"guest{index}", **options)
        self.guests.append(guest)
        self.configure(guest, index, mtu)
        return guest

    def configure(self, guest, index=0, mtu=1500):
        guest.run(f"ip link set eth0 mtu {mtu} up\n"
                  f"ip addr add {guest4(index)}/24 dev eth0\n"
                  f"ip addr add {guest6(index)}/64 dev eth0 nodad\n"
                  "until [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do usleep 1000; done")
        for switch in filter(None, (self.sluiced, self.far_sluiced)):
            if any(port["ifname"] == f"vm{index}" for port in switch.ctl("port", "show")):
                switch.wait_connected(f"vm{index}")

    def assert_sound(self):
        """No sanitizer has found anything, in a build that has them."""
        for switch in filter(None, (self.sluiced, self.far_sluiced)):
            report = switch.sanitizer_report()
            assert not report, "a sanitizer found this in sluiced:\n" + report

    def report(self):
        """What one wants to know about a test that failed."""
        parts = []
        for guest in self.guests:
            if not guest.process.stdout.closed:
                parts.append(guest.tail())
        if self.sluiced:
            parts.append("--- sluiced\n" + self.sluiced.tail())
            for words in (("port", "show"), ("port", "stats"), ("fdb", "show"), ("binding", "show"),
                          ("neighbour", "show")):
                try:
                    done = subprocess.run(self.sluiced.ctl_argv(*words), capture_output=True,
                                          text=True, timeout=5)
                    said = "".join((done.stdout + done.stderr).splitlines(True)[:60])
                    parts.append(f"--- sluicectl {' '.join(words)}\n{said}")
                except (OSError, subprocess.SubprocessError) as error:
                    parts.append(f"--- sluicectl {' '.join(words)}: {error}")
            code = self.sluiced.process.poll()
            parts.append("--- sluiced is running" if code is None else f"--- sluiced ended: {code}")
        return "\n".join(parts)

    def close(self):
        for guest in self.guests:
            guest.kill()
        for switch in filter(None, (self.sluiced, self.far_sluiced)):
            switch.kill()
        for namespace in self.namespaces.values():
            namespace.close()


def last_json(output):
    return json.loads(output.strip().splitlines()[-1])


class Stream:
    """A TCP stream beside what the test does meanwhile; without n_bytes it runs until finish()."""

    def __init__(self, source, sink, address, n_bytes=1 << 50, port=5001):
        self.receiver = sink.spawn(f"tcp_pump recv {port}").wait_for("ready")
        self.sender = source.spawn(f"tcp_pump send {address} {port} {n_bytes} {port}")

    def finish(self, timeout=120):
        """Ends it now: see wait()."""
        return self._compare(self.sender.finish(timeout), timeout)

    def wait(self, timeout=240):
        """Its end, and what the receiver says of it; what it got must be what was sent."""
        return self._compare(self.sender.wait(timeout), timeout)

    def _compare(self, sent, timeout):
        sent, got = last_json(sent), last_json(self.receiver.wait(timeout))
        assert got["bytes"] == sent["bytes"], f"sent: {sent}, received: {got}"
        assert got["sha256"] == sent["sha256"], "the stream was damaged"
        return got


def tcp(source, sink, address, n_bytes, port=5001, timeout=240):
    """One TCP stream from source to sink, compared by its SHA-256: Gb/s."""
    got = Stream(source, sink, address, n_bytes, port).wait(timeout)
    assert got["bytes"] == n_bytes, f"{n_bytes} bytes sent, {got['bytes']} received"
    return n_bytes * 8 / 1e9 / got["seconds"]


def udp_ping(source, sink, address, options="", port=5002, timeout=240):
    """UDP round trips, every one of which must come back undamaged: the figures of udp_ping."""
    server = sink.spawn(f"udp_ping serve {port}").wait_for("ready")
    try:
        result = last_json(source.run(f"udp_ping run {address} {port} {options}", timeout))
    finally:
        server.kill()
    assert result["lost"] == 0 and result["corrupt"] == 0, f"udp_ping {options}: {result}"
    return result


def ping(source, address, count=3):
    """ICMP echo; every answer must come."""
    word = "ping6" if ":" in address else "ping"
    if not isinstance(source, Guest):
        word = "busybox " + word
    source.run(f"{word} -c {count} -i 0.2 -W 20 {address}", timeout=60 + 5 * count)


def arping(source, words):
    """What busybox arping says; asked again, later, as long as no reply has come in its second."""
    for _ in range(10):
        _, said = source.try_run(f"busybox arping {words}")
        if "reply from" in said.lower():
            return said
        time.sleep(3)  # what comes late is not for the next
    raise LabError(f"arping {words}: no reply: {said}")
