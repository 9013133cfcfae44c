# SPDX-License-Identifier: BSD-3-Clause
"""sluice-runtime before a runtime that writes down how it was called: what passes, and create."""

import datetime
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

from runtime_node import CONFIG, VM, Node, assert_refused, read, write
from suite import test

SUITE = "oci"


# --- what passes

@test()
def runtime_passes_on(lab):
    """Every other call, as it is: known, unknown, without words, with any bytes."""
    node = Node(lab)
    lines = [["start", "c1"], ["kill", "c1", "15"], ["kill", "--all", "c1", "9"],
             ["delete", "--force", "c1"], ["--version"], ["-v"], ["features"],
             ["--root", "/r", "--log", "/nonexistent/l", "--log-format", "json",
              "--systemd-cgroup", "ps", "--format", "json", "c1"],
             ["pause", "c1"], ["resume", "c1"], ["update", "--resources", "-", "c1"],
             ["events", "--stats", "c1"], ["list", "--format=json"], ["spec"],
             ["checkpoint", "--image-path", "/i", "c1"], ["polish", "--shiny", "", "c1"],
             ["--shiny", "very", "kill", "c1"], [], ["--"], ["-"], [b"\xff\xfe", "a b", "\n"],
             ["exec"], ["help"]]
    for words in lines:
        call = node.call(*words)
        expected = [w if isinstance(w, bytes) else w.encode() for w in words]
        assert call.status == 7 and call.words == expected, (words, call.words, call.err)
        assert call.err == "", call.err
    assert node.call("--version").out == b"fake version 1.2.3\n"


@test()
def runtime_without_environment(lab):
    """kill, delete and state come with next to none: it stays what it is."""
    node = Node(lab)
    for env in ({}, {"XDG_RUNTIME_DIR": "/run"}, {"PATH": "/nonexistent", "LC_ALL": "x"}):
        for words in (["kill", "c1", "9"], ["delete", "--force", "c1"]):
            call = node.call(*words, env=env)
            given = {name: value for name, _, value in
                     (entry.decode().partition("=") for entry in call.env)}
            assert given == env and call.status == 7, (given, env)


@test()
def runtime_keeps_descriptors(lab):
    """What the engine handed down for the runtime is there, and nothing of ours."""
    node = Node(lab)
    node.set_config({**CONFIG, **VM})
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    for call in (node.call("start", "c1", pass_fds=(writer,)),
                 node.call("create", "--bundle", node.bundle, "c1", pass_fds=(writer,)),
                 node.call("exec", "c1", "id", pass_fds=(writer,))):
        numbers = [int(line.split(" -> ")[0].split()[-1]) for line in call.fds.splitlines()
                   if " -> pipe:" in line]
        assert writer in numbers, call.fds
        others = [line for line in call.fds.splitlines() if " -> " in line and
                  " -> pipe:" not in line and "/dev/null" not in line and node.fake not in line
                  and "/seen/" not in line]
        assert others == [], others
    os.close(reader)
    os.close(writer)


@test()
def runtime_settings_that_are_wrong(lab):
    """Containers can be ended all the same; none is made."""
    node = Node(lab)
    node.set_config(CONFIG)
    node.configure({"path": node.fake, "pathh": 1})
    assert node.call("kill", "c1", "9").words == [b"kill", b"c1", b"9"]
    assert_refused(node.create(), "runtime.pathh: unknown key (did you mean \"path\"?)")
    assert_refused(node.call("exec", "c1", "id"), "runtime.pathh")
    node.configure({"path": "/nonexistent/runc"})
    for words in (["kill", "c1", "9"], ["start", "c1"]):
        assert_refused(node.call(*words), "cannot execute /nonexistent/runc: No such file")
    # Round and round it would go.
    node.configure({"path": node.program})
    for words in (["start", "c1"], ["create", "--bundle", node.bundle, "c1"]):
        assert_refused(node.call(*words), "sluice-runtime itself")


# --- create

@test()
def create_of_a_container(lab):
    """Its config.json is not touched: neither what is in it, nor the file."""
    node = Node(lab)
    for config in (CONFIG, {**CONFIG, "annotations": {**CONFIG["annotations"],
                                                      "sluice.dev/vm": "false"}}):
        before = node.set_config(config)
        was = os.stat(node.config)
        call = node.create()
        assert call.words == [b"create", b"--bundle", node.bundle.encode(), b"--pid-file", b"/p",
                              b"c1"] and call.status == 7, (call.words, call.err)
        now = os.stat(node.config)
        assert read(node.config) == before
        assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
        assert os.listdir(node.bundle) == ["config.json"]


