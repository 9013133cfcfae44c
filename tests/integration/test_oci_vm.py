# SPDX-License-Identifier: BSD-3-Clause
"""Containers that are VMs: where that shows, and where it must not matter who made the image."""

import os
import signal
import subprocess

from lab import wait_until
from oci_kinds import EACH_VM, VM
from suite import test
from vm import make_rootfs

SUITE = "oci"

SLEEPER = "echo ready; exec sleep 1000"


@test(limit=120, each=EACH_VM)
def vm_is_refused(lab, kind):
    """What cannot be, or must not be asked for: each time one line says what and why."""
    with kind.podman(lab) as engine:
        for options, annotations, word in (
                (["--network=host"], {}, "network"),
                (["--pid=host"], {}, "pid"),
                (["--privileged"], {}, "privileged"),
                (["--uidmap=0:100000:65536"], {}, "user namespace"),
                ([], {"sluice.dev/nonsense": "1"}, "sluice.dev/nonsense"),
                ([], {"sluice.dev/memory": "lots"}, "sluice.dev/memory"),
                ([], {"sluice.dev/vmm": "vmware"}, "qemu"),
                ([], {"sluice.dev/kernel": "/etc/passwd"}, "sluice.dev/kernel"),
                ([], {"sluice.dev/anti-spoof": "off"}, "administrator's"),
                ([], {VM: "perhaps not"}, VM)):
            done = engine.run("echo started", *options,
                              annotations={**kind.annotations, **annotations})
            assert done.status != 0 and b"started" not in done.out, (options, annotations, done.out)
            assert word in done.err.decode(), (options, annotations, done.err)
            assert done.err.count(b"\n") <= 2, done.err


@test(limit=60, each=EACH_VM)
def always_is_not_left(lab, kind):
    """Where everything becomes a VM, nobody is a sandbox by saying so; and infra containers are."""
    with kind.podman(lab) as engine:
        settings = kind.settings(lab)
        settings["runtime"]["always"] = True
        engine.node.configure(settings)
        says = [f"--annotation={key}=sandbox" for key in (
            "io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri.container-type")]
        # A VM is refused the node's network; a container would say what it was told.
        for options, command in ((says, "echo started"), (["--name=web-infra"], "echo started"),
                                 (["--name=0123456789ab-infra"], "echo started"),
                                 (says, ["/catatonit", "-P"])):
            done = engine.run(command, "--network=host", *options, annotations={})
            assert done.status != 0 and b"started" not in done.out, (options, done.out)
            assert b"linux.namespaces: the container has the node's network" in done.err, done.err
        engine.call("pod", "create", "--name", "empty")
        engine.call("pod", "start", "empty")
        said = engine.call("ps", "-a", "--pod", "--format", "{{.Names}} {{.Status}}")
        assert "-infra Up" in said, said


@test(limit=90, each=EACH_VM)
def vm_of_a_hostile_image(lab, kind):
    """Links in the image lead inside the image, also below volumes."""
    root = make_rootfs(lab.path("hostile"))
    os.makedirs(os.path.join(root, "usr", "local", "bin"))
    os.symlink("/usr/local", os.path.join(root, "evil"))
    os.symlink("/run", os.path.join(root, "var", "run"))
    secret, bad = lab.path("secret"), lab.path("bad")
    for directory, name in ((secret, "token"), (bad, "sluiced"), (bad, "sluice-evil")):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, name), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho theirs\n")
        os.chmod(os.path.join(directory, name), 0o755)
    with kind.podman(lab) as engine:
        image = engine.add_image("localhost/hostile:1", rootfs=root)
        web = engine.start(SLEEPER, f"--volume={secret}:/var/run/secrets:ro",
                           f"--volume={bad}:/evil/bin", image=image).wait_for_log("ready")
        done = web.exec("cat /run/secrets/token; /usr/local/bin/sluice-evil").check()
        assert done.out.endswith(b"theirs\n") and b"#!" in done.out, done.out
        ours = f"/proc/{web.inspect('.State.Pid')}/root"
        for place in ("usr/local/bin", "usr/bin", "usr/sbin", "bin", "run", "evil/bin"):
            path = os.path.join(ours, place)
            assert not os.path.exists(os.path.join(path, "sluice-evil")), path
            assert not os.path.exists(os.path.join(path, "secrets")), path


