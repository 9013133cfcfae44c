# SPDX-License-Identifier: BSD-3-Clause
"""What sluice-install has put on a node, at work: containers of engines that it has told, from the
machine root that it has unpacked. The node is a directory whose /opt is this machine's here."""

import contextlib
import json
import os
import subprocess

from cri import Cri
from installed_node import PROGRAM, Node, read
from podman import Podman
from sluice_image import make_sluice_image
from suite import test

SUITE = "oci"
HANDLER = "sluice"


@contextlib.contextmanager
def installed(lab, containerd=None):
    """A node that has Sluice: the image's own installer has put it there."""
    image = make_sluice_image(lab, vms=containerd is not None)
    node = Node(lab, containerd, image=image)
    node.installer = os.path.join(image, "usr/share/sluice/installer/sluice-install")
    node.run("install", "--oci-runtime", "/usr/sbin/runc")
    subprocess.run(["mount", "--bind", node.path("/opt"), "/opt"], check=True)
    try:
        yield node
    finally:
        subprocess.run(["umount", "-l", "/opt"], check=True)


def settings_of(node):
    """The node's sluice.json, and what its administrator adds on a machine without KVM."""
    return {**json.loads(read(node.path("/etc/sluice/sluice.json"))), "vmm": "uml", "memory": 256}


@test(limit=120)
def vm_of_an_installed_node(lab):
    """Through the CRI: a pod's annotation reaches the runtime, and its container is a VM that runs from
    the machine root; a pod that wants none has a container, which is passed on. As long as one of
    them is there, its engine can end it: what it needs for that stays on the node."""
    with installed(lab, Cri.config_text(lab)) as node, \
            Cri(lab, node.path("/etc/containerd/config.toml")) as engine:
        engine.node.configure(settings_of(node))
        web = engine.run_pod("web", HANDLER, {"sluice.dev/vm": "true", "other.example/key": "x"})
        app = web.start("app", "echo ready; exec sleep 1000000")
        app.wait_for_log("ready")
        plain = engine.run_pod("plain", HANDLER, {"sluice.dev/vm": "false"})
        beside = plain.start("app", "exec sleep 1000000")
        kernel = os.uname().release
        assert beside.exec("uname -r; exit 3") == (3, kernel + "\n")
        status, theirs = app.exec("uname -r; exit 4")
        assert status == 4 and theirs.strip() in os.listdir(
            node.path("/opt/sluice/current/root/usr/lib/uml/modules")), theirs
        annotations = app.config()["annotations"]
        assert annotations["sluice.dev/vm"] == "true" and "other.example/key" not in annotations

        assert "in use by running VMs" in node.run("uninstall").stderr
        assert "sluice" not in node.containerd() and not node.podman()
        web.remove()
        assert "in use by containers" in node.run("uninstall").stderr
        assert beside.exec("true") == (0, "")
        plain.remove()
        node.run("uninstall")
        node.assert_as_before()


@test()
def uninstall_leaves_podman_its_runtime(lab):
    """A container that was passed on is ended by the program that made it; then all goes."""
    with installed(lab) as node, Podman(lab, PROGRAM) as engine:
        engine.node.configure(settings_of(node))
        web = engine.start("trap 'exit 7' TERM; echo ready; while true; do sleep 0.1; done")
        web.wait_for_log("ready")
        assert "in use by containers" in node.run("uninstall").stderr
        assert not node.podman() and os.path.exists(node.path("/etc/sluice/sluice.json"))
        assert web.exec("exit 5").status == 5
        web.call("stop", "-t", "120")
        assert web.wait() == 7
        web.call("rm")
        node.run("uninstall")
        node.assert_as_before()
        engine.runtime = "runc"  # for what is done at the end
