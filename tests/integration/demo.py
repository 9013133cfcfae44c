#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shows a real guest's traffic crossing the switch, step by step: demo.py --build DIR

Everything happens in namespaces of its own and is gone when it ends; see namespaces.py.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import run
from cni import FAR4, GUEST_MAC, Calico
from demo_containers import container_demo
from demo_stage import BOLD, PLAIN, check, run_in, show, step, typed
from lab import PEER4, Lab, guest4, last_json, wait_until
from namespaces import start_inside
from vm import Vm

INSIDE = "SLUICE_DEMO_INSIDE"


def pump(source, where, sink, there, address):
    """256 MiB by TCP: what is sent is what comes."""
    n_bytes = 256 << 20
    typed(there, "tcp_pump recv 5001 &")
    receiver = sink.spawn("tcp_pump recv 5001").wait_for("ready")
    sent = last_json(run_in(source, where, f"tcp_pump send {address} 5001 {n_bytes}"))
    got = last_json(receiver.wait())
    show(f"{there} received {got['bytes']} bytes, sha256 {got['sha256'][:16]}...")
    check("bytes received", got["bytes"], n_bytes)
    check("the sum of what was received", got["sha256"], sent["sha256"])


def iperf(vm, reverse):
    command = f"iperf3 -c {PEER4} -t 4" + (" -R" if reverse else "")
    typed("guest", command)
    end = json.loads(vm.run(command + " -J", timeout=120))["end"]
    rate = end["sum_received"]["bits_per_second"] / 1e9
    show(f"{end['sum_received']['bytes'] / 2**30:.2f} GiB in {end['sum_received']['seconds']:.1f} s"
         f" = {BOLD}{rate:.2f} Gbit/s{PLAIN} {'to' if reverse else 'from'} the guest")


def sluicectl(sw, *words):
    typed("pod", "sluicectl " + " ".join(words))
    show(subprocess.run(sw.ctl_argv(*words), check=True, capture_output=True, text=True).stdout)


def demo(lab):
    step("a pod-like network namespace: eth0 is one end of a veth, the other end is the peer's")
    lab.wire()
    run_in(lab.pod, "pod", "ip -br link show eth0")
    run_in(lab.peer, "peer", "ip -br -4 addr show eth0")

    step("the switch, with one port on eth0 and one for a VM")
    config = lab.config()
    show(json.dumps({"ports": config["ports"]}, indent=2))
    typed("pod", "sluiced --config sluiced.json &")
    sw = lab.start(config)
    show(f"READY after {sw.ready_ms:.0f} ms")

    step("a guest: Linux as a process, with a virtio-net device on vm0.sock")
    typed("pod", "linux mem=256M initrd=guest.cpio virtio_uml.device=vm0.sock:1 &")
    vm = lab.boot()
    show(f"booted in {vm.boot_seconds:.1f} s")
    run_in(vm, "guest", "uname -sr")
    run_in(vm, "guest", "ip -br -4 addr show eth0")

    step("ping")
    run_in(vm, "guest", f"ping -c 3 -i 0.2 {PEER4}")

    step("TCP in both directions")
    typed("peer", "iperf3 -s &")
    lab.peer.spawn("iperf3 -s --forceflush").wait_for("listening")
    iperf(vm, reverse=False)
    iperf(vm, reverse=True)

    step("256 MiB with a checksum at both ends")
    pump(vm, "guest", lab.peer, "peer", PEER4)
    pump(lab.peer, "peer", vm, "guest", guest4())

    step("what the switch says")
    sluicectl(sw, "port", "show")
    sluicectl(sw, "port", "stats")
    sluicectl(sw, "fdb", "show")

    step("stop")
    vm.poweroff()
    typed("pod", "kill -TERM $(pidof sluiced)")
    status = sw.stop()
    show(f"sluiced ended with exit status {status}")
    check("sluiced's exit status", status, 0)


def pod_demo(lab):
    """The second scene: a guest with a pod's own address, in a network as Calico makes it."""
    step("a Calico-like pod: a /32 address, a gateway that nobody has (169.254.1.1, proxy ARP)")
    net = Calico(lab)
    run_in(net.pod, "pod", "ip -br addr show eth0; ip route")
    before = net.pod.run("ip addr show eth0; ip route")

    step("the guard: the pod's kernel says nothing to what is the guest's")
    typed("pod", "sluice-vm guard hold --interface eth0 &")
    net.hold()
    show(net.guard.text)

    step("the switch: eth0 is the uplink, the guest may have any MAC address and has the pod's IP")
    ports = net.ports("substitute")
    show(json.dumps({"ports": ports}, indent=2))
    typed("pod", "sluiced --config sluiced.json &")
    sw = lab.start(lab.config(ports=ports))
    vm = net.boot(GUEST_MAC)
    run_in(vm, "guest", "ip -br addr show eth0; ip route; cat /sys/class/net/eth0/address")

    step("the guest reaches the world, and is reached, by the pod's address")
    run_in(vm, "guest", f"ping -c 2 -i 0.2 {FAR4}")
    run_in(net.near, "another pod", f"busybox ping -c 2 {net.pod4}")
    pump(vm, "guest", net.far, "far away", FAR4)
    sluicectl(sw, "binding", "show")
    sluicectl(sw, "neighbour", "show")
    run_in(net.node, "node", "ip neigh show dev pod0")

    step("the pod is as it was")
    run_in(net.pod, "pod", "ip -br addr show eth0; ip route")
    check("the pod", net.pod.run("ip addr show eth0; ip route"), before)
    show("nothing has changed")


