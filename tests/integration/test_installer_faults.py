# SPDX-License-Identifier: BSD-3-Clause
"""sluice-install when it is interrupted, when VMs still run and when engines do not start; in its pod."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time

from guest import die_with_parent
from installed_node import CONFIG, INSTALLER, NODE, NSENTER, Node, config_of, read, write
from lab import wait_until
from node_api import NodeApi
from suite import test

SUITE = "oci"

# A tool that ends the installer and all that it started, before it does its work.
DEADLY = """#!/bin/sh
echo "$0 $*" >>{log}
[ "$(wc -l <{log})" -lt {after} ] || kill -9 0
exec {tool} "$@"
"""
STEPS = ("mv", "mkdir", "rm", "rmdir", "cp", "tar", "ln", "chmod", "touch", "cat")


# --- versions

@test()
def switches_versions(lab):
    """A new image takes the place of the old one, which goes unless a VM runs from it."""
    node = Node(lab, config_of("v3")[1])
    current = node.path("/opt/sluice/current")
    node.run("install")
    first = os.readlink(current)
    registered = read(node.path("/etc/containerd/conf.d/50-sluice.toml"))
    # As a VM's container has it mounted.
    mounted = lab.path("mounted")
    os.makedirs(mounted)
    subprocess.run(["mount", "--bind", os.path.join(current, "root"), mounted], check=True)
    write(os.path.join(node.image, "usr/bin/new"), "")
    assert "in use" in node.run("install").stderr
    second = os.readlink(current)
    assert first != second and os.path.exists(node.path(f"/opt/sluice/{first}"))
    assert os.path.exists(os.path.join(current, "root/usr/bin/new"))
    assert read(node.path("/etc/containerd/conf.d/50-sluice.toml")) == registered
    # What a running VM needs to be ended by stays; engines do not know it any more.
    assert "in use" in node.run("uninstall").stderr
    assert "sluice" not in node.containerd() and not node.crio()
    assert os.path.exists(node.path("/opt/sluice/current")) and os.path.exists(
        node.path("/etc/sluice/sluice.json"))
    subprocess.run(["umount", mounted], check=True)
    node.run("uninstall")
    node.assert_as_before()


@test()
def keeps_what_crio_ends_containers_with(lab):
    """Started again, it knows no container whose handler it does not know."""
    node = Node(lab, config_of("v3")[1])
    node.run("install")
    container = node.path("/run/sluice-runtime/0123456789abcdef")
    os.makedirs(container)
    assert "in use by containers" in node.run("uninstall").stderr
    assert node.crio() and "sluice" not in node.containerd()
    node.assert_usable()
    shutil.rmtree(node.path("/run"))
    node.run("uninstall")
    node.assert_as_before()


@test()
def keeps_the_plugin_that_a_network_names(lab):
    """Without it no pod of that network, whatever it runs, could be removed."""
    node = Node(lab, config_of("v3")[1])
    node.run("install")
    network = node.path("/etc/cni/net.d/10-sluice.conflist")
    write(network, read(os.path.join(CONFIG, "cni", "10-sluice.conflist")))
    assert "10-sluice.conflist, which names sluice-cni" in node.run("uninstall").stderr
    assert os.access(node.path("/opt/cni/bin/sluice-cni"), os.X_OK)
    shutil.rmtree(node.path("/etc/cni"))
    node.run("uninstall")
    node.assert_as_before()


# --- interruptions

def interrupt(node, verb, after):
    """Kills the installer and all it started before its nth step. Whether it got that far."""
    log = node.log + "-steps"
    write(log, "")
    for name in STEPS:
        node.tool(name, DEADLY.format(log=log, after=after, tool=shutil.which(name)))
    done = node.run(verb, status=None)
    for name in STEPS:
        os.unlink(os.path.join(node.tools, name))
    assert done.returncode in (0, -signal.SIGKILL), done
    return done.returncode != 0


def every(lab):
    """How many steps there are between two tries; the tests of a kind begin with others."""
    return 1 if lab.soak else 6


@test(limit=120, each={"v2": ("v2", 1), "v3": ("v3-imports", 3), "none": ("none", 5)})
def repairs_an_interrupted_install(lab, kind):
    """Killed before each of its steps: no engine is in trouble, the next run gets it right."""
    name, after = kind
    text = config_of(name)[1]
    whole = Node(lab, text, name="whole")
    whole.run("install")
    installed = {path: what for path, what in whole.snapshot().items() if "/record" not in path}
    while True:
        node = Node(lab, text, name=f"n{after}")
        if not interrupt(node, "install", after):
            break
        node.assert_usable()
        if after % 4 < 2:
            node.run("install")
            now = {path: what for path, what in node.snapshot().items() if "/record" not in path}
            assert now == installed, (after, set(now.items()) ^ set(installed.items()))
        node.run("uninstall")
        node.assert_as_before()
        shutil.rmtree(node.root)
        after += every(lab)
    assert after > 20, after


@test(limit=120, each={"v2": ("v2", 1), "v3": ("v3-imports", 3)})
def repairs_an_interrupted_uninstall(lab, kind):
    name, after = kind
    while True:
        node = Node(lab, config_of(name)[1], name=f"n{after}")
        node.run("install")
        if not interrupt(node, "uninstall", after):
            break
        node.assert_usable()
        node.run("uninstall")
        node.assert_as_before()
        shutil.rmtree(node.root)
        after += every(lab)
    assert after > 8, after


# --- restarts

@test()
def restarts_engines_that_changed(lab):
    """On the node, once, and only if asked to; a restart that was missed is made up for."""
    node = Node(lab, config_of("v3")[1])
    node.has_systemd()
    node.run("install")
    assert node.restarts() == []
    assert "to be restarted" in node.run("status", status=1).stdout
    node.run("install", "--restart")
    assert node.restarts() == ["containerd", "crio"]
    assert "to be restarted" not in node.run("status").stdout
    node.run("install", "--restart")
    assert node.restarts() == []
    node.run("uninstall", "--restart")
    assert node.restarts() == ["containerd", "crio"]
    node.assert_as_before()
    node.set_run("k3s", "1")
    node.run("install", "--containerd-service", "k3s")
    node.run("install", "--restart")
    assert node.restarts() == ["k3s", "crio"]


@test()
def restarts_each_change_once(lab):
    """Not again if a restart took the installer along; not what does not run."""
    node = Node(lab, config_of("v3")[1])
    node.has_systemd("kill -9 0")
    for seen in (["containerd"], ["crio"], []):
        assert node.run("install", "--restart", status=None).returncode == (
            -signal.SIGKILL if seen else 0)
        assert node.restarts() == seen
    assert "to be restarted" not in node.run("status").stdout
    # Changed again before it was known to have been restarted: once more.
    node.run("uninstall", "--restart", status=-signal.SIGKILL)
    node.run("install")
    assert node.run("install", "--restart", status=None).returncode == -signal.SIGKILL
    assert node.restarts() == ["containerd", "containerd"]
    # Nor is one that failed known to have started with it.
    node.has_systemd()
    node.set_run("containerd", "failed")
    node.set_run("crio", "inactive")
    assert "crio does not run" in node.run("install", "--restart").stderr
    assert node.restarts() == ["containerd"]
    node.run("status")
    node.run("uninstall", "--restart")
    node.assert_as_before()


@test()
def takes_back_what_an_engine_does_not_start_with(lab):
    """And does not try the same again: its pod may be started again and again."""
    text = config_of("v2")[1]
    node = Node(lab, text)
    path = node.path("/etc/containerd/config.toml")
    node.has_systemd(f"[ $service != containerd ] || ! grep -q sluice-runtime {path}")
    assert "did not start with Sluice" in node.run("install", "--restart", status=1).stderr
    assert read(path) == text and node.restarts() == ["containerd", "containerd"]
    for _ in range(2):
        assert "before" in node.run("install", "--restart", status=1).stderr
        assert read(path) == text and node.restarts() == []
    # The node is another one now, or somebody says so.
    write(path, text + "# changed\n")
    assert "did not start with" in node.run("install", "--restart", status=1).stderr
    assert len(node.restarts()) == 2
    os.unlink(node.path("/opt/sluice/refused.containerd"))
    node.has_systemd()
    node.run("install", "--restart")
    assert node.restarts() == ["containerd", "crio"]
    node.assert_registered()
    node.run("uninstall", "--restart")
    assert read(path) == text + "# changed\n" and not os.path.exists(node.path("/opt/sluice"))


# What `ctr plugins ls` says of the plugin for kubelets, and whether that is missed: not by an
# administrator who does without.
PLUGINS = {
    "grpc-error": ("io.containerd.grpc.v1    cri        linux/amd64    error     ", True),
    "cri-error": ("io.containerd.cri.v1     runtime    linux/amd64    error     ", True),
    "cri-skip": ("io.containerd.cri.v1     runtime    linux/amd64    skip      ", False),
    "none": ("io.containerd.content.v1 content    -              ok        ", False),
}


@test(each=PLUGINS)
def notices_what_containerd_starts_without(lab, kind):
    """Without that plugin no pod starts any more."""
    listed, missed = kind
    node = Node(lab, config_of("v3")[1])
    node.has_systemd()
    path = node.path("/etc/containerd/config.toml")
    write(node.path("/usr/bin/ctr"), "", 0o755)
    node.tool("nsenter", NSENTER.replace("exec", f"""
