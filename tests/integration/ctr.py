# SPDX-License-Identifier: BSD-3-Clause
"""containerd on a node of its own, without systemd, and what its ctr makes of containers.

    with Containerd(lab, runtime="runc") as engine:
        done = engine.run("echo hello")             # a container to its end: status, out, err
        web = engine.start("exec sleep 1000")       # one that goes on: a Task
        web.exec("id").out

Its shim (io.containerd.runc.v2) calls the runtime, as it does for Kubernetes; containers have its
default seccomp profile and join a network namespace that the CNI's bridge was added to before.
"""

import contextlib
import glob
import hashlib
import io
import json
import os
import signal
import subprocess
import tarfile
import uuid

from guest import die_with_parent
from lab import LabError, wait_until
from oci_node import CGROUPS, Node
from podman import CNI_PLUGINS, IMAGE, shell
from terminal import Terminal
from vm import make_rootfs

SUBNET = "10.90.0.0/24"

CONFIG = """\
version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]

[debug]
level = "warn"

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"
"""


def runtime_path(build, runtime):
    return {"runc": "/usr/sbin/runc",
            "sluice-runtime": os.path.join(build, "launcher", "sluice-runtime")}[runtime]


class Containerd:
    """The daemon; `annotations` are those of each container."""

    def __init__(self, lab, runtime="runc", annotations=None):
        self.lab, self.annotations = lab, dict(annotations or {})
        self.runtime = runtime_path(lab.build, runtime)
        self.dir = lab.path("containerd")
        self.socket = lab.path("containerd.sock")
        os.makedirs(self.dir)
        # Also the name of the control groups' parent, which all tests share.
        self.name = "sluice-" + uuid.uuid4().hex[:12]
        self.command = ["/bin/sh"]  # the image's
        self._pods = {}  # task: what the CNI said when its network was made
        self.node = Node(lab)
        try:
            self._start_daemon()
            self._import_image()
        except BaseException:
            self._stop_daemon()
            self.node.close()
            raise

    def _write_config(self):
        """Its configuration's path."""
        config = os.path.join(self.dir, "config.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(dir=self.dir, socket=self.socket))
        return config

    def _start_daemon(self):
        config = self._write_config()
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "wb") as log:
            self.daemon = subprocess.Popen(
                self.node.argv(["containerd", "--config", config]), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, process_group=0, preexec_fn=die_with_parent)
        wait_until(lambda: self.daemon.poll() is not None or self.try_call("version").status == 0,
                   "containerd to answer", 120)
        if self.daemon.poll() is not None:
            raise LabError("containerd ended\n" + self.report())

    def _stop_daemon(self):
        if hasattr(self, "daemon") and self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, *_):
        if kind is not None and hasattr(error, "add_note"):
            error.add_note(self.report())
        try:
            if kind is None:
                self.remove_all()
        finally:
            self._stop_daemon()
            self.node.__exit__(kind, error)
            for path in glob.glob(f"{CGROUPS}/{self.name}") + glob.glob(f"{CGROUPS}/*/{self.name}"):
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    def report(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "--- containerd\n" + "".join(log.readlines()[-40:])

    # --- ctr itself

    def argv(self, *words):
        return ["ctr", "--address", self.socket, "--namespace", self.name, *words]

    def try_call(self, *words, timeout=240, data=b""):
        return self.node.run(self.argv(*words), timeout, data)

    def call(self, *words, timeout=240):
        return self.try_call(*words, timeout=timeout).check().out.decode().strip()

    def _import_image(self):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(make_rootfs(self.lab.path("image")), ".")
        digest = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
        config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": self.command},
                  "rootfs": {"type": "layers", "diff_ids": [digest]}}
        manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
        path = os.path.join(self.dir, "image.tar")
        with tarfile.open(path, "w") as tar:
            for name, data in (("manifest.json", json.dumps(manifest).encode()),
                               ("config.json", json.dumps(config).encode()),
                               ("layer.tar", layer.getvalue())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        self.call("images", "import", "--snapshotter", "native", path)

    # --- containers

    def _run_words(self, task_id, command, options):
        annotations = [f"--annotation={key}={value}" for key, value in self.annotations.items()]
        return ["run", "--snapshotter", "native", "--runc-binary", self.runtime, "--seccomp",
                "--with-ns", f"network:/run/netns/{task_id}", *annotations, *options,
                IMAGE, task_id, *shell(command)]

    def run(self, command, *options, timeout=240, data=b""):
        """A container to its end, which is removed then: Done."""
        task_id = self._plug()
        try:
            return self.try_call(*self._run_words(task_id, command, ["--rm", *options]),
                                 timeout=timeout, data=data)
        finally:
            self._unplug(task_id)

    def start(self, command, *options):
        """A container that goes on: Task."""
        task_id = self._plug()
        self.call(*self._run_words(task_id, command, ["-d", *options]))
        return Task(self, task_id)

    def remove_all(self):
        for task_id in self.call("containers", "list", "-q").split():
            self.try_call("tasks", "delete", "-f", task_id)
            self.call("containers", "delete", task_id)
        for task_id in list(self._pods):
            self._unplug(task_id)

    # --- pods' networks, as a kubelet's CRI prepares them

    def _plug(self):
        task_id = f"{self.name}-{len(self.node.ids)}"
        self.node.ids.add(task_id)
        subprocess.run(["ip", "netns", "add", task_id], check=True)
        subprocess.run(["ip", "-n", task_id, "link", "set", "lo", "up"], check=True)
        self._pods[task_id] = {}
        self._pods[task_id] = json.loads(self._cni("ADD", task_id))
        return task_id

    def address(self, task_id):
        return self._pods[task_id]["ips"][0]["address"].split("/")[0]

    def _unplug(self, task_id):
        self._cni("DEL", task_id)
        subprocess.run(["ip", "netns", "del", task_id], check=True)
        del self._pods[task_id]

    def _cni(self, verb, task_id):
        config = {"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "bridge": "cni-sluice0",
                  "isGateway": True, "hairpinMode": True,
                  "ipam": {"type": "host-local", "ranges": [[{"subnet": SUBNET}]],
                           "routes": [{"dst": "0.0.0.0/0"}]}}
        env = dict(os.environ, CNI_COMMAND=verb, CNI_CONTAINERID=task_id, CNI_IFNAME="eth0",
                   CNI_NETNS=f"/run/netns/{task_id}", CNI_PATH=CNI_PLUGINS)
        return self.node.run([os.path.join(CNI_PLUGINS, "bridge")],
                             data=json.dumps(config).encode(), env=env).check().out


class Task:
    """A container that runs."""

    def __init__(self, engine, task_id):
        self.engine, self.id = engine, task_id
        self._n_execs = 0

    def _exec_words(self, command, options):
        self._n_execs += 1
        return ["tasks", "exec", "--exec-id", f"e{self._n_execs}", *options, self.id,
                *shell(command)]

    def exec(self, command, *options, timeout=240, data=b""):
        """To its end: Done."""
        return self.engine.try_call(*self._exec_words(command, options), timeout=timeout, data=data)

    def exec_terminal(self, command, *options):
        argv = self.engine.argv(*self._exec_words(command, ["--tty", *options]))
        return Terminal(self.engine.node.argv(argv))

    def address(self):
        return self.engine.address(self.id)

    def kill(self, number=signal.SIGKILL):
        self.engine.call("tasks", "kill", "--signal", str(int(number)), self.id)

    def _listed(self):
        """Its line: [id, pid, state]."""
        lines = [line.split() for line in self.engine.call("tasks", "list").splitlines()]
        return next(line for line in lines if line[0] == self.id)

    def pid(self):
        """Of its first process, on the node."""
        return int(self._listed()[1])

    def wait_stopped(self, timeout=120):
        wait_until(lambda: self._listed()[2] == "STOPPED", f"{self.id} to stop", timeout)
