# SPDX-License-Identifier: BSD-3-Clause
"""pod-tcp: one iperf3 stream between two pods of podman's bridge network.

    sluice       UML - vhost-user - sluiced - eth0 - veth - bridge - veth - eth0 - sluiced - ... - UML
    tap          the same VMs with `datapath: tap`: UML - TAP - nft - eth0 - veth - bridge - ... - UML
    container    plain containers: eth0 - veth - bridge - veth - eth0

The guest (or iperf3, in a plain container) that sends has a CPU, and the one that receives has the
other: `sluice-vm` keeps a UML guest on one CPU, but which one is a matter of chance. All else, the
switches above all, goes where the scheduler puts it.
"""

import json
import os
import re
import shutil
import subprocess

from bench import SLUICE, Bench, Group, Void, on_cpus
from oci_kinds import RUNC, UML
from vm import make_rootfs

TAP = {**UML.annotations, "sluice.dev/datapath": "tap"}
SETTINGS = "/etc/sluice/sluice.json"
SECONDS = 4
IMAGE = "localhost/iperf3:1"
SERVER_CPU, CLIENT_CPU = 0, 1


def allow_datapath(node):
    """Else it is the administrator's to set."""
    with open(SETTINGS, encoding="ascii") as file:
        settings = json.load(file)
    allowed = settings["runtime"].get("annotations")
    settings["runtime"]["annotations"] = f"{allowed},datapath" if allowed else "datapath"
    node.configure(settings)


def with_libraries(program):
    """Its path, and those of what it is linked with."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [program, *re.findall(r"(/\S+) \(0x", said)]


def make_image(lab, engine):
    rootfs = make_rootfs(lab.path("iperf3"))
    for path in with_libraries(shutil.which("iperf3")):
        to = rootfs + path
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)
    return engine.add_image(IMAGE, rootfs=rootfs)


def descendants(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    return [pid, *(below for child in children for below in descendants(child))]


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()


def move_guest(container, cpu):
    """All processes that the guest is, and so those to come."""
    for pid in descendants(int(container.inspect(".State.Pid"))):
        if name_of(pid).startswith("linux"):
            os.sched_setaffinity(pid, {cpu})


def start(engine, image, cpu):
    container = engine.start("echo up; exec sleep 1000", image=image).wait_for_log("up")
    move_guest(container, cpu)
    return container


def stream(engine, image):
    server, client = start(engine, image, SERVER_CPU), start(engine, image, CLIENT_CPU)
    with on_cpus({SERVER_CPU}):
        job = engine.spawn("exec", server.name, "iperf3", "-s", "-1", "--forceflush")
        job.wait_for("Server listening")
    with on_cpus({CLIENT_CPU}):
        done = client.exec(["iperf3", "-c", server.address(), "-t", str(SECONDS), "-J"])
    said = json.loads(done.check().out)
    if "error" in said:
        raise Void(said["error"])
    job.wait().check()
    return said["end"]["sum_received"]["bits_per_second"] / 1e9


def tcp(lab, kind, annotations=None):
    """Gb/s, as received."""
    with kind.podman(lab) as engine:
        if annotations:
            engine.annotations = annotations
            allow_datapath(engine.node)
        return {"pod-tcp": stream(engine, make_image(lab, engine))}


GROUPS = [Group(benches=[Bench("pod-tcp", "Gb/s", more_is_better=True, bar=1.0, bar_peer="tap")],
                sides={SLUICE: lambda lab, _: tcp(lab, UML),
                       "tap": lambda lab, _: tcp(lab, UML, TAP),
                       "container": lambda lab, _: tcp(lab, RUNC)},
                runs=5,
                setup=f"one iperf3 stream, {SECONDS} s, between two pods of podman's bridge; the "
                      "receiving guest on CPU 0, the sending one on CPU 1, all else not pinned")]
