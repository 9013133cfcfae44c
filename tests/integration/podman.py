# SPDX-License-Identifier: BSD-3-Clause
"""podman on a node of its own: containers as their users see them.

    with Podman(lab, runtime="runc") as engine:
        done = engine.run("echo hello")             # a container to its end: status, out, err
        web = engine.start("exec httpd -f")         # one that goes on: a Container
        web.exec("id").out
        engine.kube_play(pod("web", [...]))

Nothing of the machine's own podman is read or touched: storage, state, locks, networks, events and
configuration are below the test's directory. The image is busybox, imported once.
"""

import json
import os
import subprocess

from lab import LabError
from oci_node import RUNROOT, Node
from terminal import Terminal
from vm import Running, make_rootfs

IMAGE = "localhost/busybox:1"
SUBNET = "10.89.0"
GATEWAY = SUBNET + ".1"
CNI_PLUGINS = "/usr/lib/cni"

CONFIG = """\
[containers]
default_capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]
default_sysctls = ["net.ipv4.ping_group_range=0 0"]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"

[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_path = "{dir}/events"
lock_type = "file"
static_dir = "{dir}/root/libpod"
tmp_dir = "{dir}/tmp"
runtime = "runc"
runtime_supports_json = ["runc", "sluice-runtime"]

[engine.runtimes]
runc = ["/usr/sbin/runc"]
sluice-runtime = ["{build}/launcher/sluice-runtime"]

[network]
network_backend = "cni"
cni_plugin_dirs = ["{plugins}", "{build}/launcher/cni"]
network_config_dir = "{dir}/cni"
"""


def shell(command):
    """`command` is a shell's, or a list."""
    return ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)


class Podman:
    """An engine; `annotations` are those of each container and pod that does not say otherwise.

    `plugins` are chained behind bridge and portmap, as in a CNI configuration; `networks` are others
    that containers can ask for: {name: plugins}.
    """

    def __init__(self, lab, runtime="runc", annotations=None, plugins=(), networks=None):
        self.lab, self.runtime, self.annotations = lab, runtime, dict(annotations or {})
        self.dir = lab.path("podman")
        self._n_containers = 0
        for name in ("cni", "root", "tmp"):
            os.makedirs(os.path.join(self.dir, name))
        self._write_network("podman", "0.4.0", [*self._default_plugins(), *plugins])
        for name, chain in (networks or {}).items():
            self._write_network(name, "1.0.0", chain)
        self.config_path = os.path.join(self.dir, "containers.conf")
        with open(self.config_path, "w", encoding="ascii") as file:
            file.write(CONFIG.format(dir=self.dir, build=lab.build, plugins=CNI_PLUGINS))
        # Without systemd, whose timers they would be, health checks are run by hand.
        self.env = dict(os.environ, CONTAINERS_CONF=self.config_path, DISABLE_HC_SYSTEMD="true")
        self.node = Node(lab)
        try:
            self.rootfs = make_rootfs(lab.path("image"))
            self.add_image(IMAGE)
        except BaseException:
            self.node.close()
            raise

    @staticmethod
    def _default_plugins():
        bridge = {"type": "bridge", "bridge": "cni-sluice0", "isGateway": True, "ipMasq": True,
                  "hairpinMode": True,
                  "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}],
                           "ranges": [[{"subnet": SUBNET + ".0/24", "gateway": GATEWAY}]]}}
        return [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]

    def _write_network(self, name, version, plugins):
        with open(os.path.join(self.dir, "cni", f"87-{name}.conflist"), "w",
                  encoding="ascii") as file:
            json.dump({"cniVersion": version, "name": name, "plugins": plugins}, file)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, *_):
        if kind is not None and hasattr(error, "add_note"):
            error.add_note(self.report())
        try:
            if kind is None:
                self.remove_all()
        finally:
            self.note_ids()
            self.node.__exit__(kind, error)

    # --- podman itself

    def argv(self, *words):
        return ["podman", "--root", os.path.join(self.dir, "root"),
                "--runroot", RUNROOT, "--storage-driver", "vfs",
                "--runtime", self.runtime, *words]

    def try_call(self, *words, timeout=240, data=b""):
        """podman with these words: Done."""
        return self.node.run(self.argv(*words), timeout, data, self.env)

    def call(self, *words, timeout=240, data=b""):
        """The same, which must succeed: what it says."""
        return self.try_call(*words, timeout=timeout, data=data).check().out.decode().strip()

    def spawn(self, *words, **streams):
        """podman in the background: Running."""
        return Running(self.node.argv(self.argv(*words)), env=self.env, **streams)

    def terminal(self, *words, rows=24, columns=80):
        """podman on a terminal of its own."""
        return Terminal(self.node.argv(self.argv(*words)), rows, columns, env=self.env)

    def add_image(self, name, *changes, rootfs=None):
        """Imports the root file system with changes, such as "STOPSIGNAL SIGUSR1"."""
        tar = subprocess.run(["tar", "-C", rootfs or self.rootfs, "-c", "."], check=True,
                             stdout=subprocess.PIPE, timeout=120).stdout
        options = [word for change in changes for word in ("--change", change)]
        self.call("import", *options, "-", name, data=tar)
        return name

    def note_ids(self):
        """Of all containers that there have been; what they leave is found by them.

        Not of pods: podman leaves their control groups, empty, where it manages some of version 1.
        """
        path = os.path.join(self.dir, "events")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                events = [json.loads(line) for line in file]
            self.node.ids.update(event["ID"] for event in events if event["Type"] == "container")

    def remove_all(self):
        self.call("pod", "rm", "-f", "-t", "0", "-a")
        self.call("rm", "-f", "-t", "0", "-a")

    def report(self):
        """Containers, and what they said, for a test that failed."""
        try:
            parts = [self.call("ps", "-a", "--pod", timeout=30)]
            for name in self.call("ps", "-aq", timeout=30).split():
                done = self.try_call("logs", "--tail", "40", name, timeout=30)
                parts.append(f"--- {name}\n{done.text(done.out)}{done.text(done.err)}")
            return "\n".join(parts)
        except (LabError, AssertionError) as error:
            return f"podman says nothing: {error}"

    # --- containers

    def options(self, options=(), annotations=None):
        annotations = self.annotations if annotations is None else annotations
        return [*(f"--annotation={key}={value}" for key, value in annotations.items()), *options]

    def run_words(self, command, *options, image=IMAGE, annotations=None):
        return ["run", *self.options(options, annotations), image, *shell(command)]

    def run(self, command, *options, image=IMAGE, timeout=240, data=b"", annotations=None):
        """A container to its end, which is removed then: Done."""
        interactive = ("-i",) if data else ()
        return self.try_call(*self.run_words(command, "--rm", *interactive, *options, image=image,
                                             annotations=annotations), timeout=timeout, data=data)

    def start(self, command, *options, image=IMAGE, annotations=None):
        """A container that goes on: Container."""
        self._n_containers += 1
        name = f"c{self._n_containers}"
        self.call(*self.run_words(command, "-d", "--name", name, *options, image=image,
                                  annotations=annotations))
        return Container(self, name)

    def container(self, name):
        """One that somebody else started, as of a pod."""
        return Container(self, name)

    # --- pods

    def kube_play(self, manifest, *options, timeout=240):
        """`manifest` as of pod(): podman's words."""
        path = self._write_manifest(manifest)
        return self.try_call("kube", "play", *options, path, timeout=timeout)

    def kube_down(self, manifest):
        return self.try_call("kube", "down", self._write_manifest(manifest))

    def _write_manifest(self, manifest):
        path = os.path.join(self.dir, manifest["metadata"]["name"] + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)  # which is YAML too
        return path


