# SPDX-License-Identifier: BSD-3-Clause
"""sluice-vm doctor in pods: what it finds is what is there, and what `run` would end with."""

import json
import os

from cni import POD_MAC, Aws, Calico
from guest import GUEST_DIR
from suite import test
from vm import make_rootfs

SUITE = "vm"

HAVE_LOCK = """
import signal, socket
lock = socket.socket(socket.AF_UNIX)
lock.bind("\\0sluice/vm")
lock.listen()
print("listens")
signal.pause()
"""
WITHOUT_NET_ADMIN = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin"


def with_mounts(commands):
    """What is put before a program for it to see other mounts."""
    return f"unshare -m sh -c '{commands} && exec \"$@\"' -"


class Doctor:
    """What it says in a pod of `net`, of a UML guest unless told otherwise."""

    def __init__(self, net, **settings):
        self.net = net
        self.program = os.path.join(net.lab.build, "launcher", "sluice-vm")
        self.settings = {"vmm": "uml", "kernel": os.path.join(GUEST_DIR, "linux.uml"),
                         "rootfs": make_rootfs(net.lab.path("rootfs")),
                         "run-dir": net.lab.path("run"), "cache-dir": net.lab.path("cache"),
                         **settings}

    def command(self, verb, prefix="", **settings):
        words = {**self.settings, **settings}
        return (f"{prefix} {self.program} {verb} " +
                " ".join(f"--{key.replace('_', '-')}={value}" for key, value in words.items()))

    def ask(self, status=0, prefix="", **settings):
        """The findings, by name."""
        code, output = self.net.pod.try_run(self.command("doctor --json", prefix, **settings), 120)
        report = json.loads(output)
        findings = {f["name"]: f for f in report["findings"]}
        failed = [name for name, f in findings.items() if f["level"] == "fail"]
        assert code == status and report["ok"] == (status == 0) == (not failed), (code, output)
        return findings

    def text(self, **settings):
        return self.net.pod.try_run(self.command("doctor", **settings))[1]


def levels(findings, *names):
    return {name: findings[name]["level"] for name in names}


@test()
def doctor_in_a_good_pod(lab):
    """All is well; nothing is made; each line says the same as the JSON."""
    net = Calico(lab)
    doctor = Doctor(net)
    before = net.snapshot()
    found = doctor.ask()
    good = levels(found, "sluiced", "sluice-vsock", "sluice-exec", "sluice-fs-relay",
                  "sluice-agent", "kernel", "modules", "pod-interface", "mac", "mtu", "gateway",
                  "network-namespace", "pod-lock", "loopback", "cap-net-admin", "cap-net-raw",
                  "nftables", "guard", "rootfs", "virtiofsd", "mke2fs", "nfs-ganesha", "run-dir",
                  "cache-dir")
    assert set(good.values()) == {"ok"}, good
    assert net.pod4 in found["pod-interface"]["found"], found
    assert net.pod6 in found["pod-interface"]["found"], found
    assert POD_MAC in found["mac"]["found"] and found["mtu"]["found"] == str(net.mtu), found
    # UML keeps nobody in, and that is said.
    assert found["vmm"]["level"] == "warn" and "boundary" in found["vmm"]["found"], found
    lines = doctor.text().splitlines()
    assert [line.split()[:2] for line in lines] == [[f["level"], f["name"]] for f in
                                                    found.values()], lines
    assert net.snapshot() == before and net.pod.run("nft list ruleset") == ""
    assert not os.path.exists(lab.path("run")) and not os.path.exists(lab.path("cache"))


@test()
def doctor_knows_the_gateway(lab):
    """A gateway that the pod was told for good is said to be that."""
    net = Aws(lab)
    found = Doctor(net).ask()["gateway"]
    assert f"{net.gateway} PERMANENT {net.node_mac('pod')}" in found["found"], found


@test()
def doctor_without_net_admin(lab):
    """No guard can be set: a failure, unless there is one outside, none is wanted or needed."""
    net = Calico(lab)
    doctor = Doctor(net)
    found = doctor.ask(1, WITHOUT_NET_ADMIN)
    assert found["cap-net-admin"]["level"] == "fail", found
    assert "--outside-guard" in found["cap-net-admin"]["advice"], found
    assert levels(found, "cap-net-raw", "nftables") == {"cap-net-raw": "ok", "nftables": "warn"}
    for settings in ({"outside_guard": "true"}, {"guard": "off"}):
        found = doctor.ask(0, WITHOUT_NET_ADMIN, **settings)
        assert found["cap-net-admin"]["level"] == "warn", found
    net.pod.run("ip addr flush dev eth0 scope global")
    found = doctor.ask(0, WITHOUT_NET_ADMIN, interface="eth0")
    assert levels(found, "cap-net-admin", "pod-interface") == {"cap-net-admin": "warn",
                                                               "pod-interface": "warn"}, found
    net.pod.run("ip addr add 10.9.9.9/32 dev eth0")
    found = doctor.ask(1, "setpriv --bounding-set=-net_raw --inh-caps=-net_raw", interface="eth0")
    assert levels(found, "cap-net-admin", "cap-net-raw") == {"cap-net-admin": "ok",
                                                             "cap-net-raw": "fail"}, found