USE_VOLUMES = ("cat /data/given && echo made >/data/made && chown 33:33 /data/made && "
               "cat /shared/given && df -T /data /shared | awk 'NR > 1 { print $2 }'; sleep 1000")


def own_filesystem(lab, name):
    """A directory that is one, with a file: what can be served by NFS, whose handles can be forged."""
    path = lab.path(name)
    os.makedirs(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", name, path], check=True)
    with open(os.path.join(path, "given"), "w", encoding="ascii") as file:
        file.write("given\n")
    return path


def assert_used(path):
    """As USE_VOLUMES uses it."""
    made = os.path.join(path, "made")
    with open(made, encoding="ascii") as file:
        assert file.read() == "made\n"
    assert (os.stat(made).st_uid, os.stat(made).st_gid) == (33, 33), os.stat(made)


@test(limit=90, each=EACH_VM)
def vm_volumes(lab, kind):
    """By NFS and by virtio-fs, in what podman's defaults let a container do."""
    data, shared = own_filesystem(lab, "data"), own_filesystem(lab, "shared")
    annotations = {**kind.annotations, "sluice.dev/volumes": "/data=nfs"}
    with kind.podman(lab) as engine:
        web = engine.start(USE_VOLUMES, f"--volume={data}:/data", f"--volume={shared}:/shared:ro",
                           annotations=annotations).wait_for_log("virtiofs\n")
        assert web.logs()[0] == "given\ngiven\nnfs4\nvirtiofs\n", web.logs()
        web.exec("echo x >/shared/no").check(1)
        assert_used(data)


@test(limit=90, each=EACH_VM)
def vm_volumes_of_containerd(lab, kind):
    """The same, in what containerd's defaults let a container do."""
    data, shared = own_filesystem(lab, "data"), own_filesystem(lab, "shared")
    with kind.containerd(lab) as engine:
        engine.annotations["sluice.dev/volumes"] = "/data=nfs"
        mount = "--mount=type=bind,src={},dst={},options=rbind:{}"
        done = engine.run(USE_VOLUMES.replace("; sleep 1000", ""), mount.format(data, "/data", "rw"),
                          mount.format(shared, "/shared", "ro")).check()
        assert done.out == b"given\ngiven\nnfs4\nvirtiofs\n", (done.out, done.err)
        assert_used(data)


@test(limit=60, each=EACH_VM)
def vm_exec_environment(lab, kind):
    """Variables are the command's; nothing of ours reads them."""
    with kind.podman(lab) as engine:
        web = engine.start(SLEEPER).wait_for_log("ready")
        names = ("LD_PRELOAD", "LD_LIBRARY_PATH", "GCONV_PATH", "SLUICE_SOCKET", "SLUICE_NAME")
        done = web.exec("env; cat /proc/1/comm", *(f"--env={name}=/no/such" for name in names))
        for name in names:
            assert f"{name}=/no/such\n".encode() in done.check().out, done.out
        done = web.exec("echo here", "--env=SLUICE_EXEC_TARGET=container")
        assert done.status != 0 and b"here" not in done.out, done.out


@test(limit=60, each=EACH_VM)
def vm_memory(lab, kind):
    """A container's limit is the VM's with all that it takes."""
    with kind.podman(lab) as engine:
        command = "awk '/^MemTotal/ { print $2 }' /proc/meminfo"
        for limit, least in ((300, 120), (500, 320)):
            shown = int(engine.run(command, f"--memory={limit}m").check().out) // 1024
            assert least < shown < limit, (limit, shown)
        done = engine.run("true", "--memory=100m")
        assert done.status != 0 and b"memory" in done.err, done.err


@test(limit=90, each=EACH_VM)
def vm_one_per_pod(lab, kind):
    """A second is told so, and the first does not notice."""
    with kind.podman(lab) as engine:
        engine.call("pod", "create", "--name", "front")
        first = engine.start(SLEEPER, "--pod=front").wait_for_log("ready")
        second = engine.run("echo started", "--pod=front")
        assert second.status != 0 and second.out == b"", second.out
        assert b"there is a VM in this pod already" in second.err, second.err
        first.exec("true").check()
        # What goes makes room.
        first.call("rm", "-f", "-t", "0")
        engine.start(SLEEPER, "--pod=front").wait_for_log("ready")


SHARED = {"sluice.dev/guard": "shared", "sluice.dev/shared-ports": "9113",
          "sluice.dev/kernel-ports": "tcp/9115"}
# 9114 is nobody's by agreement.
SERVE = ("mkdir /www; echo {0} >/www/who; for port in {1}; do httpd -p $port -h /www; done; "
         "echo ready; exec sleep 1000")


@test(limit=90, each=EACH_VM)
def vm_with_a_sidecar(lab, kind):
    """Ports between a VM, a plain container of its pod, and the world: each by its owner."""
    with kind.podman(lab) as engine:
        engine.call("pod", "create", "--name=front",
                    "--sysctl=net.ipv4.ip_local_port_range=61000 65535")
        side = engine.start(SERVE.format("sidecar", "9113 9114 9115"), "--pod=front",
                            annotations={}).wait_for_log("ready")
        web = engine.start(SERVE.format("guest", "80 9114"), "--pod=front",
                           annotations={**kind.annotations, **SHARED}).wait_for_log("ready")
        address = side.exec("hostname -i").check().out.decode().split()[0]

        def asked(where, port, host="127.0.0.1"):
            done = where.exec(f"wget -q -O - http://{host}:{port}/who")
            return done.out.decode().strip() if done.status == 0 else None

        wait_until(lambda: asked(side, 80) == "guest", "the guest's port to be in the pod")
        assert asked(side, 80, address) == "guest"
        assert asked(web, 9113) == "sidecar" and asked(web, 9115) is None
        # From outside a port is the guest's, unless the pod's kernel was told to keep it.
        for port, who in ((80, "guest"), (9114, "guest"), (9113, "sidecar"), (9115, "sidecar")):
            said = engine.node.namespace.run(f"busybox wget -q -O - http://{address}:{port}/who")
            assert said == who + "\n", (port, said)
        # What the sidecar had is not the guest's while it is away.
        for host in ("127.0.0.1", address):
            assert asked(side, 9114, host) == "sidecar"
        side.exec("for pid in $(pidof httpd); do kill $pid; done").check()
        web.exec("httpd -p 81 -h /www").check()
        wait_until(lambda: asked(side, 81) == "guest", "the guest's ports to be followed")
        for host in ("127.0.0.1", address):
            wait_until(lambda host=host: asked(side, 9114, host) is None, "nobody to be there")


@test(limit=60, each=EACH_VM)
def vm_ended_half_way(lab, kind):
    """Between create and start, and while it boots."""
    with kind.podman(lab) as engine:
        engine.call("create", *engine.options(["--name=half"]), "localhost/busybox:1", "sleep",
                    "1000")
        engine.call("init", "half")
        half = engine.container("half")
        os.kill(int(half.inspect(".State.Pid")), signal.SIGKILL)
        half.call("rm", "-f", "-t", "0")
        early = engine.start(SLEEPER)
        os.kill(int(early.inspect(".State.Pid")), signal.SIGKILL)
        assert early.wait() == 137
        engine.remove_all()
        engine.note_ids()
        wait_until(lambda: not engine.node.leftovers(), "nothing to be left")


@test(limit=60, each=EACH_VM)
def vm_copy(lab, kind):
    """podman cp works on a container that stands still, and never misses its aim."""
    with kind.podman(lab) as engine:
        given = lab.path("given")
        with open(given, "w", encoding="ascii") as file:
            file.write("given\n")
        web = engine.start("cat /given 2>/dev/null; " + SLEEPER).wait_for_log("ready")
        done = engine.try_call("cp", given, web.name + ":/given")
        arrived = web.exec("cat /given 2>/dev/null").out == b"given\n"
        assert (done.status == 0) == arrived, (done.status, done.err)
        # Nor does it hit what sluice-vm has of such a name.
        for place in ("/tmp", "/run", "/dev", "/dev/shm", "/var", "/var/run", "/etc", "/usr/bin"):
            done = engine.try_call("cp", given, f"{web.name}:{place}/given")
            assert done.status != 0 and done.err, (place, done.status)
        web.call("stop", "-t", "0")
        engine.call("cp", given, web.name + ":/given")
        web.call("start")
        web.wait_for_log("given\nready")
