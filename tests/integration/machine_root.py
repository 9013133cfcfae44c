# SPDX-License-Identifier: BSD-3-Clause
"""`sluice-vm run --container` as process 1 of a container that has Sluice's own root: what
sluice-runtime makes of a pod's container, without an engine.

    box = Container(Calico(lab), volumes=[volume("virtiofs", "/data", lab.path("data"))])
    done = box.run("cat /data/file")        # as of vm.py
    box.inside(job, "ps")                   # in the machine root, beside sluice-vm
"""

import json
import os
import signal
import subprocess

from guest import GUEST_DIR
from lab import wait_until
from share_server import CONTAINER_CAPS, capabilities
from vm import Vm

# Besides what a container has by default: the guard and the uplink.
CAPS = CONTAINER_CAPS + ",net_admin,net_raw"

# In a mount namespace of its own; "$root" is an empty directory. Read-only but for what is memory.
MACHINE = r"""
mount -t tmpfs -o mode=755,nosuid,nodev machine "$root"
cd "$root"
mkdir -p usr proc sys dev tmp run etc var/cache/sluice sluice/share/rootfs sluice/share/vol
for name in bin sbin lib lib32 lib64 libx32; do ln -s usr/$name $name; done
ln -s /run var/run
ln -s /proc/self/mounts etc/mtab # nfs-ganesha looks there for file systems
mount --bind /usr usr && mount -o remount,bind,ro usr
mount -t tmpfs -o nosuid,nodev tmp tmp # before what may be below it
for there in $binds; do
    mkdir -p ".$there" && mount --bind "$there" ".$there" && mount -o remount,bind,ro ".$there"
done
for file in ld.so.cache netconfig passwd group nsswitch.conf; do
    [ ! -e /etc/$file ] || cp /etc/$file etc
done
for file in resolv.conf hosts hostname; do
    : >etc/$file && mount --bind "$pod/$file" etc/$file && mount -o remount,bind,ro etc/$file
done
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755,nosuid dev dev
for name in null zero full random urandom tty; do : >dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm && mount -t devpts -o newinstance,ptmxmode=0666 pts dev/pts
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mount -t tmpfs -o nosuid,nodev shm dev/shm
mount -t tmpfs -o nosuid,nodev cache var/cache/sluice
mount --bind "$run" run
mount --bind "$rootfs" sluice/share/rootfs
mount -o "remount,bind,nodev,$root_flag" sluice/share/rootfs
eval "$volumes"
cp "$container" sluice/container.json && chmod 600 sluice/container.json
mount -o remount,ro,bind .
pivot_root . . && umount -l . && cd /
exec "$@"
"""


def volume(kind, destination, source=None, *, readonly=False, options=None, optional=False,
           mounted=None):
    """A volume of container.json, and where its files are; `mounted` is how, if that is not what
    it says."""
    entry = {"kind": kind, "destination": destination}
    entry.update({key: value for key, value in
                  (("readonly", readonly), ("options", options), ("optional", optional)) if value})
    return {"entry": entry, "source": source,
            "flag": mounted or ("ro" if readonly else "rw")}


class Container(Vm):
    """A VM whose settings are in container.json, in a container of the pod of `net`."""

    def __init__(self, net, vmm="uml", volumes=(), process=None, caps=CAPS, name="box", settings=None,
                 **spec):
        super().__init__(net, vmm)
        self.caps, self.volumes, self.box = caps, list(volumes), name
        self.process = {"cwd": "/", "user": "0:0", **(process or {})}
        self.spec = {"hostname": "web-0", "env": ["PATH=/usr/bin:/bin:/sbin"], **spec}
        for key in ("name", "run-dir", "rootfs", "cache-dir"):
            del self.settings[key]
        self.settings.update(settings or {})
        self.mounted_run = self.lab.path(name + ".run")
        self.run_dir = os.path.join(self.mounted_run, "sluice")
        self.words_of_run = ["--container", "/sluice/container.json"]
        self._prepare()

    def _prepare(self):
        """What lasts longer than the container: its /run, to look into afterwards."""
        os.makedirs(self.mounted_run)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev", "run", self.mounted_run],
                       check=True)
        os.makedirs(self._path("pod"))
        os.makedirs(self._path("root"))
        own = f"{self.net.pod4} {os.uname().nodename}\n"  # nfs-ganesha asks for it
        for name, text in (("hosts", "127.0.0.1 localhost\n10.9.9.9 from-the-pod\n" + own),
                           ("hostname", "pod-name\n"),
                           ("resolv.conf", open(self.net.resolv_conf, encoding="ascii").read())):
            with open(os.path.join(self._path("pod"), name), "w", encoding="ascii") as file:
                file.write(text)

    def _path(self, name):
        return self.lab.path(f"{self.box}.{name}")

    def _write_script(self):
        """What makes the machine root and goes on in it."""
        values = {"root": self._path("root"), "run": self.mounted_run, "rootfs": self.rootfs,
                  "pod": self._path("pod"), "container": self._path("json"),
                  "binds": f"{self.build} {GUEST_DIR}", "volumes": self._mounts(),
                  "root_flag": "ro" if self.spec.get("readonly") else "rw"}
        with open(self._path("sh"), "w", encoding="utf-8") as file:
            file.write("".join(f"{key}='{value}'\n" for key, value in values.items()) + MACHINE)
        return self._path("sh")

    def _write(self, args):
        spec = {"version": 1, "settings": self.settings, "share": "/sluice/share",
                "volumes": [volume["entry"] for volume in self.volumes], "process": self.process,
                "args": args, **self.spec}
        with open(self._path("json"), "w", encoding="utf-8") as file:
            json.dump(spec, file)

    def _mounts(self):
        """Shell commands for the volumes that have a place in the share."""
        commands, number = [], 0
        for one in self.volumes:
            if one["entry"]["kind"] == "tmpfs":
                continue
            at = f"sluice/share/vol/{number}"
            number += 1
            if one["source"] is None:
                continue
            make = f"mkdir {at}" if os.path.isdir(one["source"]) else f": >{at}"
            commands.append(f"{make} && mount --bind {one['source']} {at} && "
                            f"mount -o remount,bind,nodev,{one['flag']} {at}")
        return "\n".join(commands)

    def argv(self, command, *options):
        self._write(["/bin/sh", "-c", command] if isinstance(command, str) else command)
        return ["ip", "netns", "exec", self.net.pod.name, "unshare", "-m", "-p", "--fork",
                "--kill-child", "sh", "-e", self._write_script(),
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                *capabilities(self.caps), "setpriv", "--no-new-privs", *self.prefix, self.program,
                "run", *self.words_of_run, *options]

    # --- beside it

    def pid(self, job):
        """Of its process 1, as we see it."""
        def find():
            pid = job.process.pid
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return file.read().split()
        return int(wait_until(find, "the container's process 1")[0])

    def kill(self, job):
        """As `podman kill` does. What unshare(1) says of such an end depends on its version."""
        os.kill(self.pid(job), signal.SIGKILL)
        job.wait()

    def inside(self, job, command, timeout=30):
        """What a command says that runs in the container, not in the VM."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid(job)), "-m", "-n", "-p", "-r", "sh", "-c", command],
            capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout
