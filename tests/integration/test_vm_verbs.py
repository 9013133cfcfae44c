# SPDX-License-Identifier: BSD-3-Clause
"""The verbs of sluice-vm that are not `run`, as they are typed: exec, image, status."""

import json
import os
import signal
import subprocess

from cni import Calico
from guest import GUEST_DIR
from lab import wait_until
from suite import test
from vm import Done, Vm, kill

SUITE = "vm"

SERVE = "echo ready; exec httpd -f -p 8080 -h /"


def said(argv, timeout=180):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                          check=False)
    return Done(argv, done.returncode, done.stdout, done.stderr)


def image(lab, *words):
    return said([os.path.join(lab.build, "launcher", "sluice-vm"), "image", words[0],
                 f"--cache-dir={lab.path('cache')}", *words[1:]])


def listed(lab):
    return json.loads(image(lab, "ls", "--json").check().out)


@test(limit=60)
def verb_exec(lab):
    """sluice-vm exec is a command beside the workload: what it says, its status, its errors."""
    vm = Vm(Calico(lab))
    done = said(vm.verb_argv("exec", "--timeout", "1", "--", "true")).check(126)
    assert done.err.startswith(b"sluice-vm exec: ") and done.err.count(b"\n") == 1, done.err
    job = vm.start("echo ready; exec sleep 1000").wait_for("ready\n")
    done = said(vm.verb_argv("exec", "--", "sh", "-c", "echo x; echo y >&2; exit 3")).check(3)
    assert (done.out, done.err) == (b"x\n", b"y\n"), (done.out, done.err)
    assert said(vm.verb_argv("exec", "--", "/no/such")).status == 127
    vm.verb("stop", "--grace", "0")
    job.wait()
    vm.assert_gone()


def said_by_agent(vm):
    text = vm.verb("status")
    return text if "agent: no answer" not in text else None


@test(limit=60)
def verb_status(lab):
    """What the agent says of the guest: mounts, addresses, who listens, how long it took to boot."""
    net = Calico(lab)
    vm = Vm(net)
    data = lab.path("data")
    os.makedirs(data)
    job = vm.start(SERVE, f"--volume={data}:/data").wait_for("ready\n")
    vm.exec("until netstat -lnt | grep -q :8080; do usleep 10000; done").check()
    # It is not waited for: a guest that stands still for a second has not answered.
    agent = wait_until(lambda: json.loads(vm.verb("status", "--json"))["agent"], "the agent's answer")
    assert 8080 in [row["port"] for row in agent["listening"]], agent["listening"]
    addresses = [(row["interface"], row["address"], row["prefix"]) for row in agent["addresses"]]
    assert ("eth0", net.pod4, 32) in addresses and ("lo", "127.0.0.1", 8) in addresses, addresses
    assert net.pod6 in [row[1] for row in addresses], addresses
    mounts = {row["destination"]: row["kind"] for row in agent["mounts"]}
    assert mounts["/"] == mounts["/data"] == "virtiofs", mounts
    assert agent["workload"] == {"state": "running"}, agent["workload"]
    steps = agent["bootMs"]
    assert 0 < steps["mounts"] <= steps["agent"] <= agent["uptimeMs"], agent
    text = wait_until(lambda: said_by_agent(vm), "the agent's answer")
    for line in ("agent:\n", "  workload: running\n", f"    eth0 {net.pod4}/32\n", " port 8080\n",
                 "    /data virtiofs "):
        assert line in text, (line, text)

    # A guest that does not answer is no reason to show nothing.
    kill(json.loads(vm.verb("status", "--json"))["vsock"]["pid"], signal.SIGSTOP)
    silent = json.loads(vm.verb("status", "--json"))
    assert silent["agent"] is None and silent["state"] == "running", silent
    assert "agent: no answer: " in vm.verb("status")
    job.signal(signal.SIGKILL)
    job.wait()
    vm.assert_gone()


