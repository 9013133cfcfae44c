# SPDX-License-Identifier: BSD-3-Clause
"""sluice-install on the file systems of nodes: what engines read then, and that all of it goes again."""

import fnmatch
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib

from guest import die_with_parent
from lab import wait_until
from node_api import NodeApi
from suite import test

SUITE = "oci"

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

# A tool that says what it was asked, and one that ends the installer before it does its work.
LOGGED = """#!/bin/sh
echo "$(basename "$0") $*" >>{log}
{then}
"""
DEADLY = """#!/bin/sh
echo "$0 $*" >>{log}
[ "$(wc -l <{log})" -lt {after} ] || kill -9 0
exec {tool} "$@"
"""
STEPS = ("mv", "mkdir", "rm", "rmdir", "cp", "tar", "ln", "chmod", "touch", "cat")


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def make_image(path, change=""):
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
    write(os.path.join(path, "etc/passwd"), "root:x:0:0::/:/bin/sh\n" + change)
    write(os.path.join(path, "etc/hosts"), "an engine's\n")
    os.symlink("usr/lib", os.path.join(path, "lib"))
    write(os.path.join(path, "proc/none"), "not of the image\n")
    return path


class Node:
    """A node's file system, and an installer that works on it."""

    def __init__(self, lab, containerd=None, engines=("containerd", "crio", "podman"), name="node"):
        self.lab = lab
        self.root = lab.path(name)
        self.image = lab.path("image")
        self.tools = lab.path(name + "-tools")
        self.log = lab.path(name + "-log")
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

    def env(self):
        return {"PATH": self.tools + ":/usr/sbin:/usr/bin:/sbin:/bin",
                "SLUICE_NODE_ROOT": self.root, "SLUICE_NODE_IMAGE": self.image}

    def run(self, verb, *words, status=0):
        words = ["--root", self.root, *(["--from", self.image] if verb == "install" else []), *words]
        done = subprocess.run([INSTALLER, verb, *words], env=self.env(), stdin=subprocess.DEVNULL,
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
        handlers = _handlers(main)
        for pattern in main.get("imports", []):
            files = sorted(glob.glob(self.path(os.path.join("/etc/containerd", pattern))))
            # One that names a file has to find it.
            assert files or "*" in pattern or not pattern.startswith("/etc"), pattern
            for path in files:
                imported = tomllib.loads(read(path))
                assert imported["version"] <= main["version"], path
                if imported["version"] == 2 and CRI[2] in imported.get("plugins", {}):
                    handlers = {}
                handlers.update(_handlers(imported))
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


def _handlers(config):
    return {name: table for cri in CRI.values()
            for name, table in config.get("plugins", {}).get(cri, {}).get("containerd", {}).get(
                "runtimes", {}).items()}


def config_of(name):
    version, text = CONFIGS[name]
    return version, text and text.replace("{cri}", CRI[min(version, 3)])


# --- all engines, both generations

@test(each={name: name for name in CONFIGS})
def installs_and_restores(lab, name):
    """What it registers engines find; a second run changes nothing; all is restored."""
    version, text = config_of(name)
    node = Node(lab, text)
    node.run("status", status=1)
    node.run("install")
    node.assert_registered()
    table = node.containerd()["sluice"]
    assert table["pod_annotations"] == ["sluice.dev/*"] and table["runtime_type"].startswith("io.")
    assert table["options"]["SystemdCgroup"] == ("SystemdCgroup" in (text or "")), table
    assert node.containerd()["runc"]["runtime_type" if "runc" not in (text or "") else "options"]
    main = read(node.path("/etc/containerd/config.toml"))
    assert (CRI[2] in main) == (version == 2) and (version == 2 or "sluice" in main or
                                                   name == "v3-imports-all"), main
    if text:
        old, new = tomllib.loads(text), tomllib.loads(main)
        assert set(old.get("imports", [])) <= set(new.get("imports", [])), new
        assert old.get("plugins", {}).get(CRI[min(version, 3)], {}).get("sandbox_image") == \
            new.get("plugins", {}).get(CRI[min(version, 3)], {}).get("sandbox_image")
    installed = node.snapshot()
    node.run("install")
    assert node.snapshot() == installed
    node.run("uninstall")
    node.assert_as_before()
    node.run("uninstall")
    node.assert_as_before()


@test()
def containerd_reads_it(lab):
    """Debian's, of version 1.6: it has the handler, and what there was before."""
    whole = subprocess.run(["containerd", "config", "default"], check=True, capture_output=True,
                           text=True).stdout
    for name in ("v2", "v2-imports", "none", "v2-no-runtimes", "whole"):
        text = whole if name == "whole" else config_of(name)[1]
        node = Node(lab, text, name=name)
        node.run("install")
        dump = subprocess.run(["containerd", "--config", node.path("/etc/containerd/config.toml"),
                               "config", "dump"], check=True, capture_output=True, text=True)
        cri = tomllib.loads(dump.stdout)["plugins"][CRI[2]]
        handlers = cri["containerd"]["runtimes"]
        assert handlers["sluice"]["options"]["BinaryName"] == PROGRAM
        assert handlers["sluice"]["pod_annotations"] == ["sluice.dev/*"]
        assert set(handlers) == {"runc", "sluice"}, handlers
        if "SystemdCgroup = true" in (text or ""):
            assert handlers["runc"]["options"]["SystemdCgroup"] is True
            assert cri["sandbox_image"] == "registry.k8s.io/pause:3.9"
        else:
            assert handlers["runc"]["runtime_type"] == "io.containerd.runc.v2"
        node.run("uninstall")
        node.assert_as_before()


@test()
def containerd_starts_with_it(lab):
    """Its plugin for kubelets takes the configuration: it refuses one without the default runtime."""
    here = lab.path("containerd")
    text = (f"version = 2\nroot = '{here}/root'\nstate = '{here}/state'\n"
            f"[grpc]\naddress = '{here}/sock'\n"
            f"[plugins.'io.containerd.internal.v1.opt']\npath = '{here}/opt'\n"
            f"[plugins.'{CRI[2]}'.cni]\nbin_dir = '/usr/lib/cni'\n")
    os.makedirs(here)
    node = Node(lab, text)
    node.run("install")
    with open(lab.path("containerd.log"), "wb") as log:
        daemon = subprocess.Popen(["containerd", "--config",
                                   node.path("/etc/containerd/config.toml")], stdout=log,
                                  stderr=log, preexec_fn=die_with_parent)
    try:
        ctr = ["ctr", "--address", f"{here}/sock", "--timeout", "5s"]
        wait_until(lambda: subprocess.run([*ctr, "version"], capture_output=True,
                                          check=False).returncode == 0, "containerd")
        plugins = subprocess.run([*ctr, "plugins", "ls"], check=True, capture_output=True,
                                 text=True).stdout
    finally:
        daemon.terminate()
        daemon.wait(20)
    states = {line.split()[1]: line.split()[-1] for line in plugins.splitlines()}
    assert states["cri"] == "ok", plugins + read(lab.path("containerd.log"))


@test()
def runs_programs_with_the_images_libraries(lab):
    """A node that has no such loader nor libraries runs the programs; engines call without PATH."""
    node = Node(lab)
    node.run("install")
    assert not os.path.exists(node.path("/opt/sluice/current/root/proc"))
    assert read(node.path("/opt/sluice/current/root/etc/hosts")) == ""
    os.makedirs(node.path("/bin"))
    for tool in ("sh", "readlink"):
        shutil.copy("/bin/busybox", node.path(f"/bin/{tool}"))
    for program in (PROGRAM, "/opt/cni/bin/sluice-cni"):
        done = subprocess.run(["/usr/sbin/chroot", node.root, program, "-i", "A=1 2"], env={},
                              capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "A=1 2\n"), done


@test()
def writes_settings_once(lab):
    """sluice.json is the administrator's; its keys are those of the runtime's settings."""
    node = Node(lab)
    path = node.path("/etc/sluice/sluice.json")
    node.run("install", "--memory-overhead", "outside")
    settings = json.loads(read(path))["runtime"]
    assert settings == {"path": "/usr/bin/runc", "machine-root": "/opt/sluice/current/root",
                        "programs": "/usr/bin", "memory-overhead": "outside"}
    header = read(os.path.join(CONFIG, "runtime_settings.h"))
    assert all(f'"{key}"' in header for key in settings), settings
    write(path, '{ "runtime": { "path": "/usr/bin/crun" } }\n')
    node.run("install")
    assert "crun" in read(path)
    assert "it stays" in node.run("uninstall").stderr and "crun" in read(path)
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    node.assert_as_before()
    os.unlink(node.path("/usr/bin/runc"))
    assert "--oci-runtime" in node.run("install", status=1).stderr
    node.run("install", "--oci-runtime", "/usr/local/bin/mine")
    assert json.loads(read(path))["runtime"]["path"] == "/usr/local/bin/mine"


@test()
def uses_the_nodes_own_programs(lab):
    """Without an image: the node's /usr is the machine root, and nothing is copied."""
    node = Node(lab, engines=("podman",))
    assert "--from" in node.run("install", "--from", "/nowhere", status=1).stderr
    words = [INSTALLER, "install", "--root", node.root]
    failed = subprocess.run(words, env=node.env(), capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "--from" in failed.stderr, failed
    write(node.path("/usr/local/bin/sluice-runtime"), "", 0o755)
    before = node.snapshot()
    subprocess.run(words, env=node.env(), check=True)
    assert node.podman()["sluice-runtime"] == ["/usr/local/bin/sluice-runtime"]
    assert set(json.loads(read(node.path("/etc/sluice/sluice.json")))["runtime"]) == {
        "path", "memory-overhead"}
    assert not os.path.exists(node.path("/opt/sluice/versions"))
    node.run("uninstall")
    node.assert_as_before(before)


@test()
def only_the_engines_asked_for(lab):
    node = Node(lab, config_of("v2")[1])
    node.run("install", "--engines", "crio,podman")
    assert "sluice" not in node.containerd() and node.crio() and node.podman()
    assert "docker" in node.run("install", "--engines", "docker", status=1).stderr
    node.run("uninstall")
    node.assert_as_before()
    node = Node(lab, engines=(), name="bare")
    shutil.rmtree(node.path("/etc/crio"))
    assert "--engines" in node.run("install", status=1).stderr


@test(each={"v2": "", "v3": "-v3"})
def extends_templates(lab, suffix):
    """Where containerd's file is made from a template, that has what is ours, as TOML goes."""
    node = Node(lab)
    place = f"/var/lib/rancher/k3s/agent/etc/containerd/config{suffix}.toml.tmpl"
    words = ["--containerd-config", place]
    for text in (None, '{{ template "base" . }}\n[debug]'):
        if text:
            write(node.path(place), text)
        before = node.snapshot()
        node.run("install", *words)
        base, ours = read(node.path(place)).split("# >>> sluice-install", 1)
        assert "base" in base and "\nversion" not in ours
        table = tomllib.loads("# " + ours)["plugins"][CRI[3 if suffix else 2]]
        assert table["containerd"]["runtimes"]["sluice"]["options"]["BinaryName"] == PROGRAM
        assert not os.path.exists(node.path("/etc/containerd"))
        assert node.run("status", status=1).stdout.count(" registered") == 3
        node.run("uninstall")
        node.assert_as_before(before)


@test()
def follows_links_as_the_node_has_them(lab):
    """An absolute link is one of the node's: nothing beside its root is touched."""
    node = Node(lab)
    text = config_of("v2")[1]
    write(node.path("/srv/containerd.toml"), text, 0o600)
    os.makedirs(node.path("/etc/containerd"))
    os.symlink("/srv/containerd.toml", node.path("/etc/containerd/config.toml"))
    before = node.snapshot()
    node.run("install")
    assert "sluice" in read(node.path("/srv/containerd.toml"))
    assert os.readlink(node.path("/etc/containerd/config.toml")) == "/srv/containerd.toml"
    assert os.stat(node.path("/srv/containerd.toml")).st_mode & 0o777 == 0o600
    node.run("uninstall")
    node.assert_as_before(before)


# --- what it does not touch

@test()
def refuses_what_it_cannot_edit(lab):
    """Says so, and leaves containerd's file alone: one that is wrong keeps it from starting."""
    refused = {
        "version 1": 'root = "/x"\n',
        "somebody else's": f'version = 2\n[plugins."{CRI[2]}".containerd.runtimes.sluice]\n',
        "one line": 'version = 3\nplugins = { "x" = {} }\n',
    }
    for i, (reason, text) in enumerate(refused.items()):
        node = Node(lab, text, name=f"node{i}")
        assert reason in node.run("install", status=1).stderr
        assert read(node.path("/etc/containerd/config.toml")) == text
        node.run("uninstall")
        node.assert_as_before()
    node = Node(lab, 'version = 2\ndisabled_plugins = ["cri"]\n', name="disabled")
    assert "disables" in node.run("install").stderr
    node = Node(lab, 'version = 2\nimports = [ # some\n "nvidia/*.toml" ]\n', name="replaced")
    write(node.path("/etc/containerd/nvidia/99.toml"), f"version = 2\n[plugins.'{CRI[2]}']\n")
    words = ["--containerd-config", "/etc/containerd/nvidia/99.toml"]
    assert " ".join(words) in node.run("install", status=1).stderr
    node.run("install", *words)
    assert "sluice" in node.containerd()
    node = Node(lab, name="foreign")
    write(node.path("/etc/crio/crio.conf.d/50-sluice.conf"), "# somebody's\n")
    before = node.snapshot()
    assert "50-sluice.conf is there" in node.run("install", status=1).stderr
    node.run("uninstall")
    node.assert_as_before(before)
    for words in (["--root", "relative"], ["--prefix", "/a b"], ["--memory-overhead", "none"]):
        assert node.run("install", *words, status=1).stderr
    assert "usage" in node.run("install", "--no-such", "x", status=2).stderr


@test()
def keeps_what_others_add(lab):
    """Lines that an administrator adds between install and uninstall stay, each a line."""
    node = Node(lab, config_of("v2-without-last-newline")[1])
    path = node.path("/etc/containerd/config.toml")
    node.run("install")
    write(path, "# first\n" + read(path) + "# last\n", 0o640)
    node.run("uninstall")
    text = config_of("v2-without-last-newline")[1]
    assert read(path) == "# first\n" + text + "\n# last\n", read(path)
    node = Node(lab, None, name="empty")
    path = node.path("/etc/containerd/config.toml")
    node.run("install")
    write(path, read(path) + "# mine\n")
    node.run("uninstall")
    assert read(path).endswith("version = 2\n# mine\n"), read(path)


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
    node.run("install")
    assert not os.path.exists(node.log)
    assert "to be restarted" in node.run("status", status=1).stdout
    node.run("install", "--restart")
    enter = "nsenter --target 1 --mount -- systemctl restart "
    assert read(node.log).splitlines() == [enter + "containerd", enter + "crio"]
    assert "to be restarted" not in node.run("status").stdout
    node.run("install", "--restart")
    assert len(read(node.log).splitlines()) == 2
    node.run("uninstall", "--restart")
    assert len(read(node.log).splitlines()) == 4
    node.assert_as_before()
    node.run("install", "--containerd-service", "k3s")
    node.run("install", "--restart")
    assert read(node.log).splitlines()[4:] == [enter + "k3s", enter + "crio"]


@test()
def takes_back_what_an_engine_does_not_start_with(lab):
    node = Node(lab, config_of("v2")[1])
    path = node.path("/etc/containerd/config.toml")
    node.tool("nsenter", LOGGED.format(
        log=node.log, then=f'case "$*" in *containerd) ! grep -q sluice-runtime {path} ;; esac'))
    done = node.run("install", "--restart", status=1)
    assert "did not start" in done.stderr, done
    assert read(path) == config_of("v2")[1]
    assert read(node.log).count("restart containerd") == 2
    node.run("uninstall", "--restart")
    node.assert_as_before()


# --- the DaemonSet's program

class Installer:
    """sluice-node in its pod."""

    def __init__(self, node, api):
        env = {**node.env(), **api.env()}
        self.output = node.lab.path("installer.log")
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([NODE, "run"], env=env, stdout=output, stderr=output,
                                            preexec_fn=die_with_parent, process_group=0)
        wait_until(lambda: "installed:" in read(self.output) or self.process.poll() is not None,
                   "the installer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        # Its `sleep`, which is no longer of any use.
        with open(self.output, encoding="utf-8") as file:
            said = file.read()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return status, said


@test(limit=120)
def daemonset_takes_itself_away(lab):
    """Deleted, a node is as it was; while only its pod ends, or nobody can be asked, all stays."""
    api = NodeApi(lab)
    answers = [(200, {}, False), (200, {"deletionTimestamp": "2024-01-01T00:00:00Z"}, True),
               (404, {}, True), (403, {}, True), (401, {}, True), (500, {}, False)]
    for i, (status, metadata, goes) in enumerate(answers):
        node = Node(lab, config_of("v3")[1], name=f"node{i}")
        api.answer = (status, {"kind": "DaemonSet", "metadata": metadata})
        installer = Installer(node, api)
        node.assert_registered()
        assert json.loads(read(node.path("/etc/sluice/sluice.json")))["runtime"][
            "memory-overhead"] == "outside"
        code, said = installer.stop()
        assert code == 0 and ("is gone" in said) == goes, (status, said)
        assert api.asked.pop() == ("/apis/apps/v1/namespaces/sluice/daemonsets/sluice-installer",
                                   "Bearer secret")
        if goes:
            node.assert_as_before()
        else:
            node.assert_registered()
    api.close()
    node = Node(lab, config_of("v3")[1], name="alone")
    started = time.monotonic()
    code, said = Installer(node, api).stop()
    assert code == 0 and "stays" in said and time.monotonic() - started < 60, said
    node.assert_registered()


@test()
def examples_are_what_is_installed(lab):
    """Whoever registers by hand takes the same files; podman's lists keep what was in them."""
    for name in os.listdir(os.path.join(CONFIG, "engines")):
        tomllib.loads(read(os.path.join(CONFIG, "engines", name)))
    podman = tomllib.loads(read(os.path.join(CONFIG, "containers.conf.d", "50-sluice.conf")))
    engine = podman["engine"]
    assert {"crun", "runc", "sluice-runtime"} <= set(engine["runtime_supports_json"])
    assert "sluice-runtime" in engine["runtime_supports_kvm"]
    assert all(fnmatch.fnmatch(path, "/*/bin/sluice-runtime")
               for path in engine["runtimes"]["sluice-runtime"])
