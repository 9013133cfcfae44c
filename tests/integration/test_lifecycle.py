# SPDX-License-Identifier: BSD-3-Clause
"""Starting, stopping, and guests that come, go and break off at any moment."""

import json
import os
import select
import socket
import subprocess

from guest import Qemu, Uml
from lab import PEER4, guest4, ping, tcp, wait_until
from suite import test
from test_traffic import MIB


def exit_of(lab, config, option="--config"):
    """Starts sluiced where it is expected to refuse: (exit status, what it said)."""
    path = lab.path("config.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    program = os.path.join(lab.build, "switch", "sluiced")
    done = subprocess.run(["ip", "netns", "exec", "pod", program, option, path],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@test(limit=30)
def sigterm_stops_cleanly(lab):
    sw = lab.switch()
    lab.boot()
    sockets = [lab.path("vm0.sock"), lab.path("ctl.sock")]
    assert all(os.path.exists(path) for path in sockets), os.listdir(lab.workdir)
    mode = os.stat(sockets[0]).st_mode & 0o777
    assert mode == 0o660, f"the socket's mode is {mode:o}"
    status = sw.stop()
    assert status == 0, f"exit status {status}"
    left = [path for path in sockets if os.path.exists(path)]
    assert not left, f"left behind: {left}"


@test(limit=30)
def bad_config_starts_nothing(lab):
    """One line that names the file, the place in it and what is allowed; exit status 2."""
    lab.wire()
    good = lab.config()
    uplink, vm0 = good["ports"]
    cases = {
        "colour": {**good, "colour": "blue"},
        "spin-us": {**good, "spin-us": "fast"},
        "fdb-size": {**good, "fdb-size": 1},
        "ports[1].name": {**good, "ports": [uplink, {**vm0, "name": "uplink"}]},
        "ports[1].mtux": {**good, "ports": [uplink, {**vm0, "mtux": 1}]},
        "ports[1].kind": {**good, "ports": [uplink, {**vm0, "kind": "carrier-pigeon"}]},
        "ports[1].socket": {**good, "ports": [uplink, {"name": "vm0", "kind": "vhost-user"}]},
        "config.json": "{",
    }
    for where, config in cases.items():
        for option in ("--config", "--check"):
            status, said = exit_of(lab, config, option)
            assert status == 2, f"{where}: exit status {status}: {said}"
            assert len(said.strip().splitlines()) == 1, f"{where}: not one line: {said}"
            assert where in said and "config.json" in said, f"{where} is not named: {said}"
    assert not os.path.exists(lab.path("vm0.sock"))
    status, said = exit_of(lab, good, "--check")
    assert status == 0, said


@test(limit=30)
def stale_socket_is_replaced_live_one_refused(lab):
    lab.wire()
    path = lab.path("vm0.sock")
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(path)
        holder.listen()
        status, said = exit_of(lab, lab.config())
        assert status == 1, f"exit status {status} beside a live socket: {said}"
        assert path in said, f"the socket is not named: {said}"
        assert os.path.exists(path), "another program's socket was removed"
    lab.start(lab.config())
    ping(lab.boot(), PEER4)


@test(limit=60)
def interface_comes_later(lab):
    """No eth0 when the switch starts: the port says so, and a guest is online once it is there."""
    lab.wire()
    lab.pod.run("ip link set eth0 down; ip link set eth0 name eth7")
    sw = lab.start(lab.config())
    assert sw.show("uplink")["operstate"] == "down"
    assert "does not exist" in sw.show("uplink")["reason"], sw.show("uplink")
    vm = lab.boot()
    lab.pod.run("ip link set eth7 name eth0; ip link set eth0 up")
    wait_until(lambda: vm.try_run(f"ping -c 1 -W 1 {PEER4}")[0] == 0, "the guest to be online")
    tcp(lab.peer, vm, guest4(), 16 * MIB)


@test(limit=30)
def second_front_end_is_refused(lab):
    """A second connection is closed at once, and the guest on the first does not notice."""
    lab.switch()
    vm = lab.boot()
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as second:
            try:
                second.connect(lab.path("vm0.sock"))
                second.sendall(bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))  # GET_FEATURES
                closed = select.select([second], [], [], 60)[0] and second.recv(64) == b""
            except OSError:
                closed = True
            assert closed, "the second connection was answered"
    ping(vm, PEER4)


@test(limit=60)
def guest_killed_and_replaced(lab):
    """A power cut in the middle of a stream; the next guest gets a working port."""
    sw = lab.switch()
    for round_number in range(3):
        vm = lab.boot()
        tcp(vm, lab.peer, PEER4, 16 * MIB)
        vm.spawn(f"tcp_pump recv {6000 + round_number}").wait_for("ready")
        stream = lab.peer.spawn(f"tcp_pump send {guest4()} {6000 + round_number} {1 << 40}")
        before = sw.stats("vm0")["stats64"]["tx"]["bytes"]
        wait_until(lambda: sw.stats("vm0")["stats64"]["tx"]["bytes"] > before + 8 * MIB,
                   "the stream to run")
        vm.kill()
        sw.wait_connected("vm0", False)
        stream.kill()
        shown = sw.show("vm0")
        assert shown["operstate"] != "up" and shown["reason"] and shown["hint"], shown


@test(limit=60)
def one_guest_dies_the_other_stays(lab):
    """A port's end is no event for its neighbours."""
    lab.switch(n_guests=2)
    vm0, vm1 = lab.boot(0), lab.boot(1)
    receiver = lab.peer.spawn("tcp_pump recv 5001").wait_for("ready")
    sender = vm0.spawn(f"tcp_pump send {PEER4} 5001 {1024 * MIB} 1")
    vm1.spawn(f"udp_ping run {PEER4} 9 count 100000000 timeout 1")
    vm1.kill()
    lab.sluiced.wait_connected("vm1", False)
    sender.wait(240)
    assert f'"bytes": {1024 * MIB}' in receiver.wait()


@test(limit=60)
def guest_resets_its_device(lab):
    """The driver is unloaded and loaded under traffic, again and again."""
    lab.switch()
    vm = lab.boot()
    flood = lab.peer.spawn(f"while :; do udp_ping run {guest4()} 9 count 10000 timeout 1; done")
    for _ in range(5):
        vm.run("rmmod virtio_net && modprobe virtio_net")
        lab.configure(vm)
    flood.kill()
    tcp(vm, lab.peer, PEER4, 64 * MIB)
    tcp(lab.peer, vm, guest4(), 64 * MIB)


@test(limit=60)
def interface_goes_down_and_up(lab):
    """The pod's interface flaps: the switch outlives it and says so."""
    sw = lab.switch()
    vm = lab.boot()
    ping(vm, PEER4)
    lab.pod.run("ip link set eth0 down")
    vm.try_run(f"ping -c 1 -W 1 {PEER4}")
    wait_until(lambda: sw.show("uplink")["operstate"] != "up", "port show to see the link down")
    lab.pod.run("ip link set eth0 up")
    wait_until(lambda: sw.show("uplink")["operstate"] == "up", "port show to see the link up")
    ping(vm, PEER4)
    tcp(lab.peer, vm, guest4(), 16 * MIB)


@test(limit=30)
def sluicectl_exit_codes(lab):
    sw = lab.switch()

    def status(*argv):
        return subprocess.run(argv, capture_output=True, timeout=60).returncode

    for words in (("port", "list"), ("port", "show"), ("port", "stats"), ("fdb", "show"),
                  ("worker", "show"), ("version",)):
        assert status(*sw.ctl_argv(*words)) == 0, words
        sw.ctl(*words)
    assert status(*sw.ctl_argv("port", "show", "nosuchport")) == 1
    assert status(*sw.ctl_argv("port", "dance")) == 2
    assert status(sw.ctl_program, "-s", lab.path("nobody.sock"), "version") == 1


@test(limit=120, each={"mergeable": {}, "not-mergeable": {"mrg_rxbuf": "off"}})
def qemu_tcg(lab, nic):
    """Another front-end, another transport: Debian's cloud kernel under QEMU."""
    sw = lab.switch()
    vm = lab.boot(kind=Qemu, nic={"mac": "02:00:00:00:00:01", **nic})
    ping(vm, PEER4)
    tcp(vm, lab.peer, PEER4, 64 * MIB)
    tcp(lab.peer, vm, guest4(), 64 * MIB)
    assert sw.stats("uplink")["stats64"]["tx"]["super_frames"] > 100
    vm.run("rmmod virtio_net && modprobe virtio_net")
    lab.configure(vm)
    ping(vm, PEER4)
    assert sw.stop() == 0
    vm.run("while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do usleep 10000; done")


@test(limit=90)
def qemu_and_uml_on_one_switch(lab):
    lab.switch(n_guests=2)
    vm0 = lab.boot(0, kind=Uml)
    vm1 = lab.boot(1, kind=Qemu, nic={"mac": "02:00:00:00:00:02"})
    tcp(vm0, vm1, guest4(1), 48 * MIB)
    tcp(vm1, vm0, guest4(0), 48 * MIB)
