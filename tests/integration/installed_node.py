# SPDX-License-Identifier: BSD-3-Clause
"""A node's file system, and sluice-install on it; what the engines of that node would read.

    node = Node(lab, config_of("v2")[1])    # with this /etc/containerd/config.toml
    node.run("install")
    node.containerd(), node.crio(), node.podman()
"""

import glob
import os
import re
import shutil
import subprocess
import tomllib

CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config")
INSTALLER = os.path.join(CONFIG, "installer", "sluice-install")
NODE = os.path.join(CONFIG, "installer", "sluice-node")
PROGRAM = "/opt/sluice/current/bin/sluice-runtime"
CRI = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}

# Of containerd, as administrators have them. None: there is no file.
RUNC = """
[plugins.'{cri}']
  sandbox_image = "registry.k8s.io/pause:3.9" # runtimes.sluice is not here
  [plugins.'{cri}'.containerd.runtimes.runc.options]
    SystemdCgroup = true
"""
CONFIGS = {
    "none": (2, None),
    "v2": (2, "# The node's.\nversion = 2\n" + RUNC),
    "v2-without-last-newline": (2, "version = 2\n" + RUNC.rstrip("\n")),
    "v2-imports": (2, 'version = 2\nimports = ["/etc/containerd/other/*.toml"]\n' + RUNC),
    "v3": (3, "version = 3\n\n# The node's.\n" + RUNC),
    "v3-crlf": (3, ("version = 3\n" + RUNC).replace("\n", "\r\n")),
    "v3-imports": (3, "root = '/x'\nimports = ['/etc/containerd/other/*.toml'] # mine\n"
                      "version = 3\n" + RUNC),
    "v3-imports-on-lines": (3, 'version = 3\n# imports = ["/no"]\nimports = [\n  "/a.toml", # a\n'
                               '  "/b.toml"\n]\n' + RUNC),
    "v3-imports-empty": (3, "version = 3\n  imports=[]" + RUNC),
    "v3-imports-all": (3, 'version = 3\nimports = ["/etc/containerd/conf.d/*.toml"]\n' + RUNC),
    "v4": (4, "version = 4\n"),
    # Debian's.
    "v2-no-runtimes": (2, "version = 2\n\n[plugins]\n  [plugins.'{cri}']\n    [plugins.'{cri}'.cni]\n"
                          "      bin_dir = '/usr/lib/cni'\n"),
}

# A tool that says what it was asked.
LOGGED = """#!/bin/sh
echo "$(basename "$0") $*" >>{log}
{then}
"""

