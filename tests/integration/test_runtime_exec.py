# SPDX-License-Identifier: BSD-3-Clause
"""sluice-runtime, called about a container that is there, which may be a VM."""

import json
import os
import stat
import subprocess

from runtime_node import CONFIG, VM, Node, assert_refused, read, write
from suite import test

SUITE = "oci"

PROCESS = {"user": {"uid": 33, "gid": 34, "additionalGids": [4]}, "args": ["id", "-u"],
           "env": ["PATH=/bin", "LD_PRELOAD=/evil.so"], "cwd": "/srv",
           "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1}]}
OTHER_VERSION = {"id": "c1", "annotations": {"sluice.dev/converted": "true"}}
CONVERTED = {"id": "c1", "annotations": {"sluice.dev/converted": "1"}}


@test()
def exec_in_a_container(lab):
    """Its process.json is not touched."""
    node = Node(lab)
    path = write(lab.path("process"), json.dumps(PROCESS))
    was = os.stat(path)
    words = ["--root", "/r", "--log", "/l", "--log-format=json", "exec", "--pid-file", "/p",
             "--process", path, "--detach", "c1"]
    call = node.call(*words)
    assert call.words == [w.encode() for w in words] and call.status == 7, call.err
    assert os.stat(path).st_ino == was.st_ino and json.loads(read(path)) == PROCESS
    # What the runtime was asked, and where: not in the engine's log.
    asked = read(node.seen, "state.cmdline").split(b"\0")[2:-1]
    assert asked == [b"--root", b"/r", b"state", b"c1"], asked


@test()
def exec_in_a_vm(lab):
    """Its process.json runs the client with nothing of its own, in the place of the old one."""
    node = Node(lab)
    node.tell_state(CONVERTED)
    path = write(lab.path("process"), json.dumps(PROCESS))
    os.chmod(path, 0o600)
    call = node.call("exec", "--process", path, "--detach", "c1")
    assert call.words == [b"exec", b"--process", path.encode(), b"--detach", b"c1"], call.err
    process = json.loads(read(path))
    client = process["args"].pop(0)
    assert os.path.basename(client) == "sluice-exec" and os.access(client, os.X_OK), client
    assert process.pop("args") == ["--interactive", "--inherit-env", "--guest-home", "--user",
                                   "33:34", "--group-add", "4", "--cwd", "/srv", "--", "id", "-u"]
    nothing = {name: [] for name in ("bounding", "effective", "inheritable", "permitted",
                                     "ambient")}
    assert process == {"user": {"uid": 0, "gid": 0}, "env": PROCESS["env"], "cwd": "/",
                       "capabilities": nothing, "noNewPrivileges": True}, process
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert [name for name in os.listdir(os.path.dirname(path)) if "sluice" in name] == []
    # The client takes these words.
    said = subprocess.run([client, "--interactive", "--inherit-env", "--guest-home", "--user",
                           "33:34", "--group-add", "", "--cwd", "/srv", "--socket", "/nonexistent",
                           "--timeout", "1", "--", "id"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    assert said.returncode == 126 and "/nonexistent" in said.stderr, said


@test()
def update_of_a_vm(lab):
    """Processors change, memory does not: what the engine says is what the VM has."""
    node = Node(lab, **{"memory-overhead": "outside", "overhead": 100})
    node.set_config({**CONFIG, **VM})
    assert node.create().status == 7
    node.tell_state({**CONVERTED, "bundle": node.bundle})
    resources = {"cpu": {"quota": 5000}, "memory": {"limit": 1 << 30}}
    path = write(lab.path("resources"), json.dumps(resources))
    for words, there in ((["--resources", path], [b"--resources", b"-"]),
                         ([f"--resources={path}"], [b"--resources=-"]),
                         (["-r", "-"], [b"-r", b"-"])):
        with open(path, "rb") as file:
            call = node.call("update", *words, "c1", stdin=file)
        assert call.words == [b"update", *there, b"c1"], (call.words, call.err)
        told = json.loads(read(node.seen, "stdin"))
        assert told == {"cpu": {"quota": 5000}, "memory": {"limit": (1 << 30) + (100 << 20)}}, told
        assert json.loads(read(path)) == resources
    assert node.call("update", "--cpu-quota", "7", "c1").words[1] == b"--cpu-quota"
    assert_refused(node.call("update", "--memory", "7", "c1"), "memory of a VM cannot be changed")
    write(path, json.dumps({"memory": {"limit": 2 << 30}}))
    assert_refused(node.call("update", "-r", path, "c1"), "update: memory.limit: ")
    assert_refused(node.call("checkpoint", "c1"), "checkpoint: container c1 is a VM")
    assert_refused(node.call("restore", "--bundle", node.bundle, "c1"), "restore: container c1")
    for wrong in ({**CONFIG, **VM}, {**CONFIG, "annotations": {"sluice.dev/x": "y"}}, "{"):
        node.set_config(wrong)
        assert_refused(node.call("restore", "--bundle", node.bundle, "c1"), "restore: ")
    node.tell_state(OTHER_VERSION)
    for verb in ("update", "checkpoint"):
        assert_refused(node.call(verb, "c1"), "another version of Sluice")
    node.set_config(CONFIG)
    assert node.call("restore", "-b", node.bundle, "c1").status == 7


@test()
def exec_target_of_an_image(lab):
    """What its environment says is not what the caller says."""
    node = Node(lab, **{"exec-in-container": True})
    target = "SLUICE_EXEC_TARGET=container"
    node.set_config({**CONFIG, **VM, "process": {**CONFIG["process"], "env": [target]}})
    assert node.create().status == 7
    annotations = json.loads(read(node.config))["annotations"]
    for annotated, inside in ((annotations, True), (CONVERTED["annotations"], False)):
        node.tell_state({"id": "c1", "bundle": node.bundle, "annotations": annotated})
        path = write(lab.path("process"), json.dumps({**PROCESS, "env": [target]}))
        assert node.call("exec", "--process", path, "c1").status == 7
        assert ("--inherit-env" in json.loads(read(path))["args"]) == inside, (annotated, inside)


@test()
def exec_on_the_line(lab):
    """By hand, the command and what is about it goes to the client."""
    node = Node(lab)
    node.tell_state(CONVERTED)
    call = node.call("exec", "-t", "--user", "33", "--cwd", "/srv", "-e", "A=1", "c1", "id", "-u")
    client = call.words[5].decode()
    assert call.words[:5] == [b"exec", b"-t", b"-e", b"A=1", b"c1"], call.words
    assert os.path.basename(client) == "sluice-exec" and os.access(client, os.X_OK), client
    assert call.words[6:] == [b"--interactive", b"--inherit-env", b"--guest-home", b"--tty",
                              b"--user", b"33", b"--cwd", b"/srv", b"--", b"id", b"-u"], call.words
    assert_refused(node.call("exec", "--shiny", "c1", "id"), "--shiny")
    assert_refused(node.call("exec", "--cap", "CAP_NET_RAW", "c1", "id"), "--cap")
    assert_refused(node.call("exec", "c1"), "no command")


@test()
def exec_outside(lab):
    """Only the administrator lets a command run beside the VMM."""
    node = Node(lab)
    node.tell_state(CONVERTED)
    outside = {**PROCESS, "env": ["SLUICE_EXEC_TARGET=container"]}
    path = write(lab.path("process"), json.dumps(outside))
    line = ["exec", "-e", "SLUICE_EXEC_TARGET=container", "c1", "id"]
    assert_refused(node.call("exec", "--process", path, "c1"), "exec-in-container")
    assert_refused(node.call(*line), "exec-in-container")
    assert json.loads(read(path)) == outside
    node.configure({"path": node.fake, "exec-in-container": True})
    assert node.call("exec", "--process", path, "c1").status == 7
    assert json.loads(read(path)) == outside
    assert node.call(*line).words == [word.encode() for word in line]


@test()
def exec_with_a_state_that_is_not_told(lab):
    """Without knowing where a command would run, it is not run."""
    node = Node(lab)
    path = write(lab.path("process"), json.dumps(PROCESS))
    states = [(dict(state="", status=1, error="a\nlevel=error msg=\"no such container\"\n"),
               "no such container"),
              (dict(state="", status=0), "state of container c1"),
              (dict(state="{\"annotations\":1}"), "annotations: must be an object"),
              (dict(state="{} {}"), "state of container c1"),
              (dict(state=json.dumps(OTHER_VERSION)), "another version of Sluice"),
              (dict(state=b" " * (5 << 20) + b"{}"), "cannot tell whether container c1 is a VM")]
    for told, why in states:
        node.tell_state(**told)
        for words in (["--process", path, "c1"], ["c1", "id"]):
            assert_refused(node.call("exec", *words), why)
    assert json.loads(read(path)) == PROCESS
    node.configure({"path": "/nonexistent/runc"})
    assert_refused(node.call("exec", "c1", "id"), "No such file")


@test()
def exec_of_hostile_process(lab):
    """It is refused, and stays as it is."""
    node = Node(lab)
    node.tell_state(CONVERTED)
    path = lab.path("process")
    for text in ("", "{", "[]", "{}", json.dumps({**PROCESS, "args": []}),
                 json.dumps({**PROCESS, "cwd": "srv"}), json.dumps({**PROCESS, "args": [1]}),
                 json.dumps({**PROCESS, "user": {"uid": -1}}), json.dumps(PROCESS)[:-1] +
                 ",\"args\":[\"other\"]}", "{\"args\":[\"\\u0000\"],\"cwd\":\"/\"}"):
        write(path, text)
        assert_refused(node.call("exec", "--process", path, "c1"), ":")
        assert read(path) == text.encode()
    os.unlink(path)
    assert_refused(node.call("exec", "--process", path, "c1"), "No such file")
    os.mkfifo(path)
    assert_refused(node.call("exec", "--process", path, "c1"), "no plain file")