def assert_is_vm(node):
    config = json.loads(read(node.config))
    assert config["annotations"]["sluice.dev/converted"], config
    assert config["process"]["args"][0].endswith("/sluice-vm"), config["process"]["args"]
    root = config["root"]["path"]
    assert root.startswith(node.bundle + "/"), root
    path = os.path.join(root, "sluice", "container.json")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    container = json.loads(read(path))
    assert container["args"] == ["sleep", "1"] and container["settings"]["vmm"] == "uml"
    # What is another's stays to the last digit.
    assert config["linux"]["namespaces"] == CONFIG["linux"]["namespaces"]


@test()
def create_of_a_vm(lab):
    """The real runtime is called as before, with another config.json of the same mode and owner."""
    node = Node(lab)
    for words in (["--bundle", node.bundle], [f"--bundle={node.bundle}"], ["-b", node.bundle]):
        shutil.rmtree(os.path.join(node.bundle, "sluice"), ignore_errors=True)
        node.set_config({**CONFIG, **VM}, mode=0o640)
        os.chown(node.config, 12, 34)
        call = node.call("--systemd-cgroup", "create", *words, "c1")
        assert call.words == [w.encode() for w in ["--systemd-cgroup", "create", *words, "c1"]]
        now = os.stat(node.config)
        assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12, 34, 0o640), now
        assert_is_vm(node)
        assert sorted(os.listdir(node.bundle)) == ["config.json", "sluice"]
    # What has been one is not made one again, and no pod says of itself that it is.
    assert_refused(node.create(), "this bundle has been through create before")
    # The bundle is the working directory if nobody says another; `run` is a create, too.
    node.set_config({**CONFIG, **VM})
    assert node.call("run", "c1", cwd=node.bundle).words == [b"run", b"c1"]
    assert_is_vm(node)