# systemd, as far as it is asked: which of its runs a service is in, or a state such as "inactive".
SYSTEMCTL = """#!/bin/sh
eval "service=\\${{$#}}"
run={runs}/$service
case $1 in
is-active) grep -sx "[a-z]*" "$run" || echo active ;;
show) cat "$run" ;;
restart)
    echo "$service" >>{log}
    echo "$(($(cat "$run") + 1))" >"$run"
    {then}
    ;;
esac
"""
NSENTER = """#!/bin/sh
[ "$*" != "${*#--target 1 --mount -- }" ] || exit 1
shift 4
exec "$@"
"""


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def make_image(path):
    """A small image whose sluice-runtime is a real program that needs the image's libraries."""
    programs = {"usr/bin/sluice-runtime": "/usr/bin/env", "usr/bin/sluice-cni": "/usr/bin/env",
                "usr/bin/busybox": "/bin/busybox"}
    for line in subprocess.run(["ldd", "/usr/bin/env"], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        match = re.search(r"(/\S+) \(0x", line)
        if match:
            place = "lib64/" if "ld-linux" in match[1] else "usr/lib/x86_64-linux-gnu/"
            programs[place + os.path.basename(match[1])] = match[1]
    for to, program in programs.items():
        os.makedirs(os.path.dirname(os.path.join(path, to)), exist_ok=True)
        shutil.copy2(os.path.realpath(program), os.path.join(path, to))
    write(os.path.join(path, "etc/passwd"), "root:x:0:0::/:/bin/sh\n")
    write(os.path.join(path, "etc/hosts"), "an engine's\n")
    os.symlink("usr/lib", os.path.join(path, "lib"))
    write(os.path.join(path, "proc/none"), "not of the image\n")
    return path


class Node:
    """A node's file system, and an installer that works on it."""

    def __init__(self, lab, containerd=None, engines=("containerd", "crio", "podman"), name="node",
                 image=None):
        self.lab = lab
        self.root = lab.path(name)
        self.image = image or lab.path("image")
        self.tools = lab.path(name + "-tools")
        self.log = lab.path(name + "-log")
        self.installer = INSTALLER
        if not os.path.exists(self.image):
            make_image(self.image)
        for engine in ("runc", *engines):
            write(self.path(f"/usr/bin/{engine}"), "", 0o755)
        for directory in ("/opt", "/etc/crio", self.tools):
            os.makedirs(self.path(directory) if directory != self.tools else directory)
        if containerd is not None:
            write(self.path("/etc/containerd/config.toml"), containerd, 0o640)
        for tool in ("nsenter", "systemctl"):
            self.tool(tool, LOGGED.format(log=self.log, then=""))
        self.before = self.snapshot()

    def path(self, path):
        return self.root + path

    def tool(self, name, text):
        write(os.path.join(self.tools, name), text, 0o755)

    # --- its services

    def has_systemd(self, then=""):
        """Restarts are done, and seen by restarts(); `then` says what happens at one, in shell."""
        for service in ("containerd", "crio"):
            self.set_run(service, "1")
        self.tool("nsenter", NSENTER)
        self.tool("systemctl", SYSTEMCTL.format(runs=self.tools + "-runs", log=self.log, then=then))

    def set_run(self, service, run):
        write(os.path.join(self.tools + "-runs", service), run + "\n")

    def restarts(self):
        """Of which services, in order, since it was asked last."""
        names = read(self.log).split() if os.path.exists(self.log) else []
        write(self.log, "")
        return names

    # --- the installer

    def env(self):
        return {"PATH": self.tools + ":/usr/sbin:/usr/bin:/sbin:/bin",
                "SLUICE_NODE_ROOT": self.root, "SLUICE_NODE_IMAGE": self.image}

    def run(self, verb, *words, status=0):
        words = ["--root", self.root, *(["--from", self.image] if verb == "install" else []), *words]
        done = subprocess.run([self.installer, verb, *words], env=self.env(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, process_group=0)
        if status is not None:
            assert done.returncode == status, (verb, words, done)
        return done

    def snapshot(self):
        """{path: kind, mode and content}."""
        found = {}
        for top, directories, files in os.walk(self.root):
            for name in directories + files:
                path = os.path.join(top, name)
                mode = os.lstat(path).st_mode
                content = None
                if os.path.islink(path):
                    content = os.readlink(path)
                elif os.path.isfile(path):
                    with open(path, "rb") as file:
                        content = file.read()
                found[path[len(self.root):]] = (oct(mode), content)
        return found

    def assert_as_before(self, before=None):
        before, now = before or self.before, self.snapshot()
        assert now == before, {path: (before.get(path), now.get(path)) for path in
                               set(now) | set(before) if before.get(path) != now.get(path)}

    # --- as engines read it

    def containerd(self):
        """What containerd has at last: {handler: its table}, merged as its generation does it."""
        if not os.path.exists(self.path("/etc/containerd/config.toml")):
            return {}
        main = tomllib.loads(read(self.path("/etc/containerd/config.toml")))
        handlers = handlers_of(main)
        for pattern in main.get("imports", []):
            files = sorted(glob.glob(self.path(os.path.join("/etc/containerd", pattern))))
            # One that names a file has to find it.
            assert files or "*" in pattern or not pattern.startswith("/etc"), pattern
            for path in files:
                imported = tomllib.loads(read(path))
                assert imported["version"] <= main["version"], path
                if imported["version"] == 2 and CRI[2] in imported.get("plugins", {}):
                    handlers = {}
                handlers.update(handlers_of(imported))
        return handlers

    def crio(self):
        found = {}
        for path in glob.glob(self.path("/etc/crio/crio.conf.d/*")):
            found.update(tomllib.loads(read(path))["crio"]["runtime"]["runtimes"])
        return found

    def podman(self):
        found = {}
        for path in glob.glob(self.path("/etc/containers/containers.conf.d/*.conf")):
            found.update(tomllib.loads(read(path))["engine"]["runtimes"])
        return found

    def assert_registered(self):
        assert self.containerd()["sluice"]["options"]["BinaryName"] == PROGRAM
        assert self.crio()["sluice"]["runtime_path"] == PROGRAM
        assert self.podman()["sluice-runtime"] == [PROGRAM]
        self.assert_usable()

    def assert_usable(self):
        """Whoever is registered is there, whatever happened; whoever was before still is."""
        programs = [table["options"]["BinaryName"] for name, table in self.containerd().items()
                    if name == "sluice"]
        programs += [table["runtime_path"] for table in self.crio().values()]
        programs += sum(self.podman().values(), [])
        for program in programs:
            assert program == PROGRAM and os.access(self.path(program), os.X_OK), program


def handlers_of(config):
    return {name: table for cri in CRI.values()
            for name, table in config.get("plugins", {}).get(cri, {}).get("containerd", {}).get(
                "runtimes", {}).items()}


def config_of(name):
    version, text = CONFIGS[name]
    return version, text and text.replace("{cri}", CRI[min(version, 3)])