case $1 in */ctr)
    shift
    [ "$*" = "--address /run/containerd/containerd.sock --timeout 5s plugins ls" ] || exit 1
    echo "TYPE ID PLATFORMS STATUS"
    ! grep -q 50-sluice {path} || echo "{listed}"
    exit 0
esac
exec"""))
    done = node.run("install", "--restart", status=1 if missed else 0)
    assert ("without its plugin cri with Sluice" in done.stderr) == missed, done
    assert node.restarts() == ["containerd", "containerd" if missed else "crio"]
    assert ("sluice" in node.containerd()) != missed


@test()
def asks_the_containerd_of_k3s(lab):
    """Which is part of another program, and has its socket elsewhere."""
    node = Node(lab, engines=())
    for service in ("k3s", "rke2-server"):
        node.set_run(service, "1")
    node.has_systemd()
    asked = node.log + "-asked"
    node.tool("nsenter", NSENTER.replace("exec", f"""
case $1 in */k3s | */ctr)
    echo "$*" >>{asked}
    echo "io.containerd.cri.v1 runtime linux/amd64 ok"
    exit 0
esac
exec"""))
    socket = "--address /run/k3s/containerd/containerd.sock --timeout 5s plugins ls"
    for program, service, words in (
            ("/usr/local/bin/k3s", "k3s", "/usr/local/bin/k3s ctr"),
            ("/var/lib/rancher/rke2/bin/ctr", "rke2-server", "/var/lib/rancher/rke2/bin/ctr")):
        write(node.path(program), "", 0o755)
        node.run("install", "--restart", "--containerd-service", service, "--containerd-config",
                 f"/var/lib/rancher/{service}/agent/etc/containerd/config-v3.toml.tmpl")
        assert node.restarts() == [service]
        assert read(asked).splitlines()[-1] == f"{words} {socket}"
        node.run("uninstall")
        os.unlink(node.path(program))


# --- the DaemonSet's program

class Installer:
    """sluice-node in its pod."""

    def __init__(self, node, api, name="installer"):
        env = {**node.env(), **api.env()}
        self.output = node.lab.path(name + ".log")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([NODE, "run"], env=env, stdout=output, stderr=output,
                                            preexec_fn=die_with_parent, process_group=0)
        wait_until(lambda: "installed:" in read(self.output) or self.process.poll() is not None,
                   "the installer", 120)

    def has_heard(self):
        return "has been deleted" in read(self.output)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(180)
        # Its watch, which is no longer of any use.
        with open(self.output, encoding="utf-8") as file:
            said = file.read()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return status, said


DAEMONSETS = "/apis/apps/v1/namespaces/sluice/daemonsets"
WATCH = "?watch=true&timeoutSeconds=1800&fieldSelector=metadata.name%3Dsluice-installer"
DELETED = {"deletionTimestamp": "2024-01-01T00:00:00Z"}
# How its pod ends: what the API server says, whether a watch has heard of it, and what becomes of it.
ENDS = {
    "only-the-pod": ([(200, {})], False, False),
    "deleted": ([(200, DELETED)], False, True),
    "gone": ([(404, {})], False, True),
    "gone-after-its-pods": ([(200, {}), (200, {}), (404, {})], False, True),
    "may-not-ask": ([(403, {})], False, False),
    "nobody-known": ([(401, {})], False, False),
    "in-trouble": ([(500, {})], False, False),
    "gone-at-last": ([(403, {}), (500, {}), (404, {})], False, True),
    "gone-with-the-right-to-ask": ([(403, {})], True, True),
    "made-again": ([(200, {})], True, False),
}


@test(limit=120)
def daemonset_takes_itself_away(lab):
    """Deleted, a node is as it was; while only its pod ends, or nobody says so, all stays."""
    node, api = Node(lab, config_of("v3")[1]), NodeApi(lab)
    for name, (answers, watched, goes) in ENDS.items():
        api.begin([(status, {"kind": "DaemonSet", "metadata": metadata})
                   for status, metadata in answers])
        installer = Installer(node, api, name)
        node.assert_registered()
        assert json.loads(read(node.path("/etc/sluice/sluice.json")))["runtime"][
            "memory-overhead"] == "outside"
        wait_until(lambda: api.watches, "a watch")
        assert list(api.watches) == [DAEMONSETS + WATCH]
        if watched:
            api.delete()
            wait_until(installer.has_heard, "it to hear of the deletion")
        code, said = installer.stop()
        assert code == 0 and ("is gone: removing" in said) == goes, (name, said)
        assert set(api.asked) == {(DAEMONSETS + "/sluice-installer", "Bearer secret")}, api.asked
        failures = [status for status, _ in answers if status not in (200, 404)]
        assert watched or all(f"status {status}" in said for status in failures), (name, said)
        if goes:
            node.assert_as_before()
        else:
            node.assert_registered()
    api.close()


@test()
def daemonset_stays_if_nobody_answers(lab):
    api = NodeApi(lab)
    api.close()
    node = Node(lab, config_of("v3")[1])
    started = time.monotonic()
    code, said = Installer(node, api).stop()
    assert code == 0 and "stays" in said and time.monotonic() - started < 240, said
    node.assert_registered()


@test()
def one_installer_at_a_time(lab):
    """Whoever comes second waits for the first, and says so; whoever asks only does not."""
    node = Node(lab, config_of("v3")[1])
    root = os.open(node.root, os.O_RDONLY)
    fcntl.flock(root, fcntl.LOCK_EX)
    both = [subprocess.Popen([INSTALLER, "install", "--root", node.root, "--from", node.image],
                             env=node.env(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert all("waiting" in one.stderr.readline() for one in both)
    node.run("status", status=1)
    node.assert_as_before()
    os.close(root)
    assert [one.wait(180) for one in both] == [0, 0]
    node.assert_registered()
    node.run("uninstall")
    node.assert_as_before()