@test()
def doctor_of_what_is_missing(lab):
    """What it says fails is what run says, too."""
    net = Calico(lab)
    doctor = Doctor(net)
    for setting, name in (("kernel", "kernel"), ("modules-dir", "kernel"),
                          ("agent", "sluice-agent")):
        found = doctor.ask(1, **{setting: "/no/such"})
        assert "/no/such" in found[name]["found"] and found[name]["level"] == "fail", found
    code, output = net.pod.try_run(doctor.command("run", kernel="/no/such") + " -- true 2>&1")
    wanted = doctor.ask(1, kernel="/no/such")["kernel"]["found"]
    assert code == 125 and wanted in output, (code, output, wanted)
    assert doctor.ask(1, rootfs="/no/such")["rootfs"]["level"] == "fail"
    assert doctor.ask(1, root="virtiofs", virtiofsd="/no/such")["virtiofsd"]["level"] == "fail"
    assert doctor.ask(0, root="ext4", virtiofsd="/no/such")["virtiofsd"]["level"] == "warn"
    assert doctor.ask(1, volume="/no/such:/data")["volume"]["level"] == "fail"
    assert doctor.ask(0, volume="/no/such:/data:optional")["volume"]["level"] == "warn"
    os.makedirs(lab.path("part"))
    for options, status, level in (("nfs", 1, "fail"), ("nfs,optional", 0, "warn")):
        found = doctor.ask(status, volume=f"{lab.path('part')}:/data:{options}")["volume"]
        assert found["level"] == level and "use virtiofs" in found["found"], found
    assert doctor.ask(1, run_dir="/no/such/place")["run-dir"]["level"] == "fail"
    with open(lab.path("file"), "w", encoding="ascii"):
        os.chmod(lab.path("file"), 0o755)
    assert doctor.ask(1, run_dir=lab.path("file"))["run-dir"]["level"] == "fail"
    assert doctor.ask(1, cache_dir=lab.path("file/cache"))["cache-dir"]["level"] == "fail"
    assert doctor.ask(1, interface="eth7")["pod-interface"]["level"] == "fail"
    found = doctor.ask(1, vmm="qemu", accel="tcg", vmm_program="/no/such")
    assert found["vmm"]["level"] == "fail" and found["kvm"]["level"] == "ok", found
    found = doctor.ask(0, "prlimit --nofile=4096:4096")
    assert "4096" in found["open-files"]["found"], found
    code, output = net.pod.try_run(f"{doctor.program} doctor --no-such 2>&1")
    assert code == 2 and "--no-such" in output, (code, output)


@test()
def doctor_of_a_pod_that_is_taken(lab):
    """By a guard, by another VM; ports that would be the guest's; lo is down, no MAC to adopt."""
    net = Calico(lab)
    doctor = Doctor(net)
    net.hold()
    found = doctor.ask(1)
    assert found["guard"]["level"] == "fail" and "sluice-vm" in found["guard"]["found"], found
    net.guard.kill()
    lock = net.pod.spawn(f"exec python3 -uc '{HAVE_LOCK}'").wait_for("listens", 60)
    who = f"process {lock.process.pid} has"
    found = doctor.ask(1)["pod-lock"]
    assert found["level"] == "fail" and who in found["found"], found
    code, output = net.pod.try_run(doctor.command("run") + " -- true 2>&1")
    assert code == 125 and who in output, (code, output)
    found = doctor.ask(0, lab="true")["pod-lock"]
    assert found["level"] == "ok" and who in found["found"], found
    lock.kill()
    net.pod.run("ip link set lo down")
    found = doctor.ask(0)["loopback"]
    assert found["level"] == "warn" and found["advice"] == "ip link set lo up", found
    net.pod.run(found["advice"])
    found = doctor.ask(1, guard="shared")
    assert found["local-port-range"]["level"] == "fail", found
    net.pod.run("echo 61000 65535 >/proc/sys/net/ipv4/ip_local_port_range")
    assert doctor.ask(0, guard="shared")["local-port-range"]["level"] == "ok"
    assert doctor.ask(1, kernel_ports="tcp/80")["kernel-ports"]["level"] == "fail"
    assert doctor.ask(0, host_port="true")["host-port"]["level"] == "ok"
    net.pod.run("ip addr add 169.254.1.254/32 dev eth0")
    assert doctor.ask(1, host_port="true")["host-port"]["level"] == "fail"
    assert doctor.ask(1, interface="lo")["pod-interface"]["level"] == "fail"


@test()
def doctor_of_the_machine(lab):
    """The machine's own network is refused, but with --lab; UML wants memory that is executable."""
    doctor = Doctor(Calico(lab))
    core = "/proc/sys/net/core"  # of the machine, it has more than of a pod
    machine = with_mounts(f"mount -t tmpfs core {core} && touch {core}/netdev_max_backlog")
    hidden = with_mounts("mount -t tmpfs net /proc/sys/net")
    for prefix, found in ((machine, "the machine's own"), (hidden, "cannot tell")):
        for lab_mode, status, level in (("false", 1, "fail"), ("true", 0, "warn")):
            finding = doctor.ask(status, prefix, lab=lab_mode)["network-namespace"]
            assert finding["level"] == level and found in finding["found"], finding
    os.makedirs(lab.path("mount"))
    run_dir, noexec = lab.path("mount/run"), f"mount -t tmpfs -o noexec run {lab.path('mount')}"
    doctor.ask(0, with_mounts(noexec + " && mount -t tmpfs -o exec shm /dev/shm"), run_dir=run_dir)
    found = doctor.ask(1, with_mounts(noexec + " && mount -t tmpfs -o noexec shm /dev/shm"),
                       run_dir=run_dir)
    assert found["vmm"]["level"] == "fail" and "noexec" in found["vmm"]["found"], found
    read_only = with_mounts(f"mount -t tmpfs -o ro none {lab.path('rootfs')}")
    found = doctor.ask(1, read_only, cache_dir=lab.path("rootfs/cache"))["cache-dir"]
    assert found["level"] == "fail" and "Read-only" in found["found"], found
