# SPDX-License-Identifier: BSD-3-Clause
"""sluice-install on the file systems of nodes: what engines read then, and that all of it goes again."""

import fnmatch
import json
import os
import shutil
import signal
import subprocess
import tomllib

from installed_node import CONFIG, CONFIGS, CRI, INSTALLER, PROGRAM, Node, config_of, read, write
from lab import wait_until
from suite import test

SUITE = "oci"


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


# systemctl restart containerd: until it answers. It keeps nothing open that the installer has.
RESTART = """
    [ $service = containerd ] || exit 0
    [ ! -e {pid} ] || {{ kill $(cat {pid}); while [ -e /proc/$(cat {pid}) ]; do sleep 0.1; done; }}
    python3 -c 'import os; os.closerange(3, 256)
os.execvp("containerd", ["containerd", "--config", "{config}"])' </dev/null >>{here}/log 2>&1 &
    echo $! >{pid}
    until ctr --address {here}/sock --timeout 5s version >/dev/null 2>&1; do sleep 0.1; done"""


@test(each={"fits": ("pause:3.9", True), "does-not-fit": ("runtimes.example/pause:3.9", False)})
def containerd_starts_with_it(lab, kind):
    """Its plugin for kubelets takes the configuration. If not (here an image's name looks as if there
    were runtimes, so that the default one is missed), it has the old one again."""
    image, fits = kind
    here = lab.path("containerd")
    text = (f"version = 2\nroot = '{here}/root'\nstate = '{here}/state'\n"
            f"[grpc]\naddress = '{here}/sock'\n"
            f"[plugins.'io.containerd.internal.v1.opt']\npath = '{here}/opt'\n"
            f"[plugins.'{CRI[2]}']\nsandbox_image = '{image}'\n"
            f"[plugins.'{CRI[2]}'.cni]\nbin_dir = '/usr/lib/cni'\n")
    os.makedirs(here)
    node = Node(lab, text)
    node.has_systemd(RESTART.format(config=node.path("/etc/containerd/config.toml"), here=here,
                                    pid=here + "/pid"))
    os.symlink("/usr/bin/ctr", node.path("/usr/bin/ctr"))
    try:
        done = node.run("install", "--restart", status=0 if fits else 1)
        plugins = subprocess.run(["ctr", "--address", f"{here}/sock", "plugins", "ls"], check=True,
                                 capture_output=True, text=True).stdout
    finally:
        pid = int(read(here + "/pid"))
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "containerd to end")
    states = {line.split()[1]: line.split()[-1] for line in plugins.splitlines()}
    assert states["cri"] == "ok", plugins + read(here + "/log")
    assert ("without its plugin cri with Sluice" in done.stderr) != fits, done
    assert ("sluice" in node.containerd()) == fits
    assert "cannot ask" not in done.stderr, done


@test()
def podman_reads_it(lab):
    """Debian's, of version 4.3: by its name it finds the program that the node has."""
    node = Node(lab)
    node.run("install", "--engines", "podman")
    command = (f"mount --bind {node.path('/etc/containers')} /etc/containers && "
               f"mount --bind {node.path('/opt')} /opt && exec podman --root {lab.path('root')} "
               f"--runroot {lab.path('runroot')} --storage-driver vfs --runtime sluice-runtime info "
               "--format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}'")
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], check=False, capture_output=True,
                          text=True)
    assert (done.returncode, done.stdout) == (0, f"sluice-runtime {PROGRAM}\n"), done


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


@test()
def engines_are_their_programs(lab):
    """A directory that a package has left is none; containerd may be part of another program."""
    node = Node(lab, engines=())
    os.makedirs(node.path("/etc/containerd"))
    before = node.snapshot()
    assert "--engines" in node.run("install", status=1).stderr
    node.assert_as_before(before)
    write(node.path("/usr/local/sbin/crio"), "", 0o755)
    node.run("install")
    assert node.crio() and not node.containerd() and not node.podman()
    node.run("install")
    assert not node.containerd()
    assert node.run("status", status=1).stdout.count(" registered") == 1
    place = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl"
    node.run("install", "--containerd-config", place)
    node.run("install")
    assert "sluice-runtime" in read(node.path(place))
    assert node.run("status", status=1).stdout.count(" registered") == 2


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
        # Another file, and the first one again: only one has it.
        node.run("install", "--containerd-config", "/etc/containerd/config.toml")
        assert "sluice" in node.containerd()
        assert text is None or read(node.path(place)) == text
        node.run("install", *words)
        assert not os.path.exists(node.path("/etc/containerd/config.toml"))
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