@test()
def create_in_a_pod_with_a_vm(lab):
    """It is seen before there is a container that could not start."""
    node = Node(lab)
    pod = lab.namespace("pod")
    namespaces = [{**ns, "path": f"/run/netns/{pod.name}"} if ns["type"] == "network" else ns
                  for ns in CONFIG["linux"]["namespaces"]]
    before = node.set_config({**CONFIG, **VM, "linux": {**CONFIG["linux"],
                                                        "namespaces": namespaces}})
    holder = ("import socket,sys; s = socket.socket(socket.AF_UNIX); s.bind('\\0sluice/vm'); "
              "s.listen(); print('held', flush=True); sys.stdin.read()")
    with subprocess.Popen(["ip", "netns", "exec", pod.name, sys.executable, "-c", holder],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        assert_refused(node.create(), "there is a VM in this pod already")
        assert read(node.config) == before and os.listdir(node.bundle) == ["config.json"]
        process.stdin.close()
    assert node.create().status == 7
    assert json.loads(read(node.config))["root"]["path"] == os.path.join(node.bundle, "sluice")


@test()
def create_looks_at_volumes(lab):
    """What is memory, what connects nobody, and what is missing in a root that cannot be written."""
    node = Node(lab)
    root, memory, path = lab.path("rootfs"), lab.path("memory"), lab.path("socket")
    os.mkdir(root)
    os.mkdir(memory)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "shm", memory], check=True)

    def create(*binds, cwd="/"):
        mounts = [{"destination": at, "type": "bind", "source": source, "options": ["rbind"]}
                  for source, at in binds]
        node.set_config({**CONFIG, **VM, "mounts": [*CONFIG["mounts"], *mounts],
                         "root": {"path": root, "readonly": True},
                         "process": {**CONFIG["process"], "cwd": cwd}})
        call = node.create()
        made = os.path.join(node.bundle, "sluice", "sluice", "container.json")
        return call, json.loads(read(made)) if call.status == 7 else None

    _, container = create((memory, "/dev/shm"), (memory, "/data"), cwd="/srv/deep")
    shm, data = container["volumes"]
    assert shm["kind"] == "tmpfs" and shm["options"].endswith(f",size={3 << 20}"), shm
    assert data["kind"] == "virtiofs", data
    assert os.path.isdir(os.path.join(root, "srv", "deep"))
    _, container = create((root, "/dev/shm"), cwd="/dev/shm/here")
    assert container["volumes"][0]["kind"] == "virtiofs", container
    assert not os.path.exists(os.path.join(root, "dev", "shm", "here"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.mkfifo(lab.path("fifo"))
        for source, what in ((path, "unix socket"), (lab.path("fifo"), "named pipe")):
            call, _ = create((source, "/run/x.sock"))
            assert_refused(call, f"mounts: /run/x.sock: is a {what}, which connects nobody")


@test()
def create_always(lab):
    """A runtime for VMs alone needs no annotation, and leaves alone what an engine calls a sandbox."""
    node = Node(lab, always=True)
    node.set_config({**CONFIG, "annotations": {"sluice.dev/vmm": "uml"}})
    assert node.create().status == 7
    assert_is_vm(node)
    sandbox = {**CONFIG, "annotations": {"io.kubernetes.cri.container-type": "sandbox",
                                         "sluice.dev/vmm": "uml"}}
    shim = lab.path("containerd-shim-runc-v2")
    os.symlink("/bin/sh", shim)
    before = node.set_config(sandbox)
    assert node.create(caller=shim).status == 7 and read(node.config) == before
    # Not what anybody calls one.
    assert node.create().status == 7
    assert_is_vm(node)


@test()
def create_failure_is_told(lab):
    """On stderr for people, and in the file that the engine named, in its form."""
    node = Node(lab)
    before = node.set_config({**CONFIG, "annotations": {"sluice.dev/vmm": "x\"en"}})
    log = lab.path("log")
    call = node.call("--log", log, "--log-format", "json", "create", "--bundle", node.bundle, "c1")
    assert_refused(call, "sluice.dev/vmm: ")
    line = json.loads(read(log))
    assert line["level"] == "error" and f"sluice-runtime: {line['msg']}\n" == call.err, line
    said = datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs((datetime.datetime.utcnow() - said).total_seconds()) < 60, line
    # Appended, as to a log.
    call = node.call(f"--log={log}", "create", "--bundle", node.bundle, "c1")
    assert_refused(call, "sluice.dev/vmm")
    text = read(log).decode().splitlines()[1]
    assert text.startswith("time=\"20") and " level=error msg=\"" in text, text
    assert "x\\\"en" in text, text
    # A log that cannot be written changes nothing.
    os.mkfifo(lab.path("fifo"))
    for path in ("/nonexistent/log", lab.path("fifo"), node.bundle):
        assert_refused(node.call("--log", path, "create", "--bundle", node.bundle, "c1"),
                       "sluice.dev/vmm")
    assert read(node.config) == before and os.listdir(node.bundle) == ["config.json"]


HOSTILE = {
    "empty": "", "cut": json.dumps(CONFIG)[:-5], "trailing": json.dumps(CONFIG) + "x",
    "twice": "{\"annotations\":{\"sluice.dev/vm\":\"false\",\"sluice.dev/vm\":\"true\"}}",
    "nul": "{\"annotations\":{\"sluice.dev/vm\":\"true\\u0000\"}}",
    "binary": b"\xff" * 100, "nul-byte": b"{}\0", "array": "[]", "number": "1", "null": "null",
    "deep": "[" * 100000, "deep-closed": "{\"a\":" * 40 + "1" + "}" * 40,
    "huge": b" " * (16 << 20) + b"{}  ", "comment": "/**/{}",
    "annotations": "{\"annotations\":[]}", "value": "{\"annotations\":{\"sluice.dev/vm\":1}}",
    "name": "{\"annotations\":{\"sluice.dev/vm\":\"a b\"}}",
    "no-process": {**CONFIG, **VM, "process": None}, "process": {**CONFIG, **VM, "process": 1},
    "no-args": {**CONFIG, **VM, "process": {**CONFIG["process"], "args": []}},
    "uid": {**CONFIG, **VM, "process": {**CONFIG["process"], "user": {"uid": 1 << 70}}},
    "root": {**CONFIG, **VM, "root": 1}, "mounts": {**CONFIG, **VM, "mounts": [1]},
    "host-network": {**CONFIG, **VM, "linux": {"namespaces": [{"type": "pid"},
                                                              {"type": "mount"}]}},
    "linux": {**CONFIG, **VM, "linux": "x"},
    "memory": {**CONFIG, **VM, "linux": {**CONFIG["linux"], "resources":
                                         {"memory": {"limit": -5}}}},
    "setting": {**CONFIG, "annotations": {"sluice.dev/memory": "1e9"}},
    "key": {**CONFIG, "annotations": {"sluice.dev/nonesuch": "1"}},
    "kernel": {**CONFIG, "annotations": {**VM["annotations"], "sluice.dev/kernel": "/x"}},
}


@test(each=HOSTILE)
def create_of_hostile_config(lab, config):
    """It is refused in one line and stays as it is, or it is no VM's and passes."""
    node = Node(lab)
    before = node.set_config(config)
    call = node.create()
    if config == HOSTILE["memory"] and call.words is not None:
        return  # a limit of less than nothing is none
    assert_refused(call, ":")
    assert read(node.config) == before and os.listdir(node.bundle) == ["config.json"]


@test()
def create_without_a_plain_config(lab):
    """No file, a pipe, a directory, a device: said, and not waited for."""
    node = Node(lab)
    assert_refused(node.create(), "config.json: No such file or directory")
    os.mkfifo(node.config)
    assert_refused(node.create(), "no plain file")
    os.unlink(node.config)
    os.mkdir(node.config)
    assert_refused(node.create(), "no plain file")
    os.rmdir(node.config)
    os.symlink("/dev/zero", node.config)
    assert_refused(node.create(), "no plain file")
    assert_refused(node.call("create", "--bundle", "/nonexistent", "c1"), "/nonexistent/config")
    assert_refused(node.call("create", "--bundle"), "--bundle: needs a value")


@test(limit=120)
def create_killed_at_any_moment(lab):
    """config.json is the old one or the new one; the next call finds what it needs."""
    node = Node(lab)
    config = {**CONFIG, **VM}
    config["process"] = {**CONFIG["process"],
                         "env": [f"V{i}=" + "x" * 1000 for i in range(4000)]}
    old = node.set_config(config)
    started = time.monotonic()
    assert node.create().status == 7
    took = time.monotonic() - started
    new = read(node.config)
    assert new != old
    seen = set()
    rounds = 200 if lab.soak else 40
    for i in range(rounds):
        write(node.config, old)
        process = node.start(["create", "--bundle", node.bundle, "c1"])
        time.sleep(took * i / rounds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = read(node.config)
        assert found in (old, new), (i, len(found), len(old), len(new))
        seen.add(found == new)
        names = set(os.listdir(node.bundle))
        assert names <= {"config.json", "config.json.sluice", "sluice"}, names
    assert False in seen
    write(node.config, old)
    assert node.create().status == 7 and read(node.config) == new
    assert sorted(os.listdir(node.bundle)) == ["config.json", "sluice"]


# --- doctor

@test()
def runtime_doctor(lab):
    """It finds what is there; what is wrong is said with what to do."""
    node = Node(lab)

    def ask(status=None):
        call = node.call("doctor", "--json")
        report = json.loads(call.out)
        assert report["ok"] == (call.status == 0) and call.status in (0, 1), (call.out, call.err)
        assert report["ok"] == all(f["level"] != "fail" for f in report["findings"]), call.out
        assert status is None or call.status == status, (call.out, call.err)
        assert call.err == "", call.err
        return {finding["name"]: finding for finding in report["findings"]}

    found = ask()
    assert found["runtime"]["level"] == "fail", found  # the fake's --version ends with 7
    write(node.fake, read(node.fake).replace(b"exit 7\n", b"exit 0\n"))
    found = ask()
    assert found["runtime"] == {"level": "ok", "name": "runtime", "advice": None,
                                "found": f"{node.fake}, fake version 1.2.3"}, found
    for name in ("settings", "machine-root", "sluice-vm", "sluice-exec", "sluice-agent", "sluiced",
                 "sluice-vsock", "sluice-fs-relay", "cni"):
        assert found[name]["level"] == "ok", found[name]
    assert found["podman"]["level"] == "warn", found["podman"]
    assert "[engine.runtimes]" in found["podman"]["advice"], found["podman"]
    os.makedirs(os.path.join(node.etc, "containers", "containers.conf.d"))
    conf = os.path.join(node.etc, "containers", "containers.conf.d", "50-sluice.conf")
    write(conf, "# sluice-runtime\n")
    assert ask()["podman"]["level"] == "warn"
    write(conf, "[engine.runtimes]\nsluice-runtime = [\"/usr/bin/sluice-runtime\"]\n")
    found = ask()
    assert found["podman"]["level"] == "ok" and "50-sluice.conf" in found["podman"]["found"]
    lines = node.call("doctor").out.decode().splitlines()
    assert [line.split()[:2] for line in lines] == [[f["level"], f["name"]]
                                                    for f in found.values()], lines
    node.configure({"path": node.program, "machine-root": "/nonexistent",
                    "machine-binds": "/nonexistent/too"})
    found = ask(1)
    bad = ("runtime", "machine-root", "machine-binds", "sluice-vm", "sluice-exec", "kernel")
    assert {found[name]["level"] for name in bad} == {"fail"}, found
    assert all(found[name]["advice"] for name in bad), found
    node.configure("{")
    assert ask(1)["settings"]["level"] == "fail"
    call = node.call("doctor", "--shiny")
    assert call.status == 2 and "--shiny" in call.err, call.err
    assert "Usage: sluice-runtime" in node.call("--help").out.decode()