def pod(name, containers, annotations=None, kind="Pod"):
    """A manifest; `containers` are {"name": ..., "command": a shell's or a list, ...}."""
    made = [{"image": IMAGE, "imagePullPolicy": "Never", **container,
             "command": shell(container["command"])} for container in containers]
    return {"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"containers": made, "restartPolicy": "Never",
                     "terminationGracePeriodSeconds": 2}}


class Container:
    """One that was started, by its name."""

    def __init__(self, engine, name):
        self.engine, self.name = engine, name

    def call(self, verb, *words, timeout=240):
        """podman VERB WORDS NAME, which must succeed."""
        return self.engine.call(verb, *words, self.name, timeout=timeout)

    def exec(self, command, *options, data=None, timeout=240):
        """To its end: Done."""
        interactive = ("-i",) if data is not None else ()
        return self.engine.try_call("exec", *interactive, *options, self.name, *shell(command),
                                    timeout=timeout, data=data or b"")

    def exec_terminal(self, command, *options, rows=24, columns=80):
        return self.engine.terminal("exec", "-it", *options, self.name, *shell(command),
                                    rows=rows, columns=columns)

    def logs(self):
        """(stdout, stderr)."""
        done = self.engine.try_call("logs", self.name).check()
        return done.out.decode(), done.err.decode()

    def inspect(self, template):
        return self.engine.call("inspect", "--format", "{{" + template + "}}", self.name)

    def config(self):
        """The config.json that its runtime was given, or made of it."""
        with open(self.inspect(".OCIConfigPath"), encoding="utf-8") as file:
            return json.load(file)

    def address(self):
        return self.inspect(".NetworkSettings.IPAddress")

    def wait(self, timeout=240):
        """Its exit status."""
        return int(self.call("wait", timeout=timeout))

    def wait_for_log(self, text, timeout=240):
        """Until it has said so."""
        job = self.engine.spawn("logs", "-f", self.name, stderr=subprocess.STDOUT)
        try:
            job.wait_for(text, timeout)
        finally:
            job.process.kill()
            job.wait()
        return self
