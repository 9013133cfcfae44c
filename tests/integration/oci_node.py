# SPDX-License-Identifier: BSD-3-Clause
"""The machine that container engines of a test believe to be on.

    with Node(lab) as node:                 # network namespace "node", its own state directories
        node.run(["podman", ...]).check()   # to its end, always within a time
        node.census()                       # what there is that could be left behind

Engines keep state in places that no option moves: these are tmpfs here, in the mount namespace that
run.py gives each worker. Control groups are the machine's: there is one tree for all.
"""

import contextlib
import fcntl
import glob
import json
import os
import re
import signal
import subprocess
import tempfile

from guest import die_with_parent
from lab import LabError, wait_until
from vm import Done

STATE = ("/var/lib/cni", "/run/runc", "/run/containerd", "/run/sluice", "/etc/sluice")
RUNROOT = "/run/podman"  # podman wants this to be a short path
PRIVATE = (*STATE, RUNROOT)
CGROUPS = "/sys/fs/cgroup"
# What the CNI plugins make once and keep; a container's own chains have a hash in their names.
KEPT_TABLE = re.compile(r"table (ip|ip6) (nat|filter|mangle|raw)$")
CONTAINERS_CHAIN = re.compile(r"chain (CNI-(?:DN-|SN-)?[0-9a-f]{16,})")


class Node:
    """What the engines of a test share; closing it asserts that nothing of theirs is left."""

    def __init__(self, lab):
        self.lab = lab
        self.namespace = lab.namespace("node")
        self.ids = set()  # of containers that there have been: in their control groups' names
        self._cgroups = os.open(CGROUPS, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._cgroups, fcntl.LOCK_SH)
        for path in PRIVATE:
            os.makedirs(path, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "node", path], check=True)
        self.before = self.census()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.assert_clean()
        finally:
            self.close()

    def argv(self, words):
        """In the node's network, and else where we are: its mounts are ours."""
        return ["nsenter", f"--net=/run/netns/{self.namespace.name}", "--", *words]

    def run(self, words, timeout=240, data=b"", env=None):
        """To its end. Not through pipes: what a container leaves running may hold them open."""
        argv = self.argv(words)
        with contextlib.ExitStack() as stack:
            stdin, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            stdin.write(data)
            stdin.seek(0)
            process = subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=err, process_group=0,
                                       env=env, preexec_fn=die_with_parent)
            try:
                status = process.wait(timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                status = None
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read())
        if status is None:
            raise LabError(f"{words}: still running after {timeout} s\n" +
                           b"\n".join(said).decode(errors="replace"))
        return Done(words, status, *said)

    def configure(self, settings):
        """What the administrator says to Sluice's programs."""
        with open("/etc/sluice/sluice.json", "w", encoding="ascii") as file:
            json.dump(settings, file, indent=1)
        self.before["files"] = _state_files()

    # --- what there is

    def census(self):
        """By its kind, what containers are made of."""
        return {"processes": _strays(), "mounts": _mounts(), "cgroups": self._cgroups_of_ids(),
                "network namespaces": sorted(os.listdir("/run/netns")),
                "links": self._links(), "tables": self._tables(), "files": _state_files(),
                "shared memory": sorted(os.listdir("/dev/shm"))}

    def _links(self):
        """Without the bridges, which the plugins keep."""
        shown = self.namespace.run("ip -o link show; ip -o link show type bridge | sed p")
        names = [line.split(":")[1].strip() for line in shown.splitlines()]
        return sorted(name for name in names if names.count(name) == 1)

    def _tables(self):
        rules = self.namespace.run("nft list ruleset")
        tables = [line.strip(" {") for line in rules.splitlines() if line.startswith("table ")]
        return sorted([table for table in tables if not KEPT_TABLE.match(table)] +
                      CONTAINERS_CHAIN.findall(rules))

    def _cgroups_of_ids(self):
        if not self.ids:
            return []
        return sorted(path for path, _, _ in os.walk(CGROUPS)
                      if any(known in path for known in self.ids))

    def leftovers(self):
        """{kind: what was not there before}."""
        now = self.census()
        found = {kind: [what for what in now[kind] if what not in self.before[kind]]
                 for kind in now}
        return {kind: what for kind, what in found.items() if what}

    def assert_clean(self, timeout=60):
        try:
            wait_until(lambda: not self.leftovers(), "nothing to be left", timeout)
        except LabError as error:
            raise LabError(f"is left: {self.leftovers()}") from error

    # --- the end

    def close(self):
        """Ends and removes whatever is left."""
        for _ in range(20):
            strays = [int(line.split()[0]) for line in _strays()]
            if not strays:
                break
            for pid in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _strays(), "stray processes to end")
        for path in reversed(_mounts()):
            if path not in self.before["mounts"]:
                subprocess.run(["umount", "-l", path], check=False)
        for path in reversed(PRIVATE):
            subprocess.run(["umount", "-l", path], check=True)
        for name in set(os.listdir("/run/netns")) - set(self.before["network namespaces"]):
            os.unlink(os.path.join("/run/netns", name))
        self._remove_cgroups()

    def _remove_cgroups(self):
        """Also the parents that podman makes for all containers, if no other test has some."""
        paths = self._cgroups_of_ids()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._cgroups, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for parent in glob.glob(f"{CGROUPS}/libpod_parent") + glob.glob(
                    f"{CGROUPS}/*/libpod_parent"):
                paths += [path for path, _, _ in os.walk(parent)]
        for path in sorted(set(paths), reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        os.close(self._cgroups)


def _strays():
    """"PID words" of the processes that are not ours: of what went on without its parent."""
    parents, words = {}, {}
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/stat", encoding="utf-8", errors="replace") as file:
                pid, rest = file.read().split(" (", 1)
            with open(path + "/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        state, parent = rest.rsplit(") ", 1)[1].split()[:2]
        parents[int(pid)] = int(parent)
        words[int(pid)] = f"{pid} {line or rest.rsplit(')', 1)[0]} {state}"
    ours = {os.getpid(), *_above(os.getpid(), parents)}
    return sorted(words[pid] for pid in words if pid not in ours and
                  os.getpid() not in _above(pid, parents))


def _above(pid, parents):
    """The parents of a process up to the first."""
    found = []
    while pid := parents.get(pid):
        found.append(pid)
    return found


def _mounts():
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return [line.split()[1] for line in file]


def _state_files():
    """Of the engines' and plugins' own places, without those that they keep."""
    found = []
    for top in STATE:
        for path, _, names in os.walk(top):
            found += [os.path.join(path, name) for name in names]
    return sorted(path for path in found
                  if os.path.basename(path) not in ("lock", "last_reserved_ip.0"))
