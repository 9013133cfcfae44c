# SPDX-License-Identifier: BSD-3-Clause
"""containerd as a kubelet uses it: pods and their containers, by its CRI.

    with Cri(lab, config_path) as engine:       # with this /etc/containerd/config.toml
        pod = engine.run_pod("web", "sluice", {"sluice.dev/vm": "true"})
        container = pod.start("app", "exec sleep 1000")
        container.exec("id")

The CRI is gRPC, and a call that has one answer is one HTTP/2 request: curl makes it. What is sent is
protobuf, of which strings, numbers, lists and messages are enough.
"""

import json
import os
import struct

from ctr import Containerd
from lab import wait_until
from podman import CNI_PLUGINS, IMAGE, shell

# What an administrator would have there, but for its places.
CONFIG = """\
version = 2
root = "{dir}/root"
state = "{dir}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{dir}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""
NETWORK = """\
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni-sluice0",
  "isGateway": true, "hairpinMode": true, "ipam": {"type": "host-local",
  "ranges": [[{"subnet": "10.91.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
"""


# --- protobuf

def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def message(fields):
    """{field's number: text, number, bytes, message as such a dict, or a list of these}."""
    out = b""
    for number, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, int):
                out += varint(number << 3) + varint(value)
                continue
            if isinstance(value, dict):
                value = message(value)
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def pairs(mapping):
    return [{1: key, 2: value} for key, value in mapping.items()]


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at


def fields_of(data):
    """{field's number: the last number or bytes}."""
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        size, at = read_varint(data, at)
        if key & 7 == 0:
            found[key >> 3] = size
        else:
            found[key >> 3] = data[at:at + size]
            at += size
    return found


# --- the engine

class CriError(Exception):
    """What it answered instead."""


class Cri(Containerd):
    """The daemon, with the configuration in a file that was made of config_text()."""

    def __init__(self, lab, config_path):
        self._config_path = config_path
        super().__init__(lab)

    @staticmethod
    def config_text(lab):
        return CONFIG.format(dir=lab.path("containerd"), socket=lab.path("containerd.sock"),
                             image=IMAGE, plugins=CNI_PLUGINS)

    def _write_config(self):
        self.name = "k8s.io"
        os.makedirs(os.path.join(self.dir, "cni"))
        with open(os.path.join(self.dir, "cni", "10-pods.conflist"), "w", encoding="ascii") as file:
            file.write(NETWORK)
        return self._config_path

    def _import_image(self):
        """A pod's first container has its command: to wait."""
        self.command = ["/bin/sleep", "1000000"]
        super()._import_image()
        wait_until(lambda: IMAGE.encode() in self.ask("ImageService/ListImages", {}, raw=True),
                   "the image to be known")

    def ask(self, method, request, timeout=240, raw=False):
        """One call: the answer's fields."""
        data = message(request)
        answer = os.path.join(self.dir, "answer")
        done = self.node.run(
            ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--unix-socket",
             self.socket, "-H", "content-type: application/grpc", "-H", "te: trailers",
             "--data-binary", "@-", "-D", "-", "-o", answer,
             f"http://localhost/runtime.v1.{method}"],
            timeout, struct.pack(">BI", 0, len(data)) + data).check()
        headers = dict(line.split(": ", 1) for line in done.out.decode().splitlines()
                       if ": " in line)
        if headers.get("grpc-status") != "0":
            raise CriError(f"{method}: {headers.get('grpc-message', headers)}")
        with open(answer, "rb") as file:
            body = file.read()[5:]
        return body if raw else fields_of(body)

    def run_pod(self, name, handler, annotations):
        return Pod(self, name, handler, annotations)

    def remove_all(self):
        """Of the CRI, pods were removed by whoever made them."""


class Pod:
    """A sandbox."""

    def __init__(self, engine, name, handler, annotations):
        self.engine = engine
        self.config = {1: {1: name, 2: name + "-uid", 3: "default"}, 2: name,
                       3: os.path.join(engine.dir, "logs"), 7: pairs(annotations),
                       8: {2: {}}}
        answer = engine.ask("RuntimeService/RunPodSandbox", {1: self.config, 2: handler})
        self.id = answer[1].decode()
        engine.node.ids.add(self.id)

    def start(self, name, command, memory=512 << 20):
        config = {1: {1: name}, 2: {1: IMAGE}, 3: shell(command), 11: name + ".log",
                  15: {1: {4: memory}, 2: {}}}
        answer = self.engine.ask("RuntimeService/CreateContainer",
                                 {1: self.id, 2: config, 3: self.config})
        container = PodContainer(self.engine, answer[1].decode(),
                                 os.path.join(self.config[3], name + ".log"))
        self.engine.node.ids.add(container.id)
        self.engine.ask("RuntimeService/StartContainer", {1: container.id})
        return container

    def remove(self):
        self.engine.ask("RuntimeService/StopPodSandbox", {1: self.id})
        self.engine.ask("RuntimeService/RemovePodSandbox", {1: self.id})


class PodContainer:
    """A container of a pod, by its ID."""

    def __init__(self, engine, container_id, log):
        self.engine, self.id, self.log = engine, container_id, log

    def config(self):
        """The config.json that its runtime was given, or made of it."""
        path = os.path.join(self.engine.dir, "state", "io.containerd.runtime.v2.task",
                            self.engine.name, self.id, "config.json")
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def exec(self, command, timeout=240):
        """(exit status, stdout)."""
        answer = self.engine.ask("RuntimeService/ExecSync",
                                 {1: self.id, 2: shell(command), 3: timeout})
        return answer.get(3, 0), answer.get(1, b"").decode()

    def wait_for_log(self, text, timeout=240):
        def said():
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return text in file.read()
        wait_until(said, f"{text} in the log", timeout)
