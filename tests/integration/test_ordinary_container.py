# SPDX-License-Identifier: BSD-3-Clause
"""A VM in a container that has nothing but what the example pod for that asks for."""

import glob
import os
import subprocess

import yaml

from cni import Calico
from guest import GUEST_DIR, die_with_parent
from installed_node import CONFIG
from suite import test
from vm import make_rootfs

SUITE = "oci"

EXAMPLE = os.path.join(CONFIG, "kubernetes", "examples", "ordinary-container.yaml")
# What containerd gives a container that asks for nothing.
USUAL = ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
         "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")


class Container:
    """The example's, with the machine's /usr for its image and a UML guest instead of QEMU's."""

    def __init__(self, lab):
        with open(EXAMPLE, encoding="utf-8") as file:
            self.pod = yaml.safe_load(file)
        self.spec = self.pod["spec"]["containers"][0]
        self.lab = lab
        self.net = Calico(lab)
        self.rootfs = make_rootfs(lab.path("rootfs"))
        self.image = self._image()
        os.makedirs(lab.path("podinfo"))
        with open(lab.path("podinfo/annotations"), "w", encoding="utf-8") as file:
            for key, value in self.pod["metadata"]["annotations"].items():
                file.write(f'{key}="{value}"\n')

    def _image(self):
        image = self.lab.path("image")
        for directory in ("etc/podinfo", "proc", "sys", "dev", "run", "tmp", "usr", "rootfs",
                          "var/cache", self.lab.build.strip("/"), GUEST_DIR.strip("/")):
            os.makedirs(os.path.join(image, directory), exist_ok=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + link, os.path.join(image, link))
        with open("/etc/ld.so.cache", "rb") as file, \
                open(os.path.join(image, "etc/ld.so.cache"), "wb") as copy:
            copy.write(file.read())
        return image

    def podman(self, capabilities):
        binds = {"/usr": "/usr:ro", self.lab.build: self.lab.build + ":ro",
                 GUEST_DIR: GUEST_DIR + ":ro", self.rootfs: "/rootfs",
                 self.lab.path("podinfo"): "/etc/podinfo:ro"}
        return ["podman", "--root", self.lab.path("root"), "--runroot", self.lab.path("runroot"),
                "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc",
                "run", "--rm", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096",
                "--network", f"ns:/run/netns/{self.net.pod.name}", "--cap-drop", "all",
                *(f"--cap-add={name}" for name in capabilities),
                *(f"--volume={ours}:{theirs}" for ours, theirs in binds.items()),
                "--tmpfs=/tmp:exec", "--tmpfs=/run:exec", "--rootfs", self.image]

    def run(self, command, capabilities):
        """The example's words, but for the workload's."""
        words = self.spec["args"][:self.spec["args"].index("--")]
        modules = glob.glob(os.path.join(GUEST_DIR, "uml/usr/lib/uml/modules/*"))[0]
        guest = ["--vmm=uml", f"--kernel={os.path.join(GUEST_DIR, 'linux.uml')}",
                 f"--modules-dir={modules}", "--cache-dir=/tmp/cache"]
        program = os.path.join(self.lab.build, "launcher", "sluice-vm")
        assert self.spec["command"] == ["sluice-vm", "run"]
        return subprocess.run(
            [*self.podman(capabilities), program, "run", *guest, *words, "--", *command],
            capture_output=True, text=True, check=False, timeout=240, preexec_fn=die_with_parent)


@test(limit=120)
def ordinary_container(lab):
    """With the capabilities that the example names, and no device; all of them are needed."""
    container = Container(lab)
    added = container.spec["securityContext"]["capabilities"]["add"]
    command = ["/bin/sh", "-c", "nproc; ip -4 -o addr show eth0; touch /written; exit 7"]
    done = container.run(command, {*USUAL, *added})
    cpus, address = done.stdout.splitlines()
    assert done.returncode == 7, done
    # UML has one, whatever the annotation says.
    assert cpus == "1" and container.net.pod4 in address, done.stdout
    assert os.path.exists(os.path.join(container.rootfs, "written"))
    said = {"NET_ADMIN": "CAP_NET_ADMIN", "NET_RAW": "sluiced", "SYS_CHROOT": "virtiofsd"}
    for missing in added:
        done = container.run(command, {*USUAL, *added} - {missing})
        assert done.returncode in (122, 125) and not done.stdout, (missing, done)
        assert said[missing] in done.stderr, (missing, done.stderr)