@test(limit=60)
def verb_image_build(lab):
    """An archive is made once, where it says, and listed; it can be made with a root, and for QEMU."""
    words = ["build", "--uml", f"--kernel={GUEST_DIR}/linux.uml"]
    assert listed(lab) == []
    first = image(lab, *words).check().out.decode().strip()
    assert os.path.isfile(first) and os.path.dirname(first) == lab.path("cache"), first
    made = os.stat(first)
    second = image(lab, *words).check().out.decode().strip()
    assert second == first and os.stat(second).st_mtime_ns == made.st_mtime_ns, second
    row, = listed(lab)
    assert row["kind"] == "initramfs" and os.path.basename(first) == row["name"], row
    assert row["size"] == made.st_size and row["hash"] in first and row["kernel"], row

    tree = lab.path("tree")
    os.makedirs(tree)
    with open(os.path.join(tree, "of-the-tree"), "w", encoding="ascii") as file:
        file.write("x")
    other = image(lab, *words, f"--tree={tree}").check().out.decode().strip()
    names = subprocess.run(f"cpio -t --quiet <{other}", shell=True, check=True, capture_output=True,
                           text=True).stdout.split()
    assert "init" in names and "image/of-the-tree" in names, names
    qemu = image(lab, "build", f"--kernel={GUEST_DIR}/vmlinuz").check().out.decode().strip()
    assert len({first, other, qemu}) == 3 and len(listed(lab)) == 3, listed(lab)
    done = image(lab, "build", "--uml", "--kernel=/no/such").check(1)
    assert b"/no/such" in done.err and done.err.count(b"\n") == 1, done.err


@test(limit=60)
def verb_image_ls(lab):
    """What is in the cache, and without booting what is in an image."""
    vm = Vm(Calico(lab), root="ext4", **{"cache-dir": lab.path("cache")})
    os.chown(os.path.join(vm.rootfs, "etc", "passwd"), 33, 4)
    assert vm.run("echo ran").check().out == b"ran\n"
    vm.assert_gone()
    rows = {row["kind"]: row for row in listed(lab)}
    assert sorted(rows) == ["ext4", "initramfs"], rows
    ext4 = rows["ext4"]
    assert ext4["size"] > ext4["used"] > 0, ext4
    kernel = "vmlinux-" + "0a" * 32
    with open(os.path.join(lab.path("cache"), kernel), "wb") as file:
        file.write(b"\x7fELF" + bytes(100))

    table = image(lab, "ls").check().out.decode().splitlines()
    kinds = {line.split()[1]: line.split() for line in table[1:]}
    assert len(table) == 4 and sorted(kinds) == ["ext4", "initramfs", "kernel"], table
    assert kinds["ext4"][0] == ext4["hash"][:12] and kinds["ext4"][4] in ("0m", "1m", "2m"), table
    assert int(kinds["ext4"][2]) == (ext4["size"] + 1023) // 1024, table

    for word in (ext4["hash"][:12], ext4["name"], os.path.join(lab.path("cache"), ext4["name"])):
        root = image(lab, "ls", word).check().out.decode()
        assert " bin\n" in root and " tmp\n" in root, root
    etc = image(lab, "ls", ext4["hash"], "/etc").check().out.decode()
    passwd, = [line.split() for line in etc.splitlines() if line.endswith(" passwd")]
    assert passwd[1] == "100644" and passwd[3:5] == ["33", "4"], etc

    top = image(lab, "ls", rows["initramfs"]["hash"]).check().out.decode()
    assert [line.split()[0] for line in top.splitlines() if line.endswith(" init")] == ["100755"], top
    modules = image(lab, "ls", rows["initramfs"]["hash"], "/lib/modules/").check().out.decode()
    assert " virtio_net.ko\n" in modules and "init" not in modules, modules

    def refused(code, word, *words):
        done = image(lab, "ls", *words).check(code)
        assert word in done.err and done.err.count(b"\n") == 1 and done.out == b"", done.err

    refused(1, b"there is no /no-such in ", ext4["hash"], "/no-such")
    refused(1, b"there is no /no-such in ", rows["initramfs"]["hash"], "/no-such")
    refused(1, b"is a kernel", kernel)
    refused(1, b"there is no image feedfeed", "feedfeed")
    refused(1, b"No such file", "/no/such")
    refused(1, b"neither", os.path.join(vm.rootfs, "etc", "passwd"))
    refused(2, b"too many words", ext4["hash"], "/", "more")
    refused(2, b"--json", ext4["hash"], "--json")
