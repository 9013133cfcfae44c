# SPDX-License-Identifier: BSD-3-Clause
"""Where tests call sluice-runtime: before a runtime that only writes down how it was called.

That one is a shell script: what the kernel gave it (words, environment) it copies from /proc, and
to `state` it answers what the test has put there. /etc is a small one of the test's own, for each
call in a mount namespace of its own.
"""

import json
import os
import shutil
import subprocess

from guest import die_with_parent

FAKE = """#!/bin/sh
PATH=/usr/bin:/bin
cd {seen} || exit 90
case " $* " in
*" state "*)
    cp /proc/$$/cmdline state.cmdline
    cat state.error >&2
    cat state.json
    exit $(cat state.status)
    ;;
esac
cp /proc/$$/cmdline cmdline.new
cp /proc/$$/environ environ
[ "$1" != update ] || cat >stdin
ls -l /proc/$$/fd >fds
mv cmdline.new cmdline
[ "$1" != --version ] || echo "fake version 1.2.3"
exit 7
"""

# As podman 4.3 writes it, shortened.
CONFIG = {
    "ociVersion": "1.0.2-dev",
    "process": {"user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [10]},
                "args": ["sleep", "1"], "env": ["PATH=/bin", "HOSTNAME=web"], "cwd": "/",
                "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"]},
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615,
                             "soft": 18446744073709551615}]},
    "root": {"path": "/images/merged"},
    "hostname": "web",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "annotations": {"io.container.manager": "libpod"},
    "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "mount"}],
              "resources": {"memory": {"limit": 1 << 30}}},
}
VM = {"annotations": {**CONFIG["annotations"], "sluice.dev/vm": "true", "sluice.dev/vmm": "uml"}}


class Call:
    """What became of a call."""

    def __init__(self, status, out, err, seen):
        self.status = status
        self.out, self.err = out, err
        self.words = self.env = None  # of the real runtime; None: it was not called
        if os.path.exists(os.path.join(seen, "cmdline")):
            # The interpreter, the script, and what it was given.
            self.words = read(seen, "cmdline").split(b"\0")[2:-1]
            self.env = sorted(read(seen, "environ").split(b"\0")[:-1])
            self.fds = read(seen, "fds").decode()


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


class Node:
    """Where sluice-runtime is called: its /etc, the runtime behind it, a bundle."""

    def __init__(self, lab, **settings):
        self.lab = lab
        self.program = os.path.join(lab.build, "launcher", "sluice-runtime")
        self.etc, self.seen, self.bundle = (lab.path(name) for name in ("etc", "seen", "bundle"))
        for path in (self.etc, os.path.join(self.etc, "sluice"), self.seen, self.bundle):
            os.mkdir(path)
        shutil.copy("/etc/ld.so.cache", self.etc)
        self.fake = write(lab.path("fake"), FAKE.format(seen=self.seen))
        os.chmod(self.fake, 0o755)
        self.configure({"path": self.fake, "annotations": "vmm", **settings})
        self.tell_state({"id": "c1", "status": "running", "annotations": {}})

    def configure(self, settings):
        text = settings if isinstance(settings, str) else json.dumps({"runtime": settings})
        write(os.path.join(self.etc, "sluice", "sluice.json"), text)

    def tell_state(self, state, status=0, error=""):
        write(os.path.join(self.seen, "state.json"),
              state if isinstance(state, (bytes, str)) else json.dumps(state))
        write(os.path.join(self.seen, "state.status"), str(status))
        write(os.path.join(self.seen, "state.error"), error)

    def start(self, words, env=None, **options):
        mount = f"mount --bind {self.etc} /etc && cd {options.pop('cwd', '/')} && "
        clear = "exec env -i \"$@\""
        if caller := options.pop("caller", None):  # a shell by the name of a shim, which waits
            clear = f"exec {caller} -c 'shift; env -i \"$@\"; exit $?' -namespace k8s.io \"$@\""
        return subprocess.Popen(
            ["unshare", "-m", "sh", "-c", mount + clear, "-",
             *[f"{name}={value}" for name, value in (env or {}).items()], self.program, *words],
            stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=die_with_parent, **options)

    def call(self, *words, **options):
        for name in ("cmdline", "environ", "state.cmdline"):
            if os.path.exists(os.path.join(self.seen, name)):
                os.unlink(os.path.join(self.seen, name))
        process = self.start(words, **options)
        out, err = process.communicate(timeout=180)
        return Call(process.returncode, out, err.decode(), self.seen)

    # --- bundles

    @property
    def config(self):
        return os.path.join(self.bundle, "config.json")

    def set_config(self, config, mode=0o644):
        """Its text, as a Go program writes it."""
        text = config if isinstance(config, (bytes, str)) else json.dumps(config, indent=1)
        write(self.config, text)
        os.chmod(self.config, mode)
        return read(self.config)

    def create(self, *words, **options):
        return self.call("create", "--bundle", self.bundle, "--pid-file", "/p", *words, "c1",
                         **options)


def assert_refused(call, why):
    """The real runtime was not called, and one line says why."""
    assert call.words is None and call.status == 1, (call.words, call.status, call.err)
    assert call.err.startswith("sluice-runtime: ") and call.err.count("\n") == 1, call.err
    assert why in call.err, call.err