def vm_demo(lab):
    """The third scene: a container's root file system, run as a VM in the same pod."""
    step("a container's workload in a VM: busybox, in a Calico-like pod")
    net = Calico(lab)
    before = net.pod.run("ip addr show eth0; ip route")
    data = lab.path("data")
    os.makedirs(data)
    vm = Vm(net)
    command = ("echo hello from $(uname -r), $(hostname); ip -br addr show dev eth0 2>/dev/null || "
               "ip -4 addr show dev eth0 | grep inet; echo kept >/data/file; echo ready; "
               "trap 'exit 42' TERM; while :; do sleep 0.1; done")
    typed("pod", "sluice-vm run --rootfs rootfs --volume data:/data -- sh -c '...' &")
    job = vm.start(command, f"--volume={data}:/data").wait_for("ready\n")
    said = job.seen.decode()
    show(said)
    check("its first words", said[:11], "hello from ")
    check("that it has the pod's address", net.pod4 in said, True)

    step("it has the pod's network, and is entered as a container is")
    run_in(net.near, "another pod", f"busybox ping -c 2 {net.pod4}")
    show(in_vm(vm, f"ping -c 2 {FAR4}"))
    fetch_both_ways(net, vm, data)
    enter(vm)
    typed("pod", "cat data/file")
    with open(os.path.join(data, "file"), encoding="ascii") as file:
        said = file.read()
    show(said)
    check("what it wrote to the volume", said, "kept\n")
    typed("pod", "sluice-vm status")
    show(vm.verb("status"))

    step("SIGTERM is the command's own to handle; its exit status is the VM's")
    job.signal(signal.SIGTERM)
    status = job.wait().status
    show(f"exit status {status}")
    check("the exit status", status, 42)
    vm.assert_gone()
    check("the pod", net.pod.run("ip addr show eth0; ip route"), before)
    show("no process, socket, guard or file is left; the pod is as it was")


def in_vm(vm, command):
    """What a shell's command says in the VM; it must succeed."""
    typed("pod", f"sluice-vm exec -- sh -c '{command}'")
    done = subprocess.run(vm.verb_argv("exec", "--", "sh", "-c", command), capture_output=True,
                          text=True, timeout=180, check=False)
    check(f"the exit status of {command} ({done.stderr.strip()})", done.returncode, 0)
    return done.stdout


def enter(vm):
    command = "tty; id -un; stty size"
    typed("pod", f"sluice-vm exec -t -- sh -c '{command}'")
    status, said = in_terminal(vm.verb_argv("exec", "-t", "--", "sh", "-c", command), rows=40,
                               columns=120)
    show(said)
    check("exec's exit status", status, 0)
    check("what is said in the terminal", said.split("\n")[1:3], ["root", "40 120"])
    check("its terminal", said.startswith("/dev/pts/"), True)


def fetch_both_ways(net, vm, data):
    """A file is fetched from the VM and into it; its sum here, and at both other ends."""
    path = os.path.join(data, "big")
    with open(path, "wb") as file:
        file.write(os.urandom(64 << 20))
    typed("pod", "sha256sum data/big")
    wanted = subprocess.run(["sha256sum", path], check=True, capture_output=True,
                            text=True).stdout.split()[0]
    show(wanted)
    in_vm(vm, "httpd -p 8080 -h /data")
    said = run_in(net.far, "far away", f"busybox wget -q -O - http://{net.pod4}:8080/big | sha256sum")
    check("the sum of what came out of the VM", said.split()[0], wanted)
    net.far.spawn(f"exec busybox httpd -f -p 8080 -h {data}")
    wait_until(lambda: "8080" in net.far.run("ss -Htln"), "the host to serve")
    said = in_vm(vm, f"wget -q -O - http://{FAR4}:8080/big | sha256sum")
    show(said)
    check("the sum of what came into the VM", said.split()[0], wanted)


def in_terminal(argv, rows, columns):
    """What a command does on a terminal of that size: its exit status, and what it prints."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # EIO is the end of a terminal
        while data := os.read(ours, 4096):
            seen += data
    os.close(ours)
    return process.wait(60), seen.decode(errors="replace").replace("\r", "")


def play(build, name, scene):
    """One scene, in a lab of its own."""
    workdir = os.path.join(run.WORK, name)
    os.makedirs(workdir)
    lab = Lab(build, workdir)
    try:
        scene(lab)
    except Exception:
        print(lab.report())
        raise
    finally:
        lab.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    if INSIDE not in os.environ:
        return start_inside(INSIDE).wait()
    run.prepare_machine()
    started = time.monotonic()
    play(args.build, "lab", demo)
    play(args.build, "pod", pod_demo)
    play(args.build, "vm", vm_demo)
    play(args.build, "containers", container_demo)
    print(f"\nDone in {time.monotonic() - started:.0f} s. Nothing is left behind.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
